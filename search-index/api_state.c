/* /stats, /version, and how far an index is. */
#include "search-index/api.h"

#include <stdio.h>

/* The Meilisearch whose API this surface follows; docs/SEARCH_API.md says how far. */
#define API_VERSION "1.22.0"

bool search_api_version(search_call *call) {
    core_json_writer *json = &call->json;
    core_json_object_open(json);
    core_json_key_text(json, "commitSha");
    core_json_text(json, "walcast");
    core_json_key_text(json, "commitDate");
    core_json_text(json, "unknown");
    core_json_key_text(json, "pkgVersion");
    core_json_text(json, API_VERSION);
    core_json_object_close(json);
    return true;
}

static void number_member(core_json_writer *json, const char *name, uint64_t value) {
    core_json_key_text(json, name);
    core_json_unsigned(json, value);
}

static bool field_write(void *context, core_slice attribute, uint64_t documents) {
    search_call *call = context;
    core_json_key(&call->json, attribute);
    core_json_unsigned(&call->json, documents);
    return true;
}

/* Nothing of one that does not answer yet. */
static bool index_write(search_call *call, search_open *open) {
    core_json_writer *json = &call->json;
    search_stats stats = {0};
    core_error error;
    search_reader *reader = NULL;
    if (open != NULL) {
        stats = search_backend_stats(search_open_backend(open));
        reader = search_worker_reader(call->worker, open, &error);
        if (reader == NULL)
            return search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
    }
    core_json_object_open(json);
    number_member(json, "numberOfDocuments", stats.documents);
    number_member(json, "rawDocumentDbSize", stats.file_bytes);
    number_member(json, "avgDocumentSize",
                  stats.documents > 0 ? stats.file_bytes / stats.documents : 0);
    core_json_key_text(json, "isIndexing");
    core_json_bool(json, open == NULL || stats.is_building);
    number_member(json, "numberOfEmbeddings", 0);
    number_member(json, "numberOfEmbeddedDocuments", 0);
    core_json_key_text(json, "fieldDistribution");
    core_json_object_open(json);
    bool ok = reader == NULL || search_reader_fields(reader, field_write, call, &error);
    core_json_object_close(json);
    core_json_object_close(json);
    return ok || search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
}

bool search_api_index_stats(search_call *call) {
    const search_entry *entry = search_call_entry(call, call->parts[1]);
    if (entry == NULL)
        return false;
    search_open *open = search_registry_find(call->host->registry, entry->project, entry->uid);
    bool ok = index_write(call, open);
    search_open_release(open);
    search_entry_release(entry);
    return ok;
}

static bool entry_stats(search_call *call, const search_entry *entry, uint64_t *bytes,
                        int64_t *updated_us) {
    const core_route_caller *caller = &call->request->caller;
    if (!core_slice_equal(entry->project, caller->project) ||
        !core_slice_equal(entry->environment, caller->environment) ||
        !search_call_has(call, entry->uid))
        return true;
    search_open *open = search_registry_find(call->host->registry, entry->project, entry->uid);
    if (open != NULL)
        *bytes += search_backend_stats(search_open_backend(open)).file_bytes;
    if (entry->updated_us > *updated_us)
        *updated_us = entry->updated_us;
    core_json_key(&call->json, entry->uid);
    bool ok = index_write(call, open);
    search_open_release(open);
    return ok;
}

bool search_api_stats(search_call *call) {
    core_json_writer *json = &call->json;
    const search_entry *entry;
    char text[CORE_CLOCK_TEXT_SIZE];
    uint64_t bytes = 0;
    int64_t updated_us = 0;
    bool ok = true;
    core_json_object_open(json);
    core_json_key_text(json, "indexes");
    core_json_object_open(json);
    for (size_t i = 0; ok && (entry = search_catalog_at(call->host->catalog, i)) != NULL; i++) {
        ok = entry_stats(call, entry, &bytes, &updated_us);
        search_entry_release(entry);
    }
    core_json_object_close(json);
    number_member(json, "databaseSize", bytes);
    number_member(json, "usedDatabaseSize", bytes);
    core_json_key_text(json, "lastUpdate");
    core_clock_format(updated_us, text);
    if (updated_us > 0)
        core_json_text(json, text);
    else
        core_json_null(json);
    core_json_object_close(json);
    return ok;
}

/* ---- /search/v1/{project}/{index}/status ---- */

static void reached_write(core_json_writer *json, search_open *open) {
    core_offset reached = search_open_reached(open);
    char text[CORE_OFFSET_TEXT_SIZE];
    core_offset_format(&reached, text);
    core_json_key_text(json, "offset");
    if (reached.epoch[0] != '\0')
        core_json_text(json, text);
    else
        core_json_null(json);
}

/* How far the tables are read for the one that takes its place, or answers first; null: none is
 * being built. */
static void building_write(search_call *call, const search_entry *entry) {
    core_json_writer *json = &call->json;
    search_task task;
    core_json_key_text(json, "building");
    if (!entry->is_table || !search_tasks_get(call->host->tasks, entry->generation, &task) ||
        task.status > SEARCH_TASK_PROCESSING) {
        core_json_null(json);
        return;
    }
    core_json_object_open(json);
    number_member(json, "task", task.uid);
    number_member(json, "rows", task.received);
    core_json_key_text(json, "expected_rows");
    if (task.expected > 0)
        core_json_unsigned(json, task.expected);
    else
        core_json_null(json);
    core_json_object_close(json);
}

/* Of an index of tables: all of a source follow the stream together. */
static void lag_write(search_call *call) {
    char text[32];
    (void)snprintf(text, sizeof text, "%.3f", (double)atomic_load(&call->host->lag_us) / 1e6);
    number_member(&call->json, "lag_messages", atomic_load(&call->host->lag_messages));
    core_json_key_text(&call->json, "lag_seconds");
    core_json_raw(&call->json, core_slice_text(text));
}

bool search_api_status(search_call *call) {
    core_json_writer *json = &call->json;
    if (!search_call_project(call))
        return false;
    const search_entry *entry = search_call_entry(call, call->parts[3]);
    if (entry == NULL)
        return false;
    search_open *open = search_registry_find(call->host->registry, entry->project, entry->uid);
    search_stats stats = {0};
    if (open != NULL)
        stats = search_backend_stats(search_open_backend(open));
    core_json_object_open(json);
    core_json_key_text(json, "index");
    core_json_string(json, entry->uid);
    core_json_key_text(json, "of_tables");
    core_json_bool(json, entry->is_table);
    core_json_key_text(json, "answers");
    core_json_bool(json, open != NULL);
    number_member(json, "documents", stats.documents);
    number_member(json, "file_bytes", stats.file_bytes);
    number_member(json, "memory_bytes", stats.memory_bytes);
    number_member(json, "terms", stats.terms);
    number_member(json, "definition", entry->generation);
    number_member(json, "log", search_catalog_sequence(call->host->catalog));
    if (open != NULL)
        reached_write(json, open);
    building_write(call, entry);
    if (entry->is_table)
        lag_write(call);
    core_json_object_close(json);
    search_open_release(open);
    search_entry_release(entry);
    return true;
}
