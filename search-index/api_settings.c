/* /indexes/{uid}/settings and what is below it. */
#include "search-index/api.h"
#include "search-index/payload.h"
#include "search-index/settings.h"

/* The setting that the path names; NONE: all. False: there is none of that name. */
static bool setting_of(search_call *call, search_setting *setting) {
    *setting = SEARCH_SETTING_NONE;
    if (call->part_count <= 3)
        return true;
    *setting = search_setting_find(call->parts[3]);
    return *setting != SEARCH_SETTING_NONE ||
           search_refuse(&call->refusal, SEARCH_CODE_NOT_FOUND, "There is no setting `%.*s`.",
                         CORE_SLICE_ARGS(call->parts[3]));
}

/* Those of the log, or of tables' index what its schema comes to. */
static bool settings_of(search_call *call, const search_entry *entry, search_settings *settings) {
    *settings = (search_settings){0};
    if (!entry->is_table)
        return search_settings_patch(settings, entry->text, call->arena, &call->refusal);
    search_open *open = search_call_open(call, entry->uid);
    if (open == NULL)
        return false;
    search_schema *schema = search_backend_schema_get(search_open_backend(open));
    bool ok = search_settings_of_schema(settings, schema, call->arena);
    search_schema_release(schema);
    search_open_release(open);
    return ok || search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the settings");
}

bool search_api_settings(search_call *call) {
    search_setting setting;
    search_settings settings;
    if (!setting_of(call, &setting))
        return false;
    const search_entry *entry = search_call_entry(call, call->parts[1]);
    if (entry == NULL)
        return false;
    bool ok = settings_of(call, entry, &settings);
    search_entry_release(entry);
    if (ok && setting == SEARCH_SETTING_NONE)
        search_settings_write(&settings, true, &call->json);
    else if (ok)
        search_settings_write_one(&settings, setting, &call->json);
    return ok;
}

/* Appends a patch that was checked. */
static bool patch_append(search_call *call, core_slice patch) {
    search_record record = {
        .kind = SEARCH_TASK_SETTINGS_UPDATE, .index = call->parts[1], .body = patch};
    return search_call_append(call, &record);
}

/* The whole must make a schema, as far as it is known here. */
static bool patch_check(search_call *call, search_setting setting) {
    search_settings settings = {0};
    const search_entry *entry =
        search_catalog_find(call->host->catalog, call->request->caller.project, call->parts[1]);
    core_slice body = call->request->body;
    bool ok = entry == NULL || entry->is_table ||
              search_settings_patch(&settings, entry->text, call->arena, &call->refusal);
    search_entry_release(entry);
    if (!ok)
        return false;
    ok = setting == SEARCH_SETTING_NONE
             ? search_settings_patch(&settings, body, call->arena, &call->refusal)
             : search_settings_patch_one(&settings, setting, body, call->arena, &call->refusal);
    search_schema *schema =
        ok ? search_settings_schema(&settings, core_slice_make(NULL, 0), &call->refusal) : NULL;
    search_schema_release(schema);
    return schema != NULL;
}

static bool method_ok(search_call *call, search_setting setting) {
    bool is_patch = core_slice_is(call->request->method, "PATCH");
    bool wants_patch = setting == SEARCH_SETTING_NONE || search_setting_is_group(setting);
    return is_patch == wants_patch ||
           search_refuse(&call->refusal, SEARCH_CODE_METHOD_NOT_ALLOWED,
                         "This setting is changed by %s.", wants_patch ? "PATCH" : "PUT");
}

/* {"name": value}, as a patch of all has it. */
static bool patch_of(search_call *call, search_setting setting, core_slice value,
                     core_buffer *patch) {
    core_json_writer json = core_json_writer_make(patch);
    core_json_object_open(&json);
    core_json_key_text(&json, search_setting_name(setting));
    core_json_raw(&json, value);
    core_json_object_close(&json);
    return patch_append(call, core_buffer_slice(patch));
}

bool search_api_settings_change(search_call *call) {
    search_setting setting;
    core_buffer patch;
    if (!search_call_uid(call, call->parts[1]) || !setting_of(call, &setting) ||
        !method_ok(call, setting) ||
        !search_payload_is_json(call->request->content_type, &call->refusal) ||
        !search_call_json(call) || !patch_check(call, setting) ||
        !search_call_writable(call, call->parts[1]))
        return false;
    if (setting == SEARCH_SETTING_NONE)
        return patch_append(call, call->request->body);
    core_buffer_init(&patch, SEARCH_SETTINGS_BYTES_MAX);
    bool ok = patch_of(call, setting, call->request->body, &patch);
    core_buffer_fini(&patch);
    return ok;
}

/* Every setting, or the one, is null. */
bool search_api_settings_reset(search_call *call) {
    search_setting setting;
    core_buffer patch;
    if (!search_call_uid(call, call->parts[1]) || !setting_of(call, &setting) ||
        !search_call_writable(call, call->parts[1]))
        return false;
    core_buffer_init(&patch, 4096);
    core_json_writer json = core_json_writer_make(&patch);
    core_json_object_open(&json);
    for (unsigned i = 0; i < SEARCH_SETTING_NONE; i++) {
        bool is_meant = setting == SEARCH_SETTING_NONE ? search_setting_is_outer((search_setting)i)
                                                       : i == (unsigned)setting;
        if (!is_meant)
            continue;
        core_json_key_text(&json, search_setting_name((search_setting)i));
        core_json_null(&json);
    }
    core_json_object_close(&json);
    bool ok = patch_append(call, core_buffer_slice(&patch));
    core_buffer_fini(&patch);
    return ok;
}
