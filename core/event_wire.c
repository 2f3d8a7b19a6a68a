/* Walks the fields of one protobuf message; see event_wire.h. Groups, which proto3 does not have,
 * are refused. */
#include "core/event_wire.h"

static void field_read(core_cursor *cursor, wire_field *field, uint64_t type) {
    switch (type) {
    case WIRE_VARINT:
        field->value = core_cursor_varint(cursor);
        break;
    case WIRE_FIXED64:
        field->value = core_cursor_fixed64(cursor);
        break;
    case WIRE_BYTES:
        field->bytes = core_cursor_delimited(cursor);
        break;
    case WIRE_FIXED32:
        field->value = core_cursor_fixed32(cursor);
        break;
    default:
        core_cursor_fail(cursor);
        break;
    }
}

bool wire_next(core_cursor *cursor, const wire_message *message, wire_field *field) {
    if (core_cursor_left(cursor) == 0)
        return false;
    field->start = cursor->at;
    uint64_t tag = core_cursor_varint(cursor);
    uint64_t type = tag & 7;
    field->number = tag >> 3;
    bool known = field->number <= message->known;
    if (tag > UINT32_MAX || field->number == 0 || (known && message->types[field->number] != type))
        core_cursor_fail(cursor);
    else
        field_read(cursor, field, type);
    return core_cursor_ok(cursor);
}

bool wire_refuse(const wire_source *source, const uint8_t *at, const char *message,
                 const char *reason) {
    size_t offset = at != NULL ? (size_t)(at - source->payload.data) : 0;
    return core_error_set(source->error, CORE_ERROR_INPUT,
                          "run of %zu bytes, byte %zu: %s %s; expected event.proto version %d",
                          source->payload.length, offset, message, reason, CORE_RUN_VERSION);
}

bool wire_done(const wire_source *source, const core_cursor *cursor, const wire_message *message,
               const wire_field *field) {
    if (core_cursor_ok(cursor))
        return true;
    return wire_refuse(source, field->start, message->name, "has a malformed or mistyped field");
}
