/* Reading a client's message; see protocol.h. Everything here comes from outside. */
#include "ws/protocol.h"

#define PUSH_KIND 3
#define PUSH_JSON 1 /* the encoding byte */

typedef struct {
    core_buffer *scratch;
    const char *reason;
} protocol_reader;

static bool read_refuse(protocol_reader *reader, const char *reason) {
    reader->reason = reason;
    return false;
}

/* Where what is appended next will stand. The buffer was reserved whole, so it does not move. */
static const uint8_t *scratch_end(const protocol_reader *reader) {
    return reader->scratch->data + reader->scratch->length;
}

static core_slice scratch_since(const protocol_reader *reader, const uint8_t *start) {
    return core_slice_make(start, (size_t)(scratch_end(reader) - start));
}

static bool read_text(protocol_reader *reader, core_json_token token, size_t max, core_slice *text,
                      const char *reason) {
    if (token.kind != CORE_JSON_STRING || token.raw.length > 6 * max)
        return read_refuse(reader, reason);
    const uint8_t *start = scratch_end(reader);
    if (!core_json_unescape(token.raw, reader->scratch))
        return read_refuse(reader, reason);
    *text = scratch_since(reader, start);
    return text->length <= max || read_refuse(reader, reason);
}

static bool read_ref(protocol_reader *reader, core_json_reader *json, core_json_token token,
                     core_slice *ref) {
    bool allowed = token.kind == CORE_JSON_STRING || token.kind == CORE_JSON_NUMBER ||
                   token.kind == CORE_JSON_NULL;
    if (!allowed || !core_json_skip(json, token, ref) || ref->length > WS_REF_MAX)
        return read_refuse(reader, "a ref must be a short string, a number or null");
    return true;
}

static bool read_payload(protocol_reader *reader, core_json_reader *json, core_json_token token,
                         core_slice *payload) {
    if (!core_json_skip(json, token, payload))
        return read_refuse(reader, "the payload is not JSON");
    return true;
}

static bool read_topic(protocol_reader *reader, core_json_token token, ws_message *message) {
    return read_text(reader, token, WS_TOPIC_MAX, &message->topic,
                     "the topic must be a string of at most 1024 bytes");
}

static bool read_event(protocol_reader *reader, core_json_token token, ws_message *message) {
    return read_text(reader, token, WS_EVENT_MAX, &message->event,
                     "the event must be a string of at most 255 bytes");
}

static bool read_end(protocol_reader *reader, core_json_reader *json) {
    return core_json_next(json).kind == CORE_JSON_END ||
           read_refuse(reader, "something follows the message");
}

/* [join_ref, ref, topic, event, payload] */
static bool read_array(protocol_reader *reader, core_slice text, ws_message *message) {
    core_json_reader json = core_json_reader_make(text);
    if (core_json_next(&json).kind != CORE_JSON_ARRAY_OPEN)
        return read_refuse(reader, "a message is [join_ref, ref, topic, event, payload]");
    return read_ref(reader, &json, core_json_next(&json), &message->join_ref) &&
           read_ref(reader, &json, core_json_next(&json), &message->ref) &&
           read_topic(reader, core_json_next(&json), message) &&
           read_event(reader, core_json_next(&json), message) &&
           read_payload(reader, &json, core_json_next(&json), &message->payload) &&
           (core_json_next(&json).kind == CORE_JSON_ARRAY_CLOSE ||
            read_refuse(reader, "a message has five elements")) &&
           read_end(reader, &json);
}

static bool read_member(protocol_reader *reader, core_json_reader *json, core_json_token token,
                        ws_message *message) {
    core_slice ignored;
    if (core_json_raw_is(token.key, "topic"))
        return read_topic(reader, token, message);
    if (core_json_raw_is(token.key, "event"))
        return read_event(reader, token, message);
    if (core_json_raw_is(token.key, "ref"))
        return read_ref(reader, json, token, &message->ref);
    if (core_json_raw_is(token.key, "join_ref"))
        return read_ref(reader, json, token, &message->join_ref);
    return read_payload(reader, json, token,
                        core_json_raw_is(token.key, "payload") ? &message->payload : &ignored);
}

/* {"topic": ..., "event": ..., "payload": ..., "ref": ..., "join_ref": ...} */
static bool read_object(protocol_reader *reader, core_slice text, ws_message *message) {
    core_json_reader json = core_json_reader_make(text);
    if (core_json_next(&json).kind != CORE_JSON_OBJECT_OPEN)
        return read_refuse(reader, "a message is an object with topic, event, payload and ref");
    for (;;) {
        core_json_token token = core_json_next(&json);
        if (token.kind == CORE_JSON_OBJECT_CLOSE)
            break;
        if (token.kind == CORE_JSON_INVALID)
            return read_refuse(reader, "the message is not JSON");
        if (reader->scratch->length > WS_PROTOCOL_SCRATCH / 2) /* the same key again and again */
            return read_refuse(reader, "the message repeats its members");
        if (!read_member(reader, &json, token, message))
            return false;
    }
    if (message->topic.data == NULL || message->event.data == NULL)
        return read_refuse(reader, "topic or event is missing");
    return read_end(reader, &json);
}

/* A ref of a binary push, made JSON; an empty one is null. */
static core_slice push_ref(protocol_reader *reader, core_slice bytes) {
    if (bytes.length == 0)
        return ws_protocol_null;
    const uint8_t *start = scratch_end(reader);
    core_json_writer json = core_json_writer_make(reader->scratch);
    core_json_string(&json, bytes);
    return scratch_since(reader, start);
}

/* 03 | lengths of join_ref, ref, topic, event, metadata | encoding | those five | payload */
static bool read_push(protocol_reader *reader, core_slice bytes, ws_message *message) {
    core_cursor cursor = core_cursor_make(bytes);
    uint8_t kind = core_cursor_u8(&cursor);
    core_slice lengths = core_cursor_bytes(&cursor, 5);
    uint8_t encoding = core_cursor_u8(&cursor);
    if (!core_cursor_ok(&cursor) || kind != PUSH_KIND || encoding > PUSH_JSON)
        return read_refuse(reader, "a binary message must be a broadcast push (kind 3)");
    core_slice join_ref = core_cursor_bytes(&cursor, lengths.data[0]);
    core_slice ref = core_cursor_bytes(&cursor, lengths.data[1]);
    message->topic = core_cursor_bytes(&cursor, lengths.data[2]);
    message->push_event = core_cursor_bytes(&cursor, lengths.data[3]);
    message->push_metadata = core_cursor_bytes(&cursor, lengths.data[4]);
    message->payload = core_cursor_rest(&cursor);
    if (!core_cursor_ok(&cursor))
        return read_refuse(reader, "the binary message is shorter than its lengths say");
    if (join_ref.length > WS_REF_MAX || ref.length > WS_REF_MAX)
        return read_refuse(reader, "a ref must be short");
    if (!core_utf8_valid(message->topic) || !core_utf8_valid(message->push_event))
        return read_refuse(reader, "topic and event must be UTF-8");
    message->binary = true;
    message->push_json = encoding == PUSH_JSON;
    message->event = core_slice_text("broadcast");
    message->join_ref = push_ref(reader, join_ref);
    message->ref = push_ref(reader, ref);
    if (message->push_json && !core_json_valid(message->payload))
        return read_refuse(reader, "the payload is not JSON");
    return true;
}

bool ws_protocol_read(ws_protocol protocol, bool binary, core_slice payload, core_buffer *scratch,
                      ws_message *message, const char **reason) {
    protocol_reader reader = {.scratch = scratch, .reason = "out of memory"};
    *message = (ws_message){
        .join_ref = ws_protocol_null, .ref = ws_protocol_null, .payload = core_slice_text("{}")};
    core_buffer_reset(scratch);
    bool ok = core_buffer_reserve(scratch, WS_PROTOCOL_SCRATCH) != NULL;
    if (ok && binary && protocol == WS_PROTOCOL_1)
        ok = read_refuse(&reader, "binary messages need vsn=2.0.0");
    else if (ok && binary)
        ok = read_push(&reader, payload, message);
    else if (ok && protocol == WS_PROTOCOL_1)
        ok = read_object(&reader, payload, message);
    else if (ok)
        ok = read_array(&reader, payload, message);
    *reason = reader.reason;
    return ok && core_buffer_ok(scratch);
}
