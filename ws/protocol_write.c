/* Writing the server's messages; see protocol.h. */
#include "ws/protocol.h"

#include "ws/frame.h"

#include <inttypes.h>
#include <stdio.h>

#define MESSAGE_EXTRA_MAX 65536 /* of a message without its payload */

const core_slice ws_protocol_null = {.data = (const uint8_t *)"null", .length = 4};

static core_block *text_frame(core_buffer *text) {
    core_slice part = core_buffer_slice(text);
    core_block *block = core_buffer_ok(text) ? ws_frame_block(WS_FRAME_TEXT, &part, 1) : NULL;
    core_buffer_fini(text);
    return block;
}

static void write_array(core_json_writer *json, core_slice join_ref, core_slice ref,
                        core_slice topic, const char *event, core_slice payload) {
    core_json_array_open(json);
    core_json_raw(json, join_ref);
    core_json_raw(json, ref);
    core_json_string(json, topic);
    core_json_text(json, event);
    core_json_raw(json, payload);
    core_json_array_close(json);
}

static void write_object(core_json_writer *json, core_slice ref, core_slice topic,
                         const char *event, core_slice payload) {
    core_json_object_open(json);
    core_json_key_text(json, "topic");
    core_json_string(json, topic);
    core_json_key_text(json, "event");
    core_json_text(json, event);
    core_json_key_text(json, "payload");
    core_json_raw(json, payload);
    core_json_key_text(json, "ref");
    core_json_raw(json, ref);
    core_json_object_close(json);
}

core_block *ws_protocol_message(ws_protocol protocol, core_slice join_ref, core_slice ref,
                                core_slice topic, const char *event, core_slice payload) {
    core_buffer text;
    core_buffer_init(&text, payload.length + MESSAGE_EXTRA_MAX);
    core_json_writer json = core_json_writer_make(&text);
    if (protocol == WS_PROTOCOL_1)
        write_object(&json, ref, topic, event, payload);
    else
        write_array(&json, join_ref, ref, topic, event, payload);
    return text_frame(&text);
}

/* The message of a payload that was written into `payload`, which is freed. */
static core_block *message_of(ws_protocol protocol, core_slice join_ref, core_slice ref,
                              core_slice topic, const char *event, core_buffer *payload) {
    core_block *block =
        core_buffer_ok(payload)
            ? ws_protocol_message(protocol, join_ref, ref, topic, event, core_buffer_slice(payload))
            : NULL;
    core_buffer_fini(payload);
    return block;
}

core_block *ws_protocol_reply(ws_protocol protocol, core_slice join_ref, core_slice ref,
                              core_slice topic, bool ok, core_slice response) {
    core_buffer payload;
    core_buffer_init(&payload, response.length + MESSAGE_EXTRA_MAX);
    core_json_writer json = core_json_writer_make(&payload);
    core_json_object_open(&json);
    core_json_key_text(&json, "status");
    core_json_text(&json, ok ? "ok" : "error");
    core_json_key_text(&json, "response");
    core_json_raw(&json, response);
    core_json_object_close(&json);
    return message_of(protocol, join_ref, ref, topic, "phx_reply", &payload);
}

core_block *ws_protocol_refusal(ws_protocol protocol, core_slice join_ref, core_slice ref,
                                core_slice topic, const char *reason) {
    core_buffer response;
    core_buffer_init(&response, MESSAGE_EXTRA_MAX);
    core_json_text_object(&response, "reason", reason);
    core_block *block =
        core_buffer_ok(&response)
            ? ws_protocol_reply(protocol, join_ref, ref, topic, false, core_buffer_slice(&response))
            : NULL;
    core_buffer_fini(&response);
    return block;
}

core_slice ws_protocol_topic(core_slice topic) {
    static const char prefix[] = "realtime:";
    size_t length = sizeof prefix - 1;
    topic = ws_topic_plain(topic);
    if (topic.length < length || memcmp(topic.data, prefix, length) != 0)
        return topic;
    return core_slice_make(topic.data + length, topic.length - length);
}

/* `more`: members that only some have, as JSON with a comma in front, or "". */
static core_block *system_message(ws_protocol protocol, core_slice join_ref, core_slice topic,
                                  const char *extension, bool ok, const char *text,
                                  const char *more) {
    core_buffer payload;
    core_buffer_init(&payload, MESSAGE_EXTRA_MAX);
    core_json_writer json = core_json_writer_make(&payload);
    core_json_object_open(&json);
    core_json_key_text(&json, "message");
    core_json_text(&json, text);
    core_json_key_text(&json, "status");
    core_json_text(&json, ok ? "ok" : "error");
    core_json_key_text(&json, "extension");
    core_json_text(&json, extension);
    core_json_key_text(&json, "channel");
    core_json_string(&json, ws_protocol_topic(topic));
    core_buffer_text(&payload, more);
    core_json_object_close(&json);
    return message_of(protocol, join_ref, ws_protocol_null, topic, "system", &payload);
}

core_block *ws_protocol_system(ws_protocol protocol, core_slice join_ref, core_slice topic,
                               const char *extension, bool ok, const char *text) {
    return system_message(protocol, join_ref, topic, extension, ok, text, "");
}

core_block *ws_protocol_subscribed(ws_protocol protocol, core_slice join_ref, core_slice topic,
                                   const char *offset) {
    char more[CORE_OFFSET_TEXT_SIZE + 16] = "";
    if (offset[0] != '\0')
        (void)snprintf(more, sizeof more, ",\"offset\":\"%s\"", offset);
    return system_message(protocol, join_ref, topic, "postgres_changes", true,
                          "Subscribed to PostgreSQL", more);
}

core_block *ws_protocol_expiry(ws_protocol protocol, core_slice join_ref, core_slice topic, bool ok,
                               const char *text, int64_t expires_s) {
    char more[48];
    (void)snprintf(more, sizeof more, ",\"expires_at\":%" PRId64, expires_s);
    return system_message(protocol, join_ref, topic, "system", ok, text, more);
}

core_block *ws_protocol_loaded(ws_protocol protocol, core_slice join_ref, core_slice topic,
                               uint64_t rows) {
    char more[32];
    (void)snprintf(more, sizeof more, ",\"rows\":%" PRIu64, rows);
    return system_message(protocol, join_ref, topic, "postgres_changes", true, "Snapshot complete",
                          more);
}

/* ---- Changes ---- */

void ws_protocol_change_head(ws_protocol protocol, core_slice topic, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_buffer_text(out, protocol == WS_PROTOCOL_1 ? "{\"topic\":" : "[null,null,");
    core_json_string(&json, topic);
    core_buffer_text(out, protocol == WS_PROTOCOL_1
                              ? ",\"event\":\"postgres_changes\",\"payload\":{\"ids\":"
                              : ",\"postgres_changes\",{\"ids\":");
}

const char *ws_protocol_change_tail(ws_protocol protocol) {
    return protocol == WS_PROTOCOL_1 ? "},\"ref\":null}" : "}]";
}
