/* See idempotency.h. */
#include "fanout/idempotency.h"

#include <stdio.h>

enum { TEXT_MAX = 64 * 1024 }; /* beyond a request's head */

static bool hash_text(fanout_digest digest_of, core_slice bytes,
                      char text[FANOUT_IDEMPOTENCY_NAME_SIZE]) {
    uint8_t digest[FANOUT_DIGEST_SIZE];
    bool ok = digest_of(bytes, digest);
    for (size_t i = 0; ok && i < sizeof digest; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return ok;
}

/* The project's place in it is the caller's own, which "-" means too: it counts as that. */
static void path_write(core_slice path, core_buffer *out) {
    static const char *const prefixes[] = {"/v1/projects/", "/search/v1/"};
    const char *prefix = NULL;
    for (size_t i = 0; i < CORE_COUNT_OF(prefixes); i++)
        if (core_slice_begins(path, core_slice_text(prefixes[i])))
            prefix = prefixes[i];
    if (prefix == NULL) {
        core_buffer_slice_append(out, path);
        return;
    }
    size_t from = strlen(prefix);
    const uint8_t *end = memchr(path.data + from, '/', path.length - from);
    size_t at = end != NULL ? (size_t)(end - path.data) : path.length;
    core_buffer_text(out, prefix);
    core_buffer_u8(out, '-');
    core_buffer_slice_append(out, core_slice_make(path.data + at, path.length - at));
}

/* But for the caller's credential, which may be a new one when it is asked again. */
static void query_write(core_slice query, core_buffer *out) {
    static const char credential[] = "apikey=";
    while (query.length > 0) {
        core_slice part = core_route_query_next(&query);
        if (part.length >= sizeof credential - 1 &&
            memcmp(part.data, credential, sizeof credential - 1) == 0)
            continue;
        core_buffer_u8(out, '&');
        core_buffer_slice_append(out, part);
    }
}

/* What was asked beside the path: its body, and its query where it has one. */
static bool asked_hash(const core_route_request *request, fanout_digest digest, core_buffer *text,
                       char hash[FANOUT_IDEMPOTENCY_NAME_SIZE]) {
    if (!hash_text(digest, request->body, hash))
        return false;
    core_buffer_reset(text);
    query_write(request->query, text);
    if (text->length == 0)
        return core_buffer_ok(text);
    core_buffer_text(text, hash);
    return core_buffer_ok(text) && hash_text(digest, core_buffer_slice(text), hash);
}

bool fanout_idempotency_of(const core_route_request *request, fanout_digest digest,
                           fanout_idempotency *idempotency, core_error *error) {
    core_buffer text;
    if (request->idempotency_key.length > FANOUT_IDEMPOTENCY_KEY_MAX)
        return core_error_set(error, CORE_ERROR_INPUT, "Idempotency-Key: at most %d bytes",
                              FANOUT_IDEMPOTENCY_KEY_MAX);
    core_buffer_init(&text, TEXT_MAX);
    path_write(request->path, &text);
    core_buffer_u8(&text, 0);
    const core_slice parts[] = {request->caller.project, request->caller.environment,
                                request->method, request->idempotency_key};
    for (size_t i = 0; i < CORE_COUNT_OF(parts); i++) {
        core_buffer_slice_append(&text, parts[i]);
        core_buffer_u8(&text, 0); /* none of them holds one */
    }
    bool ok = core_buffer_ok(&text) &&
              hash_text(digest, core_buffer_slice(&text), idempotency->name) &&
              asked_hash(request, digest, &text, idempotency->body);
    core_buffer_fini(&text);
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "no hash for an Idempotency-Key");
}

/* ---- Records ---- */

typedef struct {
    core_slice body, answer, headers;
    uint64_t status, claimed_us, began_us;
} idempotency_record;

static bool record_member(core_json_reader *reader, core_json_token member,
                          idempotency_record *record) {
    core_slice whole;
    if (core_json_raw_is(member.key, "body") && member.kind == CORE_JSON_STRING)
        record->body = member.raw;
    else if (core_json_raw_is(member.key, "headers") && member.kind == CORE_JSON_STRING)
        record->headers = member.raw;
    else if (core_json_raw_is(member.key, "status") && member.kind == CORE_JSON_NUMBER)
        return core_slice_to_u64(member.raw, &record->status);
    else if (core_json_raw_is(member.key, "claimed") && member.kind == CORE_JSON_NUMBER)
        return core_slice_to_u64(member.raw, &record->claimed_us);
    else if (core_json_raw_is(member.key, "began") && member.kind == CORE_JSON_NUMBER)
        return core_slice_to_u64(member.raw, &record->began_us);
    else if (core_json_raw_is(member.key, "answer"))
        return core_json_skip(reader, member, &record->answer);
    else
        return core_json_skip(reader, member, &whole);
    return true;
}

static bool record_read(core_slice text, idempotency_record *record) {
    core_json_token member;
    core_json_reader reader = core_json_envelope_reader_make(text);
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    *record = (idempotency_record){.status = 0};
    while (ok && core_json_member_next(&reader, &member))
        ok = record_member(&reader, member, record);
    return ok && core_json_next(&reader).kind == CORE_JSON_END && record->body.length > 0;
}

fanout_idempotency_found fanout_idempotency_look(const fanout_idempotency *idempotency,
                                                 core_slice record, int64_t now_us) {
    idempotency_record read;
    fanout_idempotency_found found = {.verdict = FANOUT_IDEMPOTENCY_FREE};
    if (!record_read(record, &read))
        return found;
    int64_t age_us = now_us - (int64_t)read.claimed_us;
    if (!core_slice_is(read.body, idempotency->body)) {
        found.verdict = FANOUT_IDEMPOTENCY_OTHER_BODY;
    } else if (read.status != 0) {
        found.verdict = FANOUT_IDEMPOTENCY_DONE;
        found.status = (unsigned)read.status;
        found.answer = read.answer;
        found.headers = read.headers;
    } else if (age_us < FANOUT_IDEMPOTENCY_STALE_MS * CORE_US_PER_MS) {
        found.verdict = FANOUT_IDEMPOTENCY_UNDER_WAY;
    } else {
        found.began_us = (int64_t)read.began_us;
    }
    return found;
}

void fanout_idempotency_claim(const fanout_idempotency *idempotency, int64_t began_us,
                              int64_t now_us, core_buffer *record) {
    core_json_writer json = core_json_writer_make(record);
    core_json_object_open(&json);
    core_json_key_text(&json, "body");
    core_json_text(&json, idempotency->body);
    core_json_key_text(&json, "began");
    core_json_signed(&json, began_us);
    core_json_key_text(&json, "claimed");
    core_json_signed(&json, now_us);
    core_json_object_close(&json);
}

void fanout_idempotency_done(const fanout_idempotency *idempotency,
                             const core_route_response *response, core_buffer *record) {
    core_json_writer json = core_json_writer_make(record);
    core_json_object_open(&json);
    core_json_key_text(&json, "body");
    core_json_text(&json, idempotency->body);
    core_json_key_text(&json, "status");
    core_json_unsigned(&json, response->status);
    core_json_key_text(&json, "headers");
    core_json_text(&json, response->headers);
    if (response->body.length > 0) {
        core_json_key_text(&json, "answer");
        core_json_raw(&json, core_buffer_slice(&response->body));
    }
    core_json_object_close(&json);
}

void fanout_idempotency_replay(const fanout_idempotency_found *found, core_route_reply *reply) {
    core_json_writer json = core_route_answer(reply, found->status);
    char *headers = reply->response.headers;
    core_buffer text = core_buffer_over(headers, CORE_ROUTE_HEADERS_MAX - 1);
    assert(found->verdict == FANOUT_IDEMPOTENCY_DONE);
    if (core_json_unescape(found->headers, &text))
        headers[text.length] = '\0';
    else
        headers[0] = '\0';
    (void)core_route_response_header(&reply->response, "Idempotency-Replayed", "true");
    if (found->answer.length > 0)
        core_json_raw(&json, found->answer);
}

unsigned fanout_idempotency_refusal(fanout_idempotency_verdict verdict, const char **detail) {
    bool is_under_way = verdict == FANOUT_IDEMPOTENCY_UNDER_WAY;
    assert(is_under_way || verdict == FANOUT_IDEMPOTENCY_OTHER_BODY);
    *detail = is_under_way
                  ? "a request with this Idempotency-Key is under way; try again"
                  : "this Idempotency-Key was used for another body or query; take a new key";
    return is_under_way ? 409 : 422;
}
