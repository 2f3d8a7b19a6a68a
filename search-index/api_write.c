/* Documents that are sent and removed: tasks of the search log. */
#include "search-index/api.h"
#include "search-index/documents.h"
#include "search-index/filter.h"
#include "search-index/payload.h"
#include "search-index/settings.h"

typedef struct {
    core_slice primary_key;
    char delimiter;
    bool skips_creation, has_delimiter;
} put_params;

static bool delimiter_read(search_call *call, const search_params *params, put_params *put) {
    const core_slice *value = search_params_find(params, "csvDelimiter");
    put->delimiter = ',';
    put->has_delimiter = value != NULL;
    if (value == NULL)
        return true;
    if (value->length == 1 && value->data[0] < 0x80) {
        put->delimiter = (char)value->data[0];
        return true;
    }
    return search_refuse(
        &call->refusal, SEARCH_CODE_INVALID_DOCUMENT_CSV_DELIMITER,
        "Invalid value in parameter `csvDelimiter`: csv delimiter must be an ascii "
        "character. Found: `%.*s`",
        value->length < 40 ? (int)value->length : 40, (const char *)value->data);
}

static bool params_read(search_call *call, put_params *put) {
    static const char *const names[] = {"primaryKey", "csvDelimiter", "customMetadata",
                                        "skipCreation", NULL};
    search_params params;
    *put = (put_params){0};
    if (!search_params_read(call->request->query, call->arena, &params, &call->refusal) ||
        !search_params_known(&params, names, &call->refusal) ||
        !delimiter_read(call, &params, put) ||
        !search_params_bool(&params, "skipCreation", SEARCH_CODE_INVALID_SKIP_CREATION,
                            &put->skips_creation, &call->refusal))
        return false;
    const core_slice *key = search_params_find(&params, "primaryKey");
    if (key != NULL)
        put->primary_key = *key;
    if (put->skips_creation)
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_SKIP_CREATION,
                             "`skipCreation` is not offered here.");
    return true;
}

bool search_api_documents_put(search_call *call) {
    put_params put;
    search_payload_kind kind;
    core_buffer body;
    size_t count;
    if (!search_call_uid(call, call->parts[1]) ||
        !search_payload_kind_find(call->request->content_type, &kind, &call->refusal) ||
        !params_read(call, &put) || !search_call_writable(call, call->parts[1]))
        return false;
    if (put.has_delimiter && kind != SEARCH_PAYLOAD_CSV)
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_CONTENT_TYPE,
                             "The Content-Type `%.*s` does not support the use of a csv delimiter. "
                             "The csv delimiter can only be used with the Content-Type `text/csv`.",
                             CORE_SLICE_ARGS(call->request->content_type));
    core_buffer_init(&body, SEARCH_PAYLOAD_MAX + 2);
    bool ok = search_payload_read(kind, call->request->body, put.delimiter, &body, &count,
                                  &call->refusal);
    bool is_update = core_slice_is(call->request->method, "PUT");
    search_record record = {.kind = is_update ? SEARCH_TASK_DOCUMENTS_UPDATE
                                              : SEARCH_TASK_DOCUMENTS_ADD,
                            .index = call->parts[1],
                            .primary_key = put.primary_key,
                            .body = core_buffer_slice(&body)};
    ok = ok && search_call_append(call, &record);
    core_buffer_fini(&body);
    return ok;
}

/* ---- Removing ---- */

/* What cannot be there is not removed: Meilisearch refuses it before it is a task. */
static bool removable(search_call *call) {
    return search_call_uid(call, call->parts[1]) && search_call_writable(call, call->parts[1]);
}

static bool remove_append(search_call *call, core_slice body) {
    search_record record = {
        .kind = SEARCH_TASK_DOCUMENTS_DELETE, .index = call->parts[1], .body = body};
    return search_call_append(call, &record);
}

bool search_api_documents_clear(search_call *call) {
    return removable(call) && remove_append(call, core_slice_text("{}"));
}

bool search_api_document_remove(search_call *call) {
    char text[SEARCH_ID_BYTES_MAX + 64];
    core_slice id = call->parts[3];
    core_buffer body = core_buffer_over(text, sizeof text);
    core_json_writer json = core_json_writer_make(&body);
    if (!removable(call))
        return false;
    if (!search_document_id_ok(id))
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_ID,
                             "Document identifier `%.*s` is invalid. A document identifier can be "
                             "of type integer or string, only composed of alphanumeric characters "
                             "(a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more "
                             "than %d bytes.",
                             id.length < 200 ? (int)id.length : 200, (const char *)id.data,
                             SEARCH_ID_BYTES_MAX);
    core_json_object_open(&json);
    core_json_key_text(&json, "ids");
    core_json_array_open(&json);
    core_json_string(&json, id);
    core_json_array_close(&json);
    core_json_object_close(&json);
    return remove_append(call, core_buffer_slice(&body));
}

/* An array of strings and numbers. */
static bool ids_check(search_call *call) {
    core_json_reader reader = core_json_reader_make(call->request->body);
    core_json_token token = core_json_next(&reader);
    if (token.kind != CORE_JSON_ARRAY_OPEN)
        return search_refuse(&call->refusal, SEARCH_CODE_BAD_REQUEST,
                             "Invalid value type: expected an array");
    do {
        token = core_json_next(&reader);
    } while (token.kind == CORE_JSON_STRING || token.kind == CORE_JSON_NUMBER);
    return token.kind == CORE_JSON_ARRAY_CLOSE ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_IDS,
                         "Document identifiers are strings and integers.");
}

bool search_api_documents_remove(search_call *call) {
    core_buffer body;
    if (!removable(call) || !search_payload_is_json(call->request->content_type, &call->refusal) ||
        !search_call_json(call) || !ids_check(call))
        return false;
    core_buffer_init(&body, call->request->body.length + 16);
    core_buffer_text(&body, "{\"ids\":");
    core_buffer_slice_append(&body, call->request->body);
    core_buffer_text(&body, "}");
    bool ok = remove_append(call, core_buffer_slice(&body));
    core_buffer_fini(&body);
    return ok;
}

static bool filter_take(search_call *call, core_json_reader *reader, core_json_token token,
                        void *target) {
    return core_json_skip(reader, token, target) ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_FILTER,
                         "Invalid value type at `.filter`");
}

/* The filter is read here too, so that one that can never be read is no task. */
bool search_api_documents_remove_by(search_call *call) {
    static const search_member members[] = {{"filter", filter_take, 0}};
    core_slice filter = core_slice_make(NULL, 0);
    search_filter_budget budget = SEARCH_FILTER_BUDGET;
    search_filter *tree = NULL;
    core_error error;
    if (!removable(call) || !search_payload_is_json(call->request->content_type, &call->refusal) ||
        !search_call_json(call) ||
        !search_call_members(call, call->request->body, members, CORE_COUNT_OF(members), &filter))
        return false;
    if (filter.length == 0)
        return search_refuse(&call->refusal, SEARCH_CODE_MISSING_DOCUMENT_FILTER,
                             "Missing field `filter`");
    if (!search_filter_read(call->arena, filter, &budget, &tree, &error))
        return search_refuse_error(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_FILTER, &error);
    if (tree == NULL)
        return search_refuse(&call->refusal, SEARCH_CODE_INVALID_DOCUMENT_FILTER,
                             "Sending an empty filter is forbidden.");
    return remove_append(call, call->request->body);
}
