/* See call.h. */
#include "search-index/call.h"
#include "search-index/asked.h"
#include "search-index/rules.h"
#include "search-index/settings.h"
#include "search-index/task_show.h"

#include <stdio.h>

enum { ID_SIZE = FANOUT_IDEMPOTENCY_NAME_SIZE + 24 };

/* ---- Beginning ---- */

static bool path_split(search_call *call) {
    core_slice path = call->request->path;
    size_t at = 1;
    while (at < path.length) {
        const uint8_t *end = memchr(path.data + at, '/', path.length - at);
        size_t length = end != NULL ? (size_t)(end - path.data) - at : path.length - at;
        if (call->part_count == SEARCH_PATH_PARTS_MAX ||
            !search_percent_undo(core_slice_make(path.data + at, length), false, call->arena,
                                 &call->parts[call->part_count++]))
            return search_refuse(&call->refusal, SEARCH_CODE_BAD_REQUEST,
                                 "The path is not percent-encoded UTF-8, or too long.");
        at += length + 1;
    }
    return true;
}

bool search_call_begin(search_call *call, search_worker *worker, core_route_reply *reply) {
    search_host *host = search_worker_host(worker);
    *call = (search_call){.host = host,
                          .worker = worker,
                          .reply = reply,
                          .request = &reply->request,
                          .arena = search_worker_arena(worker),
                          .refusal = {.code = SEARCH_CODE_NONE},
                          .began_ns = host->spec.clock->monotonic_ns(host->spec.clock)};
    core_arena_reset(call->arena);
    call->json = core_json_writer_make(&reply->response.body);
    reply->response.content_type = "application/json";
    return path_split(call);
}

/* ---- Ending ---- */

static void refusal_answer(core_route_response *response, const search_refusal *refusal) {
    core_json_writer json = core_json_writer_make(&response->body);
    const search_code_row *row = search_code_look(refusal->code);
    core_buffer_reset(&response->body);
    response->status = row->status;
    response->content_type = "application/json";
    if (row->status == 503 || row->status == 429)
        (void)core_route_response_header(response, "Retry-After", "1");
    search_refusal_write(refusal, &json);
}

static void problem_answer(core_route_response *response, const search_refusal *refusal) {
    core_json_writer json = core_json_writer_make(&response->body);
    const search_code_row *row = search_code_look(refusal->code);
    core_buffer_reset(&response->body);
    response->status = row->status;
    response->content_type = "application/problem+json";
    core_route_problem_open(&json, row->status, refusal->message);
    core_json_key_text(&json, "code");
    core_json_text(&json, row->name);
    core_json_object_close(&json);
}

void search_call_refuse(core_route_reply *reply, const search_refusal *refusal) {
    refusal_answer(&reply->response, refusal);
    core_route_reply_send(reply);
}

void search_call_end(search_call *call, bool ok, bool is_problem) {
    core_route_response *response = &call->reply->response;
    if (!ok && is_problem)
        problem_answer(response, &call->refusal);
    else if (!ok)
        refusal_answer(response, &call->refusal);
    core_route_reply_send(call->reply);
}

/* ---- Indexes ---- */

bool search_call_project(search_call *call) {
    return core_slice_is(call->parts[2], "-") ||
           core_slice_equal(call->parts[2], call->request->caller.project) ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY,
                         "the credential is another project's");
}

static bool not_found(search_call *call, core_slice uid) {
    return search_refuse(&call->refusal, SEARCH_CODE_INDEX_NOT_FOUND, "Index `%.*s` not found.",
                         uid.length < 200 ? (int)uid.length : 200, (const char *)uid.data);
}

const search_entry *search_call_entry(search_call *call, core_slice uid) {
    const core_route_caller *caller = &call->request->caller;
    const search_entry *entry = search_catalog_find(call->host->catalog, caller->project, uid);
    if (entry != NULL && core_slice_equal(entry->environment, caller->environment))
        return entry;
    search_entry_release(entry);
    (void)not_found(call, uid);
    return NULL;
}

search_open *search_call_open(search_call *call, core_slice uid) {
    const search_entry *entry = search_call_entry(call, uid);
    if (entry == NULL)
        return NULL;
    search_open *open = search_registry_find(call->host->registry, entry->project, entry->uid);
    search_entry_release(entry);
    if (open == NULL)
        (void)search_refuse(&call->refusal, SEARCH_CODE_UNAVAILABLE,
                            "Index `%.*s` is being built; try again later.", CORE_SLICE_ARGS(uid));
    return open;
}

bool search_call_has(const search_call *call, core_slice uid) {
    return search_rules_has(call->request->caller.claims_json, uid);
}

bool search_call_uid(search_call *call, core_slice uid) {
    return search_uid_ok(uid) ||
           search_refuse(
               &call->refusal, SEARCH_CODE_INVALID_INDEX_UID,
               "`%.*s` is not a valid index uid. Index uid can be an integer or a string "
               "containing only alphanumeric characters, hyphens (-) and underscores (_), "
               "and can not be more than %d bytes.",
               uid.length < 200 ? (int)uid.length : 200, (const char *)uid.data, SEARCH_UID_MAX);
}

/* ---- Bodies ---- */

bool search_call_json(search_call *call) {
    core_slice body = call->request->body;
    if (body.length == 0)
        return search_refuse(&call->refusal, SEARCH_CODE_MISSING_PAYLOAD,
                             "A json payload is missing.");
    return core_json_valid(body) || search_refuse(&call->refusal, SEARCH_CODE_MALFORMED_PAYLOAD,
                                                  "The json payload provided is malformed.");
}

static bool member_unknown(search_call *call, core_slice key, const search_member *members,
                           size_t count) {
    char names[400] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s`%s`", i > 0 ? ", " : "",
                                 members[i].name);
    return search_refuse(&call->refusal, SEARCH_CODE_BAD_REQUEST,
                         "Unknown field `%.*s`: expected one of %s",
                         key.length < 100 ? (int)key.length : 100, (const char *)key.data, names);
}

bool search_call_members(search_call *call, core_slice json, const search_member *members,
                         size_t count, void *target) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token token = core_json_next(&reader);
    if (token.kind != CORE_JSON_OBJECT_OPEN)
        return search_refuse(&call->refusal, SEARCH_CODE_BAD_REQUEST,
                             "Invalid value type: expected an object");
    while (core_json_member_next(&reader, &token)) {
        size_t i = 0;
        while (i < count && !core_json_raw_is(token.key, members[i].name))
            i++;
        if (i == count)
            return member_unknown(call, token.key, members, count);
        if (!members[i].take(call, &reader, token, (uint8_t *)target + members[i].target))
            return false;
    }
    return true;
}

bool search_call_raw(search_call *call, core_json_reader *reader, core_json_token token,
                     void *target) {
    return core_json_skip(reader, token, target) ||
           search_refuse(&call->refusal, SEARCH_CODE_BAD_REQUEST, "the body is malformed");
}

bool search_call_ignored(search_call *call, core_json_reader *reader, core_json_token token,
                         void *target) {
    core_slice ignored;
    (void)target;
    return search_call_raw(call, reader, token, &ignored);
}

/* ---- Writing ---- */

bool search_call_writable(search_call *call, core_slice uid) {
    const search_entry *entry =
        search_catalog_find(call->host->catalog, call->request->caller.project, uid);
    bool is_table = entry != NULL && entry->is_table;
    search_entry_release(entry);
    return !is_table ||
           search_refuse(
               &call->refusal, SEARCH_CODE_INDEX_IS_OF_TABLES,
               "Index `%.*s` is made of tables by its definition: write to the tables, or "
               "change the definition.",
               CORE_SLICE_ARGS(uid));
}

static bool append_refuse(search_call *call, const core_error *error) {
    search_code code =
        error->code == CORE_ERROR_LIMIT ? SEARCH_CODE_PAYLOAD_TOO_LARGE : SEARCH_CODE_INTERNAL;
    return search_refuse_error(&call->refusal, code, error);
}

/* Of a request under an Idempotency-Key: who takes over a claim whose process died asks for the
 * same task, for as long as the stream remembers. NULL: it has no key. */
static const char *claim_id(const search_call *call, char id[ID_SIZE]) {
    const fanout_claim *claim = fanout_keyed_claim(call->reply);
    if (claim == NULL)
        return NULL;
    (void)snprintf(id, ID_SIZE, "%s %lld", claim->key.name, (long long)claim->began_us);
    return id;
}

bool search_call_append(search_call *call, search_record *record) {
    core_error error;
    uint64_t sequence;
    const core_route_caller *caller = &call->request->caller;
    record->project = caller->project;
    record->environment = caller->environment;
    record->at_us = core_clock_wall_us(call->host->spec.clock);
    char id[ID_SIZE];
    record->id = claim_id(call, id);
    search_log *log = search_worker_log(call->worker, &error);
    if (log == NULL || !search_log_append(log, record, &sequence, &error))
        return append_refuse(call, &error);
    search_task_view task = {.uid = sequence,
                             .type = search_task_type(record->kind),
                             .status = "enqueued",
                             .index = record->index,
                             .enqueued_us = record->at_us};
    search_asked_note(call->host->asked, sequence, record);
    call->reply->response.status = 202;
    search_task_view_brief(&task, &call->json);
    return true;
}
