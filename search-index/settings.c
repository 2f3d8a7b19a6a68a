/* See settings.h. */
#include "search-index/settings_private.h"

#include <stdio.h>

static const search_setting_row setting_rows[] = {
#define X(name, text, path, group, shape, code, initial, low, high)                                \
    [SEARCH_SETTING_##name] = {text,                                                               \
                               path,                                                               \
                               SEARCH_SETTING_##group,                                             \
                               SEARCH_SHAPE_##shape,                                               \
                               SEARCH_CODE_INVALID_SETTINGS_##code,                                \
                               initial,                                                            \
                               low,                                                                \
                               high},
#include "search-index/settings_table.h"
#undef X
};

search_setting search_setting_find(core_slice path) {
    size_t i = 0;
    while (i < SEARCH_SETTING_NONE &&
           (setting_rows[i].path == NULL || !core_slice_is(path, setting_rows[i].path)))
        i++;
    return (search_setting)i;
}

bool search_setting_is_group(search_setting setting) {
    return setting_rows[setting].shape == SEARCH_SHAPE_GROUP || setting == SEARCH_SETTING_EMBEDDERS;
}

bool search_setting_is_outer(search_setting setting) {
    return setting_rows[setting].group == SEARCH_SETTING_NONE;
}

const char *search_setting_name(search_setting setting) {
    return setting_rows[setting].name;
}

core_slice search_settings_value(const search_settings *settings, search_setting setting) {
    core_slice value = settings->values[setting];
    return value.length > 0 ? value : core_slice_text(setting_rows[setting].initial);
}

/* ---- Merging ---- */

typedef struct {
    search_settings *settings;
    core_json_reader reader;
    core_arena *arena;
    search_refusal *refusal;
} merge;

static bool merge_value(merge *it, search_setting setting, core_json_token token,
                        const char *place);

/* The setting, and all that are below it. */
static void setting_reset(search_settings *settings, search_setting setting) {
    settings->values[setting] = core_slice_make(NULL, 0);
    for (size_t i = 0; i < SEARCH_SETTING_NONE; i++)
        if (setting_rows[i].group == setting)
            setting_reset(settings, (search_setting)i);
}

static search_setting member_find(search_setting group, core_slice key) {
    size_t i = 0;
    while (i < SEARCH_SETTING_NONE &&
           (setting_rows[i].group != group || !core_json_raw_is(key, setting_rows[i].name)))
        i++;
    return (search_setting)i;
}

/* "Unknown field `x`: expected one of …". */
static bool member_unknown(const merge *it, search_setting group, core_slice key,
                           const char *place) {
    char names[SEARCH_REFUSAL_MAX / 2] = "";
    size_t used = 0;
    for (size_t i = 0; i < SEARCH_SETTING_NONE; i++)
        if (setting_rows[i].group == group && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s`%s`",
                                     used > 0 ? ", " : "", setting_rows[i].name);
    search_code code =
        group == SEARCH_SETTING_NONE ? SEARCH_CODE_BAD_REQUEST : setting_rows[group].code;
    int length = key.length < 100 ? (int)key.length : 100;
    return search_refuse(it->refusal, code, "Unknown field `%.*s`%s%s%s: expected one of %s",
                         length, (const char *)key.data, place[0] != '\0' ? " inside `" : "", place,
                         place[0] != '\0' ? "`" : "", names);
}

static bool merge_malformed(const merge *it) {
    return search_refuse(it->refusal, SEARCH_CODE_MALFORMED_PAYLOAD,
                         "The json payload provided is malformed.");
}

static bool merge_members(merge *it, search_setting group, const char *place) {
    core_json_token token;
    char below[SEARCH_PLACE_MAX];
    while (core_json_member_next(&it->reader, &token)) {
        search_setting member = member_find(group, token.key);
        if (member == SEARCH_SETTING_NONE)
            return member_unknown(it, group, token.key, place);
        (void)snprintf(below, sizeof below, "%s.%s", place, setting_rows[member].name);
        if (!merge_value(it, member, token, below))
            return false;
    }
    return !it->reader.failed || merge_malformed(it);
}

static bool merge_value(merge *it, search_setting setting, core_json_token token,
                        const char *place) {
    const search_setting_row *row = &setting_rows[setting];
    core_buffer value;
    if (token.kind == CORE_JSON_NULL) {
        setting_reset(it->settings, setting);
        return true;
    }
    if (row->shape == SEARCH_SHAPE_GROUP && token.kind == CORE_JSON_OBJECT_OPEN)
        return merge_members(it, setting, place);
    if (row->shape == SEARCH_SHAPE_GROUP)
        return search_shape_refuse(row, &it->reader, token, place, "an object", it->refusal);
    core_buffer_init(&value, SEARCH_SETTINGS_BYTES_MAX);
    bool ok = search_shape_read(row, &it->reader, token, place, &value, it->refusal);
    if (ok) {
        core_slice kept = core_arena_copy(it->arena, core_buffer_slice(&value));
        bool is_default = core_slice_is(kept, row->initial);
        it->settings->values[setting] = is_default ? core_slice_make(NULL, 0) : kept;
        ok = (kept.data != NULL && core_buffer_ok(&value)) ||
             search_refuse(it->refusal, row->code, "The settings are larger than %zu bytes.",
                           SEARCH_SETTINGS_BYTES_MAX);
    }
    core_buffer_fini(&value);
    return ok;
}

/* What one value alone does not show. */
static bool merge_whole(const merge *it) {
    uint64_t one = 0, two = 0;
    bool are_numbers =
        core_slice_to_u64(search_settings_value(it->settings, SEARCH_SETTING_TYPO_ONE), &one) &&
        core_slice_to_u64(search_settings_value(it->settings, SEARCH_SETTING_TYPO_TWO), &two);
    return (are_numbers && one <= two) ||
           search_refuse(
               it->refusal, SEARCH_CODE_INVALID_SETTINGS_TYPO_TOLERANCE,
               "`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields "
               "should be between `0` and `255`, and `twoTypos` should be greater or "
               "equals to `oneTypo` but found `oneTypo: %llu` and twoTypos: %llu`.",
               (unsigned long long)one, (unsigned long long)two);
}

/* `patch` was well-formed to its end. */
static bool merge_end(merge *it) {
    return core_json_next(&it->reader).kind == CORE_JSON_END ? merge_whole(it)
                                                             : merge_malformed(it);
}

bool search_settings_patch(search_settings *settings, core_slice patch, core_arena *arena,
                           search_refusal *refusal) {
    static const search_setting_row whole = {.code = SEARCH_CODE_BAD_REQUEST};
    merge it = {.settings = settings,
                .reader = core_json_reader_make(patch),
                .arena = arena,
                .refusal = refusal};
    core_json_token token = core_json_next(&it.reader);
    if (!core_json_valid(patch))
        return merge_malformed(&it);
    if (token.kind != CORE_JSON_OBJECT_OPEN)
        return search_shape_refuse(&whole, &it.reader, token, "", "an object", refusal);
    return merge_members(&it, SEARCH_SETTING_NONE, "") && merge_end(&it);
}

bool search_settings_patch_one(search_settings *settings, search_setting setting, core_slice value,
                               core_arena *arena, search_refusal *refusal) {
    merge it = {.settings = settings,
                .reader = core_json_reader_make(value),
                .arena = arena,
                .refusal = refusal};
    core_json_token token = core_json_next(&it.reader);
    if (!core_json_valid(value))
        return merge_malformed(&it);
    return merge_value(&it, setting, token, "") && merge_end(&it);
}

/* ---- Showing ---- */

static bool setting_is_set(const search_settings *settings, search_setting setting) {
    if (settings->values[setting].length > 0)
        return true;
    for (size_t i = 0; i < SEARCH_SETTING_NONE; i++)
        if (setting_rows[i].group == setting && setting_is_set(settings, (search_setting)i))
            return true;
    return false;
}

static void members_write(const search_settings *settings, search_setting group, bool all,
                          core_json_writer *json);

static void setting_write(const search_settings *settings, search_setting setting, bool all,
                          core_json_writer *json) {
    if (setting_rows[setting].shape == SEARCH_SHAPE_GROUP)
        members_write(settings, setting, all, json);
    else
        core_json_raw(json, search_settings_value(settings, setting));
}

static void members_write(const search_settings *settings, search_setting group, bool all,
                          core_json_writer *json) {
    core_json_object_open(json);
    for (size_t i = 0; i < SEARCH_SETTING_NONE; i++) {
        if (setting_rows[i].group != group)
            continue;
        if (!all && !setting_is_set(settings, (search_setting)i))
            continue;
        core_json_key_text(json, setting_rows[i].name);
        setting_write(settings, (search_setting)i, all, json);
    }
    core_json_object_close(json);
}

void search_settings_write(const search_settings *settings, bool all, core_json_writer *json) {
    members_write(settings, SEARCH_SETTING_NONE, all, json);
}

void search_settings_write_one(const search_settings *settings, search_setting setting,
                               core_json_writer *json) {
    setting_write(settings, setting, true, json);
}
