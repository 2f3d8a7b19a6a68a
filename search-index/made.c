/* See made.h. */
#include "search-index/made.h"

#include "search-index/base.h"
#include "search-index/documents.h"
#include "search-index/request.h"
#include "search-index/settings_fold.h"

#include <stdio.h>
#include <stdlib.h>

#define MADE_NAME "=made" /* of its file: a swap gives it other names, and none of them is such */
#define KEY_SPACE 0
#define KEY_NAME  "primary_key"

enum { FILL_ITEMS = 256 }; /* at once */

#define ARENA_CHUNK_BYTES ((size_t)64 << 10)
#define ARENA_MAX_BYTES   ((size_t)256 << 20)

/* ---- The schema ---- */

/* What its documents are named by: those that it holds decide; while it holds none, what was asked
 * for the index does, as `entry` has it. */
static core_slice primary_key_of(const search_made *made, const search_entry *entry) {
    core_slice kept = core_slice_text(made->primary_key);
    if (entry->primary_key.length == 0)
        return kept;
    bool holds = kept.length > 0 && made->backend != NULL &&
                 search_backend_stats(made->backend).documents > 0;
    return holds ? kept : entry->primary_key;
}

/* The settings were folded, so they make one; NULL: memory is out. */
static search_schema *schema_make(const search_made *made, core_error *error) {
    search_refusal refusal = {.code = SEARCH_CODE_NONE};
    search_schema *schema =
        search_settings_folded(made->entry->text, primary_key_of(made, made->entry), &refusal);
    if (schema == NULL)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "index %s: %s",
                             (const char *)made->entry->uid.data, refusal.message);
    return schema;
}

static bool schema_set(search_made *made, core_error *error) {
    search_schema *schema = schema_make(made, error);
    bool ok = schema != NULL && search_backend_schema_set(made->backend, schema, error);
    if (schema != NULL)
        search_schema_release(schema);
    return ok;
}

/* ---- Its file ---- */

static bool key_load(search_made *made, core_error *error) {
    search_side row;
    if (!search_backend_side_get(made->backend, KEY_SPACE, core_slice_text(KEY_NAME), &row, error))
        return false;
    bool has = row.key.data != NULL &&
               core_slice_to_text(row.bytes, made->primary_key, sizeof made->primary_key);
    if (!has)
        made->primary_key[0] = '\0';
    return !has || schema_set(made, error);
}

static bool file_open(search_host *host, search_made *made, core_error *error) {
    char path[SEARCH_PATH_SIZE];
    search_schema *schema = schema_make(made, error);
    if (schema == NULL)
        return false;
    bool fits = search_paths_file(made->directory, core_slice_text(MADE_NAME), made->file, path);
    const search_store_options options = {
        .path = path,
        .schema = schema,
        .columns_max_bytes = (size_t)core_config_integer(host->spec.config, "search.columns_bytes"),
        .cache_bytes = (size_t)core_config_integer(host->spec.config, "search.cache_bytes"),
    };
    made->backend = fits ? search_store_open(&options, error) : NULL;
    search_schema_release(schema);
    if (made->backend == NULL)
        return false;
    made->open = search_open_new(made->entry, made->backend, path);
    made->position = search_backend_position(made->backend);
    return (made->open != NULL ||
            core_error_set(error, CORE_ERROR_INTERNAL, "no memory for an index")) &&
           key_load(made, error);
}

static void file_remove(const search_made *made, search_file file) {
    char path[SEARCH_PATH_SIZE];
    core_error ignored; /* it is tried again at the next start */
    if (search_paths_file(made->directory, core_slice_text(MADE_NAME), file, path))
        (void)!search_store_remove(path, &ignored);
}

/* Of this index; the newest that there is, and older ones go. */
static search_file file_find(const search_made *made) {
    search_file files[SEARCH_BUILDS_MAX];
    size_t count = search_paths_list(made->directory, core_slice_text(MADE_NAME),
                                     made->entry->generation, files);
    for (size_t i = 1; i < count; i++)
        file_remove(made, files[i]);
    return count > 0 ? files[0] : (search_file){.generation = made->entry->generation, .build = 1};
}

static bool show(search_host *host, search_made *made, core_error *error) {
    if (!search_registry_put(host->registry, made->open))
        return core_error_set(error, CORE_ERROR_INTERNAL, "there are too many indexes");
    made->is_shown = true;
    search_open_release(made->older); /* discarded: its file goes with it */
    made->older = NULL;
    return true;
}

static search_made *made_new(const search_entry *entry) {
    search_made *made = calloc(1, sizeof *made);
    if (made != NULL)
        made->entry = search_entry_hold(entry);
    return made;
}

void search_made_free(search_made *made) {
    if (made == NULL)
        return;
    if (made->backend != NULL)
        search_backend_rollback(made->backend);
    search_open_release(made->open);
    search_open_release(made->older);
    search_entry_release(made->entry);
    free(made);
}

search_made *search_made_open(search_host *host, const search_entry *entry, uint64_t until,
                              core_error *error) {
    search_made *made = made_new(entry);
    if (made == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for an index");
        return NULL;
    }
    made->until = until;
    bool ok = search_paths_directory(&host->spec, entry->project, made->directory, error);
    if (ok) {
        made->file = file_find(made);
        ok = file_open(host, made, error);
    }
    if (!ok && (error->code == CORE_ERROR_CONFLICT || error->code == CORE_ERROR_GAP)) {
        file_remove(made, made->file); /* the log has it all */
        ok = file_open(host, made, error);
    }
    if (ok && !search_backend_stats(made->backend).is_building)
        ok = show(host, made, error);
    if (ok)
        return made;
    search_made_free(made);
    return NULL;
}

void search_made_remove(search_host *host, search_made *made) {
    if (made->is_shown || made->older != NULL)
        search_registry_remove(host->registry, made->entry->project, made->entry->uid);
    if (made->open != NULL)
        search_open_discard(made->open);
    search_made_free(made);
}

/* ---- Changes ---- */

/* What answers goes on until the new file has all of the log. */
static bool begin_again(search_host *host, search_made *made, uint64_t until, core_error *error) {
    search_open_discard(made->open);
    if (made->older == NULL && made->is_shown)
        made->older = made->open;
    else
        search_open_release(made->open);
    made->open = NULL;
    made->backend = NULL;
    made->is_shown = false;
    made->primary_key[0] = '\0';
    made->until = until;
    made->file.build++;
    return file_open(host, made, error);
}

static void name_change(search_host *host, search_made *made, const search_entry *was) {
    bool is_other = !core_slice_equal(was->uid, made->entry->uid);
    search_open *shown = made->is_shown ? made->open : made->older;
    if (is_other && shown != NULL)
        search_registry_remove(host->registry, was->project, was->uid);
    if (made->open != NULL)
        search_registry_rename(host->registry, made->open, made->entry);
    if (made->older != NULL)
        search_registry_rename(host->registry, made->older, made->entry);
    made->is_renamed = is_other && shown != NULL;
}

bool search_made_change(search_host *host, search_made *made, const search_entry *entry,
                        uint64_t until, bool *is_again, core_error *error) {
    const search_entry *was = made->entry;
    made->entry = search_entry_hold(entry);
    name_change(host, made, was);
    bool is_same = core_slice_equal(was->text, entry->text) &&
                   core_slice_equal(was->primary_key, entry->primary_key);
    search_entry_release(was);
    if (is_same || schema_set(made, error))
        return true;
    if (error->code != CORE_ERROR_CONFLICT)
        return false;
    *is_again = true;
    made->task = entry->changed;
    return begin_again(host, made, until, error);
}

bool search_made_settle(search_host *host, search_made *made, core_error *error) {
    if (!made->is_renamed)
        return true;
    made->is_renamed = false;
    return search_registry_put(host->registry, made->is_shown ? made->open : made->older) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "there are too many indexes");
}

/* ---- Documents ---- */

typedef struct {
    core_arena arena;
    search_task task;
    const search_entry *then;
    uint64_t sequence;
    const search_record *record;
    core_slice
        key; /* the primary key that its documents are named by from now on; empty: as before */
    bool is_told; /* its outcome is: it was not told before, of another file of the index */
} taking;

static void refusal_note(taking *it, const search_refusal *refusal) {
    if (refusal->code == SEARCH_CODE_NONE)
        return;
    it->task.status = SEARCH_TASK_FAILED;
    (void)snprintf(it->task.code, sizeof it->task.code, "%s",
                   search_code_look(refusal->code)->name);
    (void)snprintf(it->task.message, sizeof it->task.message, "%s", refusal->message);
}

/* It is the index's when it is in the file, which is known behind the commit only. */
static bool key_keep(const search_made *made, taking *it, core_slice key, core_error *error) {
    const search_side row = {.space = KEY_SPACE, .key = core_slice_text(KEY_NAME), .bytes = key};
    if (key.length == 0 || core_slice_is(key, made->primary_key))
        return true;
    it->key = key;
    return search_backend_side_put(made->backend, &row, error);
}

static bool key_take(search_made *made, core_slice key, core_error *error) {
    if (key.length == 0 || !core_slice_to_text(key, made->primary_key, sizeof made->primary_key) ||
        schema_set(made, error))
        return true;
    made->primary_key[0] = '\0'; /* the record is taken again */
    return false;
}

static bool documents_put(search_made *made, taking *it, core_error *error) {
    core_slice key = primary_key_of(made, it->then);
    const search_documents_asked asked = {
        .sequence = it->sequence,
        .index = made->entry->uid,
        .primary_key = key.length > 0 ? key : it->record->primary_key,
        .documents = it->record->body,
        .is_update = it->record->kind == SEARCH_TASK_DOCUMENTS_UPDATE,
    };
    search_documents_result result = {.received = 0};
    core_slice other = it->record->primary_key;
    if (key.length > 0 && other.length > 0 && !core_slice_equal(key, other)) {
        (void)search_refuse(&result.refusal, SEARCH_CODE_INDEX_PRIMARY_KEY_ALREADY_EXISTS,
                            "Index `%.*s`: Index already has a primary key: `%.*s`.",
                            CORE_SLICE_ARGS(made->entry->uid), CORE_SLICE_ARGS(key));
        refusal_note(it, &result.refusal);
        return true;
    }
    bool ok =
        search_documents_put(made->backend, &asked, &made->position, &it->arena, &result, error) &&
        (result.indexed == 0 || key_keep(made, it, result.primary_key, error));
    it->task.received = result.received;
    it->task.indexed = ok ? result.indexed : 0;
    refusal_note(it, &result.refusal);
    return ok;
}

/* ---- Removing ---- */

static bool id_take(void *context, const search_kept *document) {
    core_json_string(context, document->id);
    return true;
}

/* The ids of the documents that the filter fits, as a JSON array. */
static bool filter_ids(search_made *made, core_slice filter, taking *it, core_buffer *ids,
                       core_error *error) {
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    search_request request = search_request_defaults();
    core_json_writer json = core_json_writer_make(ids);
    uint64_t total;
    if (!search_filter_read(&it->arena, filter, &budget, &request.filter, error))
        return false;
    request.offset = 0;
    request.limit = UINT32_MAX;
    search_reader *reader = search_backend_reader_new(made->backend, error);
    if (reader == NULL)
        return false;
    core_json_array_open(&json);
    bool ok = search_reader_list(reader, &request, id_take, &json, &total, error);
    core_json_array_close(&json);
    search_reader_free(reader);
    return ok && (core_buffer_ok(ids) ||
                  core_error_set(error, CORE_ERROR_INPUT, "too many documents fit the filter"));
}

/* The same, where the record meets the columns that there were then. */
static bool then_ids(search_made *made, core_slice filter, taking *it, core_buffer *ids,
                     core_error *error) {
    search_refusal refusal = {.code = SEARCH_CODE_NONE};
    core_error after;
    if (core_slice_equal(it->then->text, made->entry->text))
        return filter_ids(made, filter, it, ids, error);
    search_schema *schema = search_settings_filtered_as(made->entry->text, it->then->text,
                                                        primary_key_of(made, it->then), &refusal);
    if (schema == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "index %s: %s",
                              (const char *)made->entry->uid.data, refusal.message);
    bool ok = search_backend_schema_set(made->backend, schema, error) &&
              filter_ids(made, filter, it, ids, error);
    search_schema_release(schema);
    if (schema_set(made, &after))
        return ok;
    *error = after;
    return false;
}

static bool filter_remove(search_made *made, core_slice filter, taking *it, core_error *error) {
    core_buffer ids;
    search_refusal refusal = {.code = SEARCH_CODE_NONE};
    core_buffer_init(&ids, SEARCH_RECORD_BYTES);
    bool found = then_ids(made, filter, it, &ids, error), ok = found;
    if (found)
        ok = search_documents_remove(made->backend, it->sequence, core_buffer_slice(&ids),
                                     &made->position, &it->task.indexed, error);
    else if (error->code == CORE_ERROR_INPUT) {
        (void)search_refuse_error(&refusal, SEARCH_CODE_INVALID_DOCUMENT_FILTER, error);
        refusal_note(it, &refusal);
        ok = true;
    }
    core_buffer_fini(&ids);
    return ok;
}

static bool all_remove(search_made *made, taking *it, core_error *error) {
    it->task.indexed = search_backend_stats(made->backend).documents;
    return search_backend_clear(made->backend, error);
}

static bool documents_remove(search_made *made, taking *it, core_error *error) {
    core_json_reader reader = core_json_reader_make(it->record->body);
    core_json_token member;
    core_slice value;
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN ||
        !core_json_member_next(&reader, &member))
        return all_remove(made, it, error);
    bool is_ids = core_slice_is(member.key, "ids");
    if (!core_json_skip(&reader, member, &value))
        return true;
    it->task.received = 0;
    return is_ids ? search_documents_remove(made->backend, it->sequence, value, &made->position,
                                            &it->task.indexed, error)
                  : filter_remove(made, value, it, error);
}

/* ---- A record ---- */

/* What can never be taken fails its task; asked again and again it would hold up all others. */
static bool record_refuse(search_made *made, taking *it, core_error *error) {
    search_refusal refusal = {.code = SEARCH_CODE_NONE};
    if (error->code != CORE_ERROR_LIMIT && error->code != CORE_ERROR_INPUT)
        return false;
    search_backend_rollback(made->backend);
    (void)search_refuse_error(&refusal,
                              error->code == CORE_ERROR_LIMIT ? SEARCH_CODE_PAYLOAD_TOO_LARGE
                                                              : SEARCH_CODE_BAD_REQUEST,
                              error);
    refusal_note(it, &refusal);
    return true;
}

/* What becomes of the task is in its file before what it tells of is in the index; see
 * task_store.h. */
static bool outcome_keep(search_host *host, const taking *it, bool is_confirmed,
                         core_error *error) {
    return !it->is_told || search_task_store_put(host->outcomes, &it->task, 1, is_confirmed, error);
}

static bool void_refuse(core_error *error) {
    return core_error_set(error, CORE_ERROR_INPUT,
                          "The body came in pieces, and too slowly: send it again.");
}

static bool record_keep(search_host *host, search_made *made, taking *it, core_error *error) {
    const search_position position = {.log_sequence = it->sequence};
    bool is_put = it->record->is_void ? void_refuse(error)
                  : it->record->kind == SEARCH_TASK_DOCUMENTS_DELETE
                      ? documents_remove(made, it, error)
                      : documents_put(made, it, error);
    it->task.finished_us = core_clock_wall_us(host->spec.clock);
    if ((!is_put && !record_refuse(made, it, error)) || !outcome_keep(host, it, false, error) ||
        !search_backend_commit(made->backend, &position, error) || !key_take(made, it->key, error))
        return false;
    made->position = position;
    return true;
}

/* Done is told when it can be found. */
static bool outcome_tell(search_host *host, const search_made *made, taking *it,
                         core_error *error) {
    bool hides = it->task.status == SEARCH_TASK_SUCCEEDED && search_made_hides(made, &it->task);
    if (!it->is_told)
        return true;
    if (hides) {
        it->task.status = SEARCH_TASK_PROCESSING;
        it->task.finished_us = 0;
    } else if (!outcome_keep(host, it, true, error))
        return false;
    search_tasks_put(host->tasks, &it->task);
    return true;
}

bool search_made_take(search_host *host, search_made *made, const search_entry *then,
                      uint64_t sequence, const search_record *record, core_error *error) {
    taking it = {.then = then, .sequence = sequence, .record = record};
    if (made->position.log_sequence >= sequence)
        return true;
    it.is_told = search_tasks_get(host->tasks, sequence, &it.task) && it.task.finished_us == 0;
    core_arena_init(&it.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    it.task.status = SEARCH_TASK_SUCCEEDED;
    bool ok = record_keep(host, made, &it, error) &&
              search_made_reach(host, made, sequence, error) &&
              outcome_tell(host, made, &it, error);
    core_arena_fini(&it.arena);
    return ok;
}

/* ---- Out of a base ---- */

bool search_made_empty(search_host *host, search_made *made, uint64_t until, core_error *error) {
    const search_position nothing = {.log_sequence = 0};
    if (made->is_shown || made->position.log_sequence > 0)
        return begin_again(host, made, until, error);
    return search_backend_stats(made->backend).documents == 0 ||
           (search_backend_clear(made->backend, error) &&
            search_backend_commit(made->backend, &nothing, error));
}

/* Up to `count` documents; how many there were. */
static size_t items_read(core_slice *bytes, search_item *items, size_t count, bool *is_wrong) {
    size_t read = 0;
    while (read < count && search_base_document_read(bytes, &items[read], is_wrong))
        read++;
    return read;
}

static bool items_apply(search_made *made, const search_item *items, size_t count,
                        core_error *error) {
    search_item_result results[FILL_ITEMS];
    if (!search_backend_apply(made->backend, items, count, results, error))
        return false;
    for (size_t i = 0; i < count; i++)
        if (results[i].state == SEARCH_ITEM_REFUSED)
            return core_error_set(error, CORE_ERROR_INTERNAL,
                                  "index %s: a document of the base is refused: %s",
                                  (const char *)made->entry->uid.data, results[i].reason);
    return true;
}

bool search_made_fill(search_made *made, core_slice *bytes, core_error *error) {
    const search_position nothing = {.log_sequence = 0};
    search_item items[FILL_ITEMS];
    size_t count = FILL_ITEMS, open = 0;
    bool is_wrong = false, ok = true;
    while (ok && count == FILL_ITEMS) {
        count = items_read(bytes, items, FILL_ITEMS, &is_wrong);
        ok = items_apply(made, items, count, error);
        open += count;
        if (ok && open + FILL_ITEMS > SEARCH_GROUP_ITEMS_MAX) {
            ok = search_backend_commit(made->backend, &nothing, error);
            open = 0;
        }
    }
    if (ok && is_wrong)
        return core_error_set(error, CORE_ERROR_INTERNAL,
                              "index %s: the base of the search log holds what is no document",
                              (const char *)made->entry->uid.data);
    return ok && search_backend_commit(made->backend, &nothing, error);
}

bool search_made_filled(search_made *made, const search_base_part *part, core_error *error) {
    const search_position position = {.log_sequence = part->position};
    const search_side row = {
        .space = KEY_SPACE, .key = core_slice_text(KEY_NAME), .bytes = part->primary_key};
    if ((part->primary_key.length > 0 && !search_backend_side_put(made->backend, &row, error)) ||
        !search_backend_commit(made->backend, &position, error) ||
        !key_take(made, part->primary_key, error))
        return false;
    made->position = position;
    return true;
}

core_slice search_made_key(const search_made *made) {
    return core_slice_text(made->primary_key);
}

/* ---- Caught up ---- */

bool search_made_hides(const search_made *made, const search_task *task) {
    return !made->is_shown && made->older == NULL && task->uid >= made->entry->generation &&
           core_slice_is(made->entry->uid, task->index) &&
           core_slice_is(made->entry->project, task->project);
}

bool search_made_reach(search_host *host, search_made *made, uint64_t sequence, core_error *error) {
    const search_position position = {.log_sequence = sequence};
    if (made->is_shown || sequence < made->until)
        return true;
    if (!search_backend_built(made->backend, error) ||
        !search_backend_commit(made->backend, &position, error) || !show(host, made, error))
        return false;
    made->position = position;
    made->task = 0;
    return true;
}
