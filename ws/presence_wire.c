/* See presence_wire.h. The reader walks over every op before anybody acts on the first, so a
 * message that is cut or lies about a length changes nothing. */
#include "ws/presence_wire.h"

enum { WIRE_MARK = 'P', WIRE_VERSION = 1, OP_ADD = 1, OP_REMOVE = 2, OP_ADD_PRIVATE = 3 };

/* ---- writing ---- */

size_t presence_op_bytes(const presence_op *op) {
    return op->removes
               ? 1 + 8
               : 1 + 8 + 8 + 2 + op->topic.length + 1 + op->key.length + 4 + op->payload.length;
}

void presence_op_write(const presence_op *op, core_buffer *out) {
    uint8_t add = op->private_channel ? OP_ADD_PRIVATE : OP_ADD;
    core_buffer_u8(out, op->removes ? OP_REMOVE : add);
    core_buffer_u64(out, op->ref);
    if (op->removes)
        return;
    core_buffer_u64(out, op->previous);
    core_buffer_u16(out, (uint16_t)op->topic.length);
    core_buffer_slice_append(out, op->topic);
    core_buffer_u8(out, (uint8_t)op->key.length);
    core_buffer_slice_append(out, op->key);
    core_buffer_u32(out, (uint32_t)op->payload.length);
    core_buffer_slice_append(out, op->payload);
}

static void short_name_write(core_buffer *out, core_slice name) {
    core_buffer_u8(out, (uint8_t)name.length);
    core_buffer_slice_append(out, name);
}

static void body_write(const presence_message *message, core_buffer *out) {
    if (message->kind == PRESENCE_ASK) {
        short_name_write(out, message->target);
        return;
    }
    if (message->kind == PRESENCE_GOODBYE)
        return;
    core_buffer_u64(out, message->version);
    if (message->kind != PRESENCE_DELTA)
        core_buffer_u64(out, message->digest);
    if (message->kind == PRESENCE_HEARTBEAT)
        return;
    if (message->kind == PRESENCE_STATE) {
        core_buffer_u16(out, message->part);
        core_buffer_u16(out, message->parts);
    }
    core_buffer_u32(out, message->count);
    core_buffer_slice_append(out, message->ops);
}

void presence_message_write(const presence_message *message, core_buffer *out) {
    core_buffer_u8(out, WIRE_MARK);
    core_buffer_u8(out, WIRE_VERSION);
    core_buffer_u8(out, (uint8_t)message->kind);
    short_name_write(out, message->node);
    core_buffer_u64(out, message->boot);
    body_write(message, out);
}

/* ---- reading ---- */

static core_slice short_name_read(core_cursor *cursor) {
    return core_cursor_bytes(cursor, core_cursor_u8(cursor));
}

bool presence_op_next(core_cursor *cursor, presence_op *op) {
    uint8_t type = core_cursor_u8(cursor);
    *op = (presence_op){.removes = type == OP_REMOVE, .ref = core_cursor_u64(cursor)};
    if (type == OP_ADD || type == OP_ADD_PRIVATE) {
        op->private_channel = type == OP_ADD_PRIVATE;
        op->previous = core_cursor_u64(cursor);
        op->topic = core_cursor_bytes(cursor, core_cursor_u16(cursor));
        op->key = short_name_read(cursor);
        op->payload = core_cursor_bytes(cursor, core_cursor_u32(cursor));
    }
    return core_cursor_ok(cursor) && type >= OP_ADD && type <= OP_ADD_PRIVATE;
}

/* As _payload_make leaves it. */
static bool payload_is_ours(core_slice payload) {
    size_t length = payload.length;
    return length >= 2 && payload.data[0] == '{' && payload.data[length - 1] == '}' &&
           (length == 2 || payload.data[1] == '"') && core_json_valid(payload);
}

static bool op_is_valid(const presence_op *op) {
    if (op->ref == 0)
        return false;
    return op->removes ||
           (op->previous < op->ref && op->topic.length > 0 &&
            op->topic.length <= WS_TOPIC_MAX + WS_SCOPE_MAX && op->key.length > 0 &&
            core_utf8_valid(op->topic) && core_utf8_valid(op->key) && payload_is_ours(op->payload));
}

static bool ops_are_valid(const presence_message *message) {
    core_cursor cursor = core_cursor_make(message->ops);
    presence_op op;
    for (uint32_t i = 0; i < message->count; i++) {
        if (!presence_op_next(&cursor, &op) || !op_is_valid(&op))
            return false;
        uint64_t version = message->version + i + 1;
        if (message->kind == PRESENCE_STATE
                ? op.removes || op.ref > message->version
                : version == 0 || (op.removes ? op.ref >= version : op.ref != version))
            return false;
    }
    return core_cursor_done(&cursor);
}

static void body_read(core_cursor *cursor, presence_message *message) {
    if (message->kind == PRESENCE_ASK)
        message->target = short_name_read(cursor);
    if (message->kind == PRESENCE_ASK || message->kind == PRESENCE_GOODBYE)
        return;
    message->version = core_cursor_u64(cursor);
    if (message->kind != PRESENCE_DELTA)
        message->digest = core_cursor_u64(cursor);
    if (message->kind == PRESENCE_HEARTBEAT)
        return;
    if (message->kind == PRESENCE_STATE) {
        message->part = core_cursor_u16(cursor);
        message->parts = core_cursor_u16(cursor);
        if (message->part >= message->parts || message->parts > PRESENCE_PARTS_MAX)
            core_cursor_fail(cursor);
    }
    message->count = core_cursor_u32(cursor);
    message->ops = core_cursor_rest(cursor);
}

bool presence_message_read(core_slice bytes, presence_message *message) {
    core_cursor cursor = core_cursor_make(bytes);
    *message = (presence_message){0};
    if (core_cursor_u8(&cursor) != WIRE_MARK || core_cursor_u8(&cursor) != WIRE_VERSION)
        return false;
    uint8_t kind = core_cursor_u8(&cursor);
    message->node = short_name_read(&cursor);
    message->boot = core_cursor_u64(&cursor);
    if (kind < PRESENCE_HEARTBEAT || kind > PRESENCE_GOODBYE)
        return false;
    message->kind = (presence_kind)kind;
    body_read(&cursor, message);
    return core_cursor_done(&cursor) && message->boot != 0 && message->node.length > 0 &&
           message->node.length <= WS_PRESENCE_NODE_MAX && ops_are_valid(message);
}

/* ---- payload ---- */

static bool is_reserved(core_slice key) {
    return core_json_raw_is(key, "phx_ref") || core_json_raw_is(key, "phx_ref_prev");
}

bool presence_payload_make(core_slice payload, core_buffer *out) {
    core_json_reader reader = core_json_reader_make(payload);
    core_json_token member;
    core_slice value;
    bool is_first = true;
    if (!core_utf8_valid(payload) || core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    core_buffer_u8(out, '{');
    while (core_json_member_next(&reader, &member)) {
        if (!core_json_skip(&reader, member, &value))
            return false;
        if (is_reserved(member.key))
            continue;
        core_buffer_text(out, is_first ? "\"" : ",\"");
        core_buffer_slice_append(out, member.key);
        core_buffer_text(out, "\":");
        core_buffer_slice_append(out, value);
        is_first = false;
    }
    core_buffer_u8(out, '}');
    return core_json_next(&reader).kind == CORE_JSON_END && core_buffer_ok(out);
}
