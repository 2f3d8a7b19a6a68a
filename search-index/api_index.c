/* /indexes and /swap-indexes. */
#include "search-index/api.h"
#include "search-index/payload.h"
#include "search-index/settings.h"

#include <stddef.h>

enum { LIMIT_DEFAULT = 20 };

static void time_member(core_json_writer *json, const char *name, int64_t at_us) {
    char text[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(at_us, text);
    core_json_key_text(json, name);
    core_json_text(json, text);
}

/* What is known of it by the log, or by the schema of what answers. */
static void primary_key_member(search_call *call, const search_entry *entry) {
    core_json_writer *json = &call->json;
    core_slice key = entry->primary_key;
    search_open *open = search_registry_find(call->host->registry, entry->project, entry->uid);
    search_schema *schema =
        open != NULL ? search_backend_schema_get(search_open_backend(open)) : NULL;
    if (schema != NULL && search_schema_get(schema)->primary_key.length > 0)
        key = search_schema_get(schema)->primary_key;
    core_json_key_text(json, "primaryKey");
    if (key.length > 0)
        core_json_string(json, key);
    else
        core_json_null(json);
    search_schema_release(schema);
    search_open_release(open);
}

static void entry_write(search_call *call, const search_entry *entry) {
    core_json_writer *json = &call->json;
    core_json_object_open(json);
    core_json_key_text(json, "uid");
    core_json_string(json, entry->uid);
    time_member(json, "createdAt", entry->created_us);
    time_member(json, "updatedAt", entry->updated_us);
    primary_key_member(call, entry);
    core_json_object_close(json);
}

bool search_api_index(search_call *call) {
    const search_entry *entry = search_call_entry(call, call->parts[1]);
    if (entry == NULL)
        return false;
    entry_write(call, entry);
    search_entry_release(entry);
    return true;
}

static bool is_of_caller(const search_call *call, const search_entry *entry) {
    const core_route_caller *caller = &call->request->caller;
    return core_slice_equal(entry->project, caller->project) &&
           core_slice_equal(entry->environment, caller->environment) &&
           search_call_has(call, entry->uid);
}

/* Those from `offset` on, at most `limit`; all are counted. */
static uint64_t entries_write(search_call *call, uint64_t offset, uint64_t limit) {
    const search_entry *entry;
    uint64_t total = 0;
    for (size_t i = 0; (entry = search_catalog_at(call->host->catalog, i)) != NULL; i++) {
        if (is_of_caller(call, entry)) {
            if (total >= offset && total - offset < limit)
                entry_write(call, entry);
            total++;
        }
        search_entry_release(entry);
    }
    return total;
}

bool search_api_indexes(search_call *call) {
    static const char *const names[] = {"offset", "limit", NULL};
    search_params params;
    uint64_t offset = 0, limit = LIMIT_DEFAULT;
    core_json_writer *json = &call->json;
    if (!search_params_read(call->request->query, call->arena, &params, &call->refusal) ||
        !search_params_known(&params, names, &call->refusal) ||
        !search_params_number(&params, "offset", SEARCH_CODE_INVALID_INDEX_OFFSET, &offset,
                              &call->refusal) ||
        !search_params_number(&params, "limit", SEARCH_CODE_INVALID_INDEX_LIMIT, &limit,
                              &call->refusal))
        return false;
    core_json_object_open(json);
    core_json_key_text(json, "results");
    core_json_array_open(json);
    uint64_t total = entries_write(call, offset, limit);
    core_json_array_close(json);
    core_json_key_text(json, "offset");
    core_json_unsigned(json, offset);
    core_json_key_text(json, "limit");
    core_json_unsigned(json, limit);
    core_json_key_text(json, "total");
    core_json_unsigned(json, total);
    core_json_object_close(json);
    return true;
}

/* ---- Writing ---- */

typedef struct {
    core_slice uid, primary_key;
} index_body;

static bool text_take(search_call *call, core_json_reader *reader, core_json_token token,
                      void *target, search_code code, const char *name) {
    core_slice whole;
    if (token.kind == CORE_JSON_NULL || search_json_string(token, call->arena, target))
        return true;
    return search_call_raw(call, reader, token, &whole) &&
           search_refuse(&call->refusal, code,
                         "Invalid value type at `.%s`: expected a string, but found `%.*s`", name,
                         whole.length < 200 ? (int)whole.length : 200, (const char *)whole.data);
}

static bool uid_take(search_call *call, core_json_reader *reader, core_json_token token,
                     void *target) {
    return text_take(call, reader, token, target, SEARCH_CODE_INVALID_INDEX_UID, "uid");
}

static bool primary_key_take(search_call *call, core_json_reader *reader, core_json_token token,
                             void *target) {
    return text_take(call, reader, token, target, SEARCH_CODE_INVALID_INDEX_PRIMARY_KEY,
                     "primaryKey");
}

static const search_member index_members[] = {
    {"uid", uid_take, offsetof(index_body, uid)},
    {"primaryKey", primary_key_take, offsetof(index_body, primary_key)},
};

static bool body_read(search_call *call, index_body *body) {
    *body = (index_body){0};
    return search_payload_is_json(call->request->content_type, &call->refusal) &&
           search_call_json(call) &&
           search_call_members(call, call->request->body, index_members,
                               CORE_COUNT_OF(index_members), body);
}

bool search_api_index_make(search_call *call) {
    index_body body;
    if (!body_read(call, &body))
        return false;
    if (body.uid.data == NULL)
        return search_refuse(&call->refusal, SEARCH_CODE_MISSING_INDEX_UID, "Missing field `uid`");
    if (!search_call_uid(call, body.uid))
        return false;
    if (!search_call_has(call, body.uid))
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY,
                             "The provided API key is invalid: it is for other indexes.");
    search_record record = {
        .kind = SEARCH_TASK_INDEX_CREATION, .index = body.uid, .primary_key = body.primary_key};
    return search_call_append(call, &record);
}

/* The key of the documents that the index has, in the arena; empty: it has none. */
static core_slice key_of_documents(search_call *call) {
    core_slice key = core_slice_make(NULL, 0);
    core_slice project = call->request->caller.project;
    search_open *open = search_registry_find(call->host->registry, project, call->parts[1]);
    if (open != NULL && search_backend_stats(search_open_backend(open)).documents > 0) {
        search_schema *schema = search_backend_schema_get(search_open_backend(open));
        key = core_arena_copy(call->arena, search_schema_get(schema)->primary_key);
        search_schema_release(schema);
    }
    search_open_release(open);
    return key;
}

/* Documents keep the key that they were named by; what refuses another one stands in the record, so
 * that every node says the same of the task. */
bool search_api_index_change(search_call *call) {
    index_body body;
    if (!search_call_uid(call, call->parts[1]) || !body_read(call, &body) ||
        !search_call_writable(call, call->parts[1]))
        return false;
    if (body.uid.data != NULL && !core_slice_equal(body.uid, call->parts[1]))
        return search_refuse(&call->refusal, SEARCH_CODE_FEATURE_NOT_ENABLED,
                             "An index keeps its name here: swap it with one of the other name.");
    search_record record = {
        .kind = SEARCH_TASK_INDEX_UPDATE, .index = call->parts[1], .primary_key = body.primary_key};
    if (body.primary_key.length > 0)
        record.body = key_of_documents(call);
    return search_call_append(call, &record);
}

bool search_api_index_remove(search_call *call) {
    search_record record = {.kind = SEARCH_TASK_INDEX_DELETION, .index = call->parts[1]};
    return search_call_uid(call, call->parts[1]) && search_call_writable(call, call->parts[1]) &&
           search_call_append(call, &record);
}

/* ---- Swaps ---- */

typedef struct {
    core_slice *indexes;
    size_t count;
    bool is_rename;
} swap_body;

static bool indexes_take(search_call *call, core_json_reader *reader, core_json_token token,
                         void *target) {
    core_slice whole;
    swap_body *body = target;
    return core_json_skip(reader, token, &whole) &&
           (search_json_strings(whole, call->arena, &body->indexes, &body->count) ||
            search_refuse(&call->refusal, SEARCH_CODE_INVALID_SWAP_INDEXES,
                          "Invalid value type at `.indexes`: expected an array of strings"));
}

static bool rename_take(search_call *call, core_json_reader *reader, core_json_token token,
                        void *target) {
    (void)reader;
    (void)target;
    return token.kind == CORE_JSON_FALSE || token.kind == CORE_JSON_NULL ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_SWAP_RENAME,
                         "An index keeps its name here; `rename` must be false.");
}

static const search_member swap_members[] = {
    {"indexes", indexes_take, 0},
    {"rename", rename_take, 0},
};

static bool swap_read(search_call *call, core_slice json, search_swap *swap) {
    swap_body body = {0};
    if (!search_call_members(call, json, swap_members, CORE_COUNT_OF(swap_members), &body))
        return false;
    if (body.count != 2)
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_SWAP_INDEXES,
                             "Two indexes must be given for each swap; the list has %zu.",
                             body.count);
    *swap = (search_swap){body.indexes[0], body.indexes[1]};
    return search_call_uid(call, swap->a) && search_call_uid(call, swap->b) &&
           search_call_writable(call, swap->a) && search_call_writable(call, swap->b);
}

/* Each index is in one swap at the most. */
static bool swaps_differ(search_call *call, const search_swap *swaps, size_t count) {
    for (size_t i = 0; i < count * 2; i++)
        for (size_t j = 0; j < i; j++) {
            core_slice a = i % 2 == 0 ? swaps[i / 2].a : swaps[i / 2].b;
            core_slice b = j % 2 == 0 ? swaps[j / 2].a : swaps[j / 2].b;
            if (core_slice_equal(a, b))
                return search_refuse(&call->refusal, SEARCH_CODE_INVALID_SWAP_DUPLICATE_INDEX_FOUND,
                                     "Indexes must be declared only once during a swap. `%.*s` was "
                                     "specified several times.",
                                     CORE_SLICE_ARGS(a));
        }
    return true;
}

bool search_api_index_swap(search_call *call) {
    search_swap swaps[SEARCH_SWAPS_MAX];
    size_t count = 0;
    core_slice whole;
    if (!search_payload_is_json(call->request->content_type, &call->refusal) ||
        !search_call_json(call))
        return false;
    core_json_reader reader = core_json_reader_make(call->request->body);
    core_json_token token = core_json_next(&reader);
    if (token.kind != CORE_JSON_ARRAY_OPEN)
        return search_refuse(&call->refusal, SEARCH_CODE_BAD_REQUEST,
                             "Invalid value type: expected an array");
    for (token = core_json_next(&reader); token.kind != CORE_JSON_ARRAY_CLOSE;
         token = core_json_next(&reader)) {
        if (count == SEARCH_SWAPS_MAX)
            return search_refuse(&call->refusal, SEARCH_CODE_INVALID_SWAP_INDEXES,
                                 "At most %d swaps are taken.", SEARCH_SWAPS_MAX);
        if (!core_json_skip(&reader, token, &whole) || !swap_read(call, whole, &swaps[count++]))
            return false;
    }
    search_record record = {.kind = SEARCH_TASK_INDEX_SWAP, .swaps = swaps, .swap_count = count};
    return swaps_differ(call, swaps, count) && search_call_append(call, &record);
}
