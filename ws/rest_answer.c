/* See rest_answer.h. */
#include "ws/rest_answer.h"

#include <stdio.h>

#define ANSWER_MAX  ((size_t)2 << 20)
#define MESSAGE_MAX (WS_TOPIC_MAX + AUTH_REASON_MAX + 256)
#define RETRY_MAX   64

static void answer_send(const ws_rest_client *client, unsigned status, const char *extra,
                        const core_buffer *body) {
    const char *content_type = body->length == 0 ? NULL
                               : status == 429   ? "application/problem+json"
                                                 : "application/json";
    if (!core_buffer_ok(body))
        status = 500;
    if (client->request != NULL)
        ws_http_respond(client->request, status, content_type, extra, core_buffer_slice(body));
    else
        (void)ws_http_complete(client->service, client->handle, status, content_type, extra,
                               core_buffer_slice(body));
}

static core_json_writer answer_begin(core_buffer *body, const char *message) {
    core_buffer_init(body, ANSWER_MAX);
    core_json_writer json = core_json_writer_make(body);
    core_json_object_open(&json);
    core_json_key_text(&json, "message");
    core_json_text(&json, message);
    return json;
}

void ws_rest_refuse(const ws_rest_client *client, unsigned status, int64_t retry_s,
                    const char *message) {
    core_buffer body;
    char extra[RETRY_MAX] = "";
    core_buffer_init(&body, ANSWER_MAX);
    if (status == 429) /* a limit is a problem on every surface */
        ws_http_problem_append(&body, status, message, "message");
    else
        core_json_text_object(&body, "message", message);
    if (retry_s > 0)
        (void)snprintf(extra, sizeof extra, "Retry-After: %lld\r\n", (long long)retry_s);
    answer_send(client, status, extra, &body);
    core_buffer_fini(&body);
}

void ws_rest_refuse_request(const ws_rest_client *client, unsigned status,
                            const ws_rest_request *request) {
    core_buffer body;
    core_json_writer json = answer_begin(&body, request->detail);
    if (request->errors.length > 0 && core_buffer_ok(&request->errors)) {
        core_json_key_text(&json, "errors");
        core_json_raw(&json, core_buffer_slice(&request->errors));
    }
    core_json_object_close(&json);
    answer_send(client, status, "", &body);
    core_buffer_fini(&body);
}

/* What was left out, topic by topic. */
static void write_refused(core_json_writer *json, const ws_rest_rights *rights) {
    core_json_key_text(json, "refused");
    core_json_array_open(json);
    for (size_t i = 0; i < rights->count; i++) {
        const ws_rest_topic *topic = &rights->topics[i];
        if (topic->allowed)
            continue;
        core_json_object_open(json);
        core_json_key_text(json, "topic");
        core_json_string(json, ws_protocol_topic(topic->topic));
        core_json_key_text(json, "messages");
        core_json_unsigned(json, topic->messages);
        core_json_key_text(json, "reason");
        core_json_text(json, topic->reason);
        core_json_object_close(json);
    }
    core_json_array_close(json);
}

void ws_rest_tell(const ws_rest_client *client, const ws_rest_rights *rights, size_t sent) {
    core_buffer body;
    char message[MESSAGE_MAX];
    size_t refused = 0;
    const ws_rest_topic *first = NULL;
    for (size_t i = 0; i < rights->count; i++) {
        if (rights->topics[i].allowed)
            continue;
        refused += rights->topics[i].messages;
        first = first != NULL ? first : &rights->topics[i];
    }
    if (first == NULL) {
        core_buffer_init(&body, 1);
        answer_send(client, 202, "", &body);
        core_buffer_fini(&body);
        return;
    }
    (void)snprintf(message, sizeof message,
                   "%zu of %zu messages were not sent: you do not have permissions to write to "
                   "this Channel topic: %.*s (%s)",
                   refused, refused + sent, CORE_SLICE_ARGS(ws_protocol_topic(first->topic)),
                   first->reason);
    core_json_writer json = answer_begin(&body, message);
    write_refused(&json, rights);
    core_json_object_close(&json);
    answer_send(client, sent > 0 ? 202 : 403, "", &body);
    core_buffer_fini(&body);
}
