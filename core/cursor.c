/* Bounds-checked reads; see cursor.h. */
#include "core/cursor.h"

void core_cursor_fail(core_cursor *cursor) {
    cursor->failed = true;
}

static uint64_t cursor_little_endian(core_cursor *cursor, size_t length) {
    const uint8_t *bytes = core_cursor_take(cursor, length);
    uint64_t value = 0;
    for (size_t i = length; bytes != NULL && i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

core_slice core_cursor_string(core_cursor *cursor) {
    size_t left = core_cursor_left(cursor);
    const uint8_t *end = left > 0 ? memchr(cursor->at, '\0', left) : NULL;
    if (end == NULL) {
        cursor->failed = true;
        return core_slice_make(NULL, 0);
    }
    core_slice text = core_cursor_bytes(cursor, (size_t)(end - cursor->at));
    (void)core_cursor_take(cursor, 1);
    return text;
}

core_slice core_cursor_rest(core_cursor *cursor) {
    return core_cursor_bytes(cursor, core_cursor_left(cursor));
}

uint64_t core_cursor_varint(core_cursor *cursor) {
    if (core_cursor_left(cursor) > 0 && *cursor->at < 0x80)
        return *cursor->at++; /* most tags and lengths */
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = core_cursor_u8(cursor);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return cursor->failed ? 0 : value;
    }
    cursor->failed = true;
    return 0;
}

uint32_t core_cursor_fixed32(core_cursor *cursor) {
    return (uint32_t)cursor_little_endian(cursor, 4);
}

uint64_t core_cursor_fixed64(core_cursor *cursor) {
    return cursor_little_endian(cursor, 8);
}

core_slice core_cursor_delimited(core_cursor *cursor) {
    uint64_t length = core_cursor_varint(cursor);
    if (length > core_cursor_left(cursor)) {
        cursor->failed = true;
        return core_slice_make(NULL, 0);
    }
    return core_cursor_bytes(cursor, (size_t)length);
}
