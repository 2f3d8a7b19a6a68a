/* Reading documents: /indexes/{uid}/documents. Whole, whatever is displayed; for administrators. */
#include "search-index/api.h"
#include "search-index/documents.h"
#include "search-index/payload.h"
#include "search-index/request.h"
#include "search-index/select.h"
#include "search-index/settings.h"

#include <stddef.h>

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 10000 };

/* An index that is open for reading. */
typedef struct {
    search_open *open;
    search_reader *reader;
} opened;

static bool index_open(search_call *call, opened *it) {
    core_error error;
    it->open = search_call_open(call, call->parts[1]);
    if (it->open == NULL)
        return false;
    it->reader = search_worker_reader(call->worker, it->open, &error);
    return it->reader != NULL || search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
}

/* ---- One ---- */

static bool document_missing(search_call *call, core_slice id) {
    return search_refuse(&call->refusal, SEARCH_CODE_DOCUMENT_NOT_FOUND,
                         "Document `%.*s` not found.", id.length < 200 ? (int)id.length : 200,
                         (const char *)id.data);
}

static bool vectors_refuse(search_call *call, const search_params *params) {
    bool flag = false;
    return search_params_bool(params, "retrieveVectors",
                              SEARCH_CODE_INVALID_DOCUMENT_RETRIEVE_VECTORS, &flag, &call->refusal);
}

bool search_api_document(search_call *call) {
    static const char *const names[] = {"fields", "retrieveVectors", NULL};
    search_params params;
    search_kept kept;
    search_select select = {0};
    core_error error;
    opened it = {0};
    core_slice *fields;
    if (!search_params_read(call->request->query, call->arena, &params, &call->refusal) ||
        !search_params_known(&params, names, &call->refusal) || !vectors_refuse(call, &params))
        return false;
    if (!search_params_list(&params, "fields", call->arena, &fields, &select.count))
        return search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the fields");
    select.names = fields;
    bool ok = index_open(call, &it);
    if (ok && !search_reader_get(it.reader, call->parts[3], &kept, &error))
        ok = search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
    if (ok && kept.id.data == NULL)
        ok = document_missing(call, call->parts[3]);
    if (ok)
        search_select_write(&select, kept.json, &call->json);
    search_open_release(it.open);
    return ok;
}

/* ---- Several ---- */

typedef struct {
    search_call *call;
    search_request request;
    search_select select;
    const core_slice *ids;
    size_t id_count;
    bool has_ids;
} documents;

static bool document_take(void *context, const search_kept *document) {
    documents *it = context;
    search_select_write(&it->select, document->json, &it->call->json);
    return core_buffer_ok(&it->call->reply->response.body);
}

/* Those of the ids that are there. */
static bool ids_list(documents *it, search_reader *reader, uint64_t *total, core_error *error) {
    search_kept kept;
    *total = 0;
    for (size_t i = 0; i < it->id_count; i++) {
        if (!search_reader_get(reader, it->ids[i], &kept, error))
            return false;
        if (kept.id.data == NULL)
            continue;
        bool is_shown =
            *total >= it->request.offset && *total - it->request.offset < it->request.limit;
        ++*total;
        if (is_shown && !document_take(it, &kept))
            return true;
    }
    return true;
}

static bool documents_list(documents *it, opened *index) {
    search_call *call = it->call;
    core_json_writer *json = &call->json;
    core_error error;
    uint64_t total = 0;
    core_json_object_open(json);
    core_json_key_text(json, "results");
    core_json_array_open(json);
    bool ok = it->has_ids ? ids_list(it, index->reader, &total, &error)
                          : search_reader_list(index->reader, &it->request, document_take, it,
                                               &total, &error);
    core_json_array_close(json);
    core_json_key_text(json, "offset");
    core_json_unsigned(json, it->request.offset);
    core_json_key_text(json, "limit");
    core_json_unsigned(json, it->request.limit);
    core_json_key_text(json, "total");
    core_json_unsigned(json, total);
    core_json_object_close(json);
    if (!ok)
        return search_refuse_error(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_FILTER, &error);
    return core_buffer_ok(&call->reply->response.body) ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_LIMIT,
                         "The documents are larger than %zu bytes: ask for fewer.",
                         call->reply->response.body.max_bytes);
}

static bool filter_check(search_call *call, const search_request *request,
                         const search_open *open) {
    core_error error;
    search_schema *schema = search_backend_schema_get(search_open_backend(open));
    bool ok = search_filter_check(call->arena, request->filter, schema, &error);
    search_schema_release(schema);
    return ok || search_refuse_error(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_FILTER, &error);
}

static bool documents_run(documents *it) {
    opened index = {0};
    bool ok = index_open(it->call, &index) &&
              (it->request.filter == NULL || filter_check(it->call, &it->request, index.open)) &&
              documents_list(it, &index);
    search_open_release(index.open);
    return ok;
}

static bool page_set(documents *it, uint64_t offset, uint64_t limit) {
    it->request.offset = offset < UINT32_MAX ? (uint32_t)offset : UINT32_MAX;
    it->request.limit = limit < LIMIT_MAX ? (uint32_t)limit : LIMIT_MAX;
    return true;
}

static bool filter_set(search_call *call, documents *it, core_slice json) {
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    core_error error;
    return search_filter_read(call->arena, json, &budget, &it->request.filter, &error) ||
           search_refuse_error(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_FILTER, &error);
}

static bool sort_refuse(search_call *call) {
    return search_refuse(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_SORT,
                         "Documents are listed in the order in which they came: search with `sort` "
                         "instead.");
}

bool search_api_documents(search_call *call) {
    static const char *const names[] = {"offset", "limit",  "fields", "retrieveVectors",
                                        "ids",    "filter", "sort",   NULL};
    documents it = {.call = call, .request = search_request_defaults()};
    search_params params;
    search_refusal *refusal = &call->refusal;
    uint64_t offset = 0, limit = LIMIT_DEFAULT;
    core_slice *fields, *ids;
    if (!search_params_read(call->request->query, call->arena, &params, refusal) ||
        !search_params_known(&params, names, refusal) || !vectors_refuse(call, &params) ||
        !search_params_number(&params, "offset", SEARCH_CODE_INVALID_DOCUMENT_OFFSET, &offset,
                              refusal) ||
        !search_params_number(&params, "limit", SEARCH_CODE_INVALID_DOCUMENT_LIMIT, &limit,
                              refusal))
        return false;
    if (!search_params_list(&params, "fields", call->arena, &fields, &it.select.count) ||
        !search_params_list(&params, "ids", call->arena, &ids, &it.id_count))
        return search_refuse(refusal, SEARCH_CODE_INTERNAL, "no memory for the fields");
    it.select.names = fields;
    it.ids = ids;
    it.has_ids = search_params_find(&params, "ids") != NULL;
    if (search_params_find(&params, "sort") != NULL)
        return sort_refuse(call);
    const core_slice *filter = search_params_find(&params, "filter");
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    core_error error;
    if (filter != NULL &&
        !search_filter_parse(call->arena, *filter, &budget, &it.request.filter, &error))
        return search_refuse_error(refusal, SEARCH_CODE_INVALID_DOCUMENT_FILTER, &error);
    return page_set(&it, offset, limit) && documents_run(&it);
}

/* ---- /documents/fetch ---- */

typedef struct {
    uint64_t offset, limit;
    core_slice filter, fields, ids, sort, vectors;
} fetch_body;

static bool number_refuse(search_call *call, search_code code, const char *name) {
    return search_refuse(&call->refusal, code,
                         "Invalid value type at `.%s`: expected a positive integer", name);
}

static bool offset_take(search_call *call, core_json_reader *reader, core_json_token token,
                        void *target) {
    (void)reader;
    return (token.kind == CORE_JSON_NUMBER && core_slice_to_u64(token.raw, target)) ||
           number_refuse(call, SEARCH_CODE_INVALID_DOCUMENT_OFFSET, "offset");
}

static bool limit_take(search_call *call, core_json_reader *reader, core_json_token token,
                       void *target) {
    (void)reader;
    return (token.kind == CORE_JSON_NUMBER && core_slice_to_u64(token.raw, target)) ||
           number_refuse(call, SEARCH_CODE_INVALID_DOCUMENT_LIMIT, "limit");
}

/* As if null had been left out. */
static bool raw_take(search_call *call, core_json_reader *reader, core_json_token token,
                     void *target) {
    core_slice ignored;
    return search_call_raw(call, reader, token, token.kind == CORE_JSON_NULL ? &ignored : target);
}

static const search_member fetch_members[] = {
    {"offset", offset_take, offsetof(fetch_body, offset)},
    {"limit", limit_take, offsetof(fetch_body, limit)},
    {"fields", raw_take, offsetof(fetch_body, fields)},
    {"filter", raw_take, offsetof(fetch_body, filter)},
    {"ids", raw_take, offsetof(fetch_body, ids)},
    {"sort", raw_take, offsetof(fetch_body, sort)},
    {"retrieveVectors", raw_take, offsetof(fetch_body, vectors)},
};

/* Strings, and numbers as they are written. */
static bool ids_read(search_call *call, core_slice json, documents *it) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token token = core_json_next(&reader);
    core_slice *ids = core_arena_array(call->arena, LIMIT_MAX, sizeof *ids);
    bool ok = ids != NULL && token.kind == CORE_JSON_ARRAY_OPEN;
    for (token = core_json_next(&reader);
         ok && (token.kind == CORE_JSON_STRING || token.kind == CORE_JSON_NUMBER);
         token = core_json_next(&reader)) {
        ok = it->id_count < LIMIT_MAX;
        core_slice id = token.raw;
        if (ok && token.kind == CORE_JSON_STRING)
            ok = search_json_string(token, call->arena, &id);
        if (ok)
            ids[it->id_count++] = id;
    }
    it->ids = ids;
    it->has_ids = true;
    return (ok && token.kind == CORE_JSON_ARRAY_CLOSE) ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_IDS,
                         "Invalid value at `.ids`: expected an array of at most %d identifiers",
                         LIMIT_MAX);
}

bool search_api_documents_fetch(search_call *call) {
    documents it = {.call = call, .request = search_request_defaults()};
    fetch_body body = {.limit = LIMIT_DEFAULT};
    core_slice *fields = NULL;
    if (!search_payload_is_json(call->request->content_type, &call->refusal) ||
        !search_call_json(call) ||
        !search_call_members(call, call->request->body, fetch_members, CORE_COUNT_OF(fetch_members),
                             &body))
        return false;
    if (body.sort.length > 0)
        return sort_refuse(call);
    if (body.fields.length > 0 &&
        !search_json_strings(body.fields, call->arena, &fields, &it.select.count))
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_FIELDS,
                             "Invalid value type at `.fields`: expected an array of strings");
    for (size_t i = 0; i < it.select.count; i++)
        if (core_slice_is(fields[i], "*"))
            it.select.count = 0;
    it.select.names = fields;
    return (body.filter.length == 0 || filter_set(call, &it, body.filter)) &&
           (body.ids.length == 0 || ids_read(call, body.ids, &it)) &&
           page_set(&it, body.offset, body.limit) && documents_run(&it);
}
