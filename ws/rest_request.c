/* See rest_request.h. */
#include "ws/rest_request.h"

#include "ws/http_head.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TOPIC_PREFIX  "realtime:"
#define TOPIC_MAX     (WS_TOPIC_MAX - (sizeof TOPIC_PREFIX - 1))
#define NAME_MAX_BIN  255 /* of a binary frame's topic, prefix included */
#define VALUE_MAX     32  /* of a parameter's key or value, decoded */
#define ERRORS_MAX    ((size_t)1 << 20)
#define MESSAGES_NONE "can't be blank" /* Ecto's words */

/* ---- Refusals ---- */

/* The first counts; returns `status`. */
static unsigned refuse(ws_rest_request *request, unsigned status, const char *format, ...)
    CORE_PRINTF(3, 4);

static unsigned refuse(ws_rest_request *request, unsigned status, const char *format, ...) {
    if (request->detail[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(request->detail, sizeof request->detail, format, arguments);
        va_end(arguments);
    }
    return status;
}

static unsigned refuse_memory(ws_rest_request *request) {
    request->detail[0] = '\0';
    return refuse(request, 500, "out of memory");
}

static void write_error(core_json_writer *json, const char *field, const char *problem) {
    core_json_key_text(json, field);
    core_json_array_open(json);
    core_json_text(json, problem);
    core_json_array_close(json);
}

/* A refusal of one field of the request itself. */
static unsigned refuse_field(ws_rest_request *request, const char *field, const char *problem) {
    core_buffer_reset(&request->errors);
    core_json_writer json = core_json_writer_make(&request->errors);
    core_json_object_open(&json);
    write_error(&json, field, problem);
    core_json_object_close(&json);
    return refuse(request, 422, "%s %s", field, problem);
}

/* ---- Messages ---- */

static void request_init(ws_rest_request *request) {
    *request = (ws_rest_request){.count = 0};
    core_buffer_init(&request->errors, ERRORS_MAX);
}

static bool request_room(ws_rest_request *request, size_t count) {
    request->messages = calloc(count, sizeof(ws_broadcast *));
    return request->messages != NULL;
}

static bool request_keep(ws_rest_request *request, const ws_broadcast *broadcast) {
    request->messages[request->count] = ws_broadcast_copy(broadcast);
    if (request->messages[request->count] == NULL)
        return false;
    request->count++;
    return true;
}

void ws_rest_request_fini(ws_rest_request *request) {
    for (size_t i = 0; i < request->count; i++)
        free(request->messages[i]);
    free(request->messages);
    request->messages = NULL;
    request->count = 0;
    core_buffer_fini(&request->errors);
}

/* NULL: it can be a name of at most `max` bytes. */
static const char *name_problem(const core_buffer *name, size_t prefix, size_t max) {
    core_slice text = core_buffer_slice(name);
    if (!core_buffer_ok(name))
        return "is too long";
    if (text.length == prefix)
        return "can't be blank";
    if (memchr(text.data, '\0', text.length) != NULL || !core_utf8_valid(text))
        return "is invalid";
    return text.length > prefix + max ? "is too long" : NULL;
}

/* ---- A batch ---- */

typedef struct {
    ws_rest_request *request;
    size_t payload_max;
    core_json_writer errors;
    core_buffer topic, event;
    unsigned status; /* 0: none is refused yet */
} batch_reader;

/* What a message of it says, as it stands in the body; kind 0: not given. */
typedef struct {
    core_json_token topic, event, private_channel, persist;
    core_json_kind payload_kind;
    core_slice payload;
} batch_message;

static void batch_error(batch_reader *reader, size_t index, unsigned status, const char *field,
                        const char *problem) {
    write_error(&reader->errors, field, problem);
    (void)refuse(reader->request, status, "messages[%zu]: %s %s", index, field, problem);
    if (status > reader->status) /* 422 before 413 */
        reader->status = status;
}

static bool batch_member(core_json_reader *json, const core_json_token *member,
                         batch_message *message) {
    core_slice whole;
    if (!core_json_skip(json, *member, &whole))
        return false;
    if (core_json_raw_is(member->key, "topic")) {
        message->topic = *member;
    } else if (core_json_raw_is(member->key, "event")) {
        message->event = *member;
    } else if (core_json_raw_is(member->key, "private")) {
        message->private_channel = *member;
    } else if (core_json_raw_is(member->key, "persist")) {
        message->persist = *member;
    } else if (core_json_raw_is(member->key, "payload")) {
        message->payload_kind = member->kind;
        message->payload = whole;
    }
    return true;
}

/* The name behind what `out` holds already. NULL: it is one. */
static const char *batch_name(const core_json_token *token, size_t max, core_buffer *out) {
    size_t prefix = out->length;
    if (token->kind == CORE_JSON_INVALID || token->kind == CORE_JSON_NULL)
        return "can't be blank";
    if (token->kind != CORE_JSON_STRING)
        return "is invalid";
    if (!core_json_unescape(token->raw, out) && core_buffer_ok(out))
        return "is invalid";
    return name_problem(out, prefix, max);
}

/* False: it is no boolean. Absent and null are false. */
static bool batch_bool(const core_json_token *token, bool *value) {
    *value = core_json_is_true(*token);
    return *value || token->kind == CORE_JSON_INVALID || token->kind == CORE_JSON_NULL ||
           token->kind == CORE_JSON_FALSE ||
           (token->kind == CORE_JSON_STRING && core_json_raw_is(token->raw, "false"));
}

static void batch_check_payload(batch_reader *reader, size_t index, const batch_message *message) {
    char problem[64];
    if (message->payload_kind == CORE_JSON_INVALID || message->payload_kind == CORE_JSON_NULL) {
        batch_error(reader, index, 422, "payload", "can't be blank");
    } else if (message->payload.length > reader->payload_max) {
        (void)snprintf(problem, sizeof problem, "has more than %zu bytes", reader->payload_max);
        batch_error(reader, index, 413, "payload", problem);
    }
}

/* False: memory is out. */
static bool batch_take(batch_reader *reader, size_t index, const batch_message *message) {
    ws_broadcast broadcast = {.json = true, .payload = message->payload};
    bool persist;
    core_buffer_reset(&reader->topic);
    core_buffer_reset(&reader->event);
    core_buffer_text(&reader->topic, TOPIC_PREFIX);
    const char *topic = batch_name(&message->topic, TOPIC_MAX, &reader->topic);
    const char *event = batch_name(&message->event, WS_EVENT_MAX, &reader->event);
    core_json_object_open(&reader->errors);
    if (topic != NULL)
        batch_error(reader, index, 422, "topic", topic);
    batch_check_payload(reader, index, message);
    if (event != NULL)
        batch_error(reader, index, 422, "event", event);
    if (!batch_bool(&message->private_channel, &broadcast.private_channel))
        batch_error(reader, index, 422, "private", "is invalid");
    if (!batch_bool(&message->persist, &persist) || persist)
        batch_error(reader, index, 422, "persist",
                    "is not for batches: send it to /api/broadcast/TOPIC/events/EVENT");
    core_json_object_close(&reader->errors);
    broadcast.topic = core_buffer_slice(&reader->topic);
    broadcast.event = core_buffer_slice(&reader->event);
    return reader->status != 0 || request_keep(reader->request, &broadcast);
}

static unsigned batch_end(batch_reader *reader) {
    core_json_array_close(&reader->errors);
    core_json_object_close(&reader->errors);
    if (reader->status == 0)
        core_buffer_reset(&reader->request->errors);
    return reader->status;
}

/* Objects of the array, whose opening was taken. 0, or a status that ends the reading. */
static unsigned batch_messages(batch_reader *reader, core_json_reader *json) {
    for (size_t index = 0;; index++) {
        core_json_token token = core_json_next(json), member;
        if (token.kind == CORE_JSON_ARRAY_CLOSE && index == 0)
            return refuse_field(reader->request, "messages", MESSAGES_NONE);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            return batch_end(reader);
        if (index == WS_REST_MESSAGES_MAX)
            return refuse_field(reader->request, "messages", "should have at most 1000 item(s)");
        if (token.kind != CORE_JSON_OBJECT_OPEN)
            return refuse_field(reader->request, "messages", "is invalid");
        batch_message message = {.payload_kind = CORE_JSON_INVALID};
        while (core_json_member_next(json, &member))
            if (!batch_member(json, &member, &message))
                return refuse(reader->request, 400, "the body is not JSON");
        if (!batch_take(reader, index, &message))
            return refuse_memory(reader->request);
    }
}

/* The array; its text is valid JSON. */
static unsigned batch_array(ws_rest_request *request, core_slice array, size_t payload_max) {
    batch_reader reader = {.request = request, .payload_max = payload_max};
    core_json_reader json = core_json_reader_make(array);
    if (core_json_next(&json).kind != CORE_JSON_ARRAY_OPEN)
        return refuse_field(request, "messages", "is invalid");
    if (!request_room(request, WS_REST_MESSAGES_MAX))
        return refuse_memory(request);
    core_buffer_init(&reader.topic, WS_TOPIC_MAX);
    core_buffer_init(&reader.event, WS_EVENT_MAX);
    reader.errors = core_json_writer_make(&request->errors);
    core_json_object_open(&reader.errors);
    core_json_key_text(&reader.errors, "messages");
    core_json_array_open(&reader.errors);
    unsigned status = batch_messages(&reader, &json);
    core_buffer_fini(&reader.topic);
    core_buffer_fini(&reader.event);
    return status;
}

unsigned ws_rest_request_batch(ws_rest_request *request, core_slice body, size_t payload_max) {
    request_init(request);
    if (!core_json_valid(body))
        return refuse(request, 400, "the body is not JSON");
    core_json_reader json = core_json_reader_make(body);
    core_json_token member;
    core_slice whole, messages = core_slice_make(NULL, 0);
    if (core_json_next(&json).kind == CORE_JSON_OBJECT_OPEN)
        while (core_json_member_next(&json, &member) && core_json_skip(&json, member, &whole))
            if (core_json_raw_is(member.key, "messages") && member.kind != CORE_JSON_NULL)
                messages = whole;
    if (messages.length == 0)
        return refuse_field(request, "messages", MESSAGES_NONE);
    return batch_array(request, messages, payload_max);
}

/* ---- One message ---- */

/* Undoes a path segment's percent-encoding, once; a plus is a plus there. */
static bool segment_decode(core_slice text, core_buffer *out) {
    core_cursor cursor = core_cursor_make(text);
    while (core_cursor_left(&cursor) > 0) {
        uint8_t byte = core_cursor_u8(&cursor);
        if (byte == '%') {
            int high = core_hex_digit(core_cursor_u8(&cursor));
            int low = core_hex_digit(core_cursor_u8(&cursor));
            if (high < 0 || low < 0)
                return false;
            byte = (uint8_t)(high * 16 + low);
        }
        core_buffer_u8(out, byte);
    }
    return true;
}

static core_slice segment_next(core_slice *path) {
    const uint8_t *slash = path->length > 0 ? memchr(path->data, '/', path->length) : NULL;
    core_slice segment = *path;
    if (slash == NULL) {
        *path = core_slice_make(NULL, 0);
        return segment;
    }
    segment.length = (size_t)(slash - path->data);
    *path = core_slice_make(slash + 1, path->length - segment.length - 1);
    return segment;
}

static unsigned single_name(ws_rest_request *request, const char *field, core_slice segment,
                            size_t max, core_buffer *out) {
    size_t prefix = out->length;
    const char *problem =
        segment_decode(segment, out) ? name_problem(out, prefix, max) : "is invalid";
    return problem == NULL ? 0 : refuse_field(request, field, problem);
}

/* TOPIC/events/EVENT */
static unsigned single_path(ws_rest_request *request, core_slice path, core_buffer *topic,
                            core_buffer *event) {
    core_slice first = segment_next(&path);
    bool events = core_slice_is(segment_next(&path), "events") && path.data != NULL;
    core_slice last = segment_next(&path);
    if (!events || path.data != NULL)
        return refuse(request, 404,
                      "nothing is served at this path; it is /realtime/v1/api/broadcast/TOPIC/"
                      "events/EVENT, with slashes within TOPIC and EVENT as %%2F");
    core_buffer_text(topic, TOPIC_PREFIX);
    unsigned status = single_name(request, "topic", first, TOPIC_MAX, topic);
    return status != 0 ? status : single_name(request, "event", last, WS_EVENT_MAX, event);
}

static bool value_bool(core_slice value, bool *is) {
    *is = core_slice_is(value, "true");
    return *is || core_slice_is(value, "false");
}

static unsigned single_parameter(ws_rest_request *request, core_slice key, core_slice value,
                                 int64_t now_us, ws_broadcast *broadcast) {
    uint64_t ttl_s;
    if (core_slice_is(key, "private"))
        return value_bool(value, &broadcast->private_channel)
                   ? 0
                   : refuse_field(request, "private", "must be true or false");
    if (core_slice_is(key, "persist"))
        return value_bool(value, &broadcast->stored)
                   ? 0
                   : refuse_field(request, "persist", "must be true or false");
    if (!core_slice_is(key, "persist[ttl]"))
        return 0; /* realtime-js puts its socket's parameters here too */
    if (!core_slice_to_u64(value, &ttl_s) || ttl_s == 0 || ttl_s > WS_REST_TTL_MAX_S)
        return refuse_field(request, "persist[ttl]", "must be a number of seconds");
    broadcast->stored = true;
    broadcast->expires_us = now_us + (int64_t)ttl_s * CORE_MS_PER_S * CORE_US_PER_MS;
    return 0;
}

static unsigned single_query(ws_rest_request *request, core_slice query, int64_t now_us,
                             ws_broadcast *broadcast) {
    char key_memory[VALUE_MAX], value_memory[VALUE_MAX];
    while (query.length > 0) {
        core_buffer key = core_buffer_over(key_memory, sizeof key_memory);
        core_buffer value = core_buffer_over(value_memory, sizeof value_memory);
        core_slice raw_key, raw_value;
        ws_http_query_next(&query, &raw_key, &raw_value);
        if (!ws_http_query_decode(raw_key, &key))
            continue; /* longer than any that is known */
        if (!ws_http_query_decode(raw_value, &value))
            core_buffer_reset(&value); /* what is known takes no such value */
        unsigned status = single_parameter(request, core_buffer_slice(&key),
                                           core_buffer_slice(&value), now_us, broadcast);
        if (status != 0)
            return status;
    }
    if (broadcast->stored && !broadcast->private_channel)
        return refuse_field(request, "persist", "is for private channels");
    return 0;
}

/* The media type without its parameters. */
static core_slice media_type(core_slice value) {
    const uint8_t *end = value.length > 0 ? memchr(value.data, ';', value.length) : NULL;
    if (end != NULL)
        value.length = (size_t)(end - value.data);
    while (value.length > 0 && value.data[value.length - 1] <= ' ')
        value.length--;
    return value;
}

static unsigned single_payload(ws_rest_request *request, core_slice content_type, core_slice body,
                               size_t payload_max, ws_broadcast *broadcast) {
    core_slice type = media_type(content_type);
    broadcast->payload = body;
    broadcast->json = type.length == 0 || ws_http_name_is(type, "application/json");
    if (!broadcast->json && !ws_http_name_is(type, "application/octet-stream"))
        return refuse(request, 415,
                      "Content-Type must be application/json or application/octet-stream");
    if (body.length > payload_max)
        return refuse(request, 413, "payload has more than %zu bytes", payload_max);
    if (broadcast->json && body.length == 0)
        return refuse_field(request, "payload", "can't be blank");
    if (broadcast->json && !core_json_valid(body))
        return refuse(request, 400, "the body is not JSON");
    if (!broadcast->json && broadcast->topic.length > NAME_MAX_BIN)
        return refuse_field(request, "topic", "is too long for bytes: at most 246 bytes");
    return 0;
}

unsigned ws_rest_request_single(ws_rest_request *request, core_slice path, core_slice query,
                                core_slice content_type, core_slice body, size_t payload_max,
                                int64_t now_us) {
    core_buffer topic, event;
    ws_broadcast broadcast = {.json = true};
    request_init(request);
    core_buffer_init(&topic, WS_TOPIC_MAX);
    core_buffer_init(&event, WS_EVENT_MAX);
    unsigned status = single_path(request, path, &topic, &event);
    broadcast.topic = core_buffer_slice(&topic);
    broadcast.event = core_buffer_slice(&event);
    if (status == 0)
        status = single_query(request, query, now_us, &broadcast);
    if (status == 0)
        status = single_payload(request, content_type, body, payload_max, &broadcast);
    if (status == 0 && (!request_room(request, 1) || !request_keep(request, &broadcast)))
        status = refuse_memory(request);
    core_buffer_fini(&topic);
    core_buffer_fini(&event);
    return status;
}
