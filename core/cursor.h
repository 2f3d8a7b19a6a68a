/* The one way to read bytes that came from outside: a position in a slice that cannot leave it.
 *
 * Failure is sticky: after the first read past the end (or malformed varint) every further read
 * gives zero or an empty slice and `core_cursor_ok` is false, so a decoder reads a whole message
 * and checks once, before it uses any count as a loop bound. Slices returned point into the
 * source and live as long as it does. Nothing allocates. */
#ifndef WALCAST_CORE_CURSOR_H
#define WALCAST_CORE_CURSOR_H

#include "core/slice.h"

#include <endian.h>

typedef struct {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} core_cursor;

static inline core_cursor core_cursor_make(core_slice slice) {
    /* Never NULL, so that arithmetic on an empty slice is defined. */
    const uint8_t *start = slice.data != NULL ? slice.data : (const uint8_t *)"";
    return (core_cursor){.start = start, .at = start, .end = start + slice.length};
}

/* True while no read has failed. */
static inline bool core_cursor_ok(const core_cursor *cursor) {
    return !cursor->failed;
}
static inline size_t core_cursor_left(const core_cursor *cursor) {
    return cursor->failed ? 0 : (size_t)(cursor->end - cursor->at);
}
/* Bytes read so far: where a decoder stands, for error texts. */
static inline size_t core_cursor_offset(const core_cursor *cursor) {
    return (size_t)(cursor->at - cursor->start);
}
/* No failure and nothing left over: the message was exactly as long as its content. */
static inline bool core_cursor_done(const core_cursor *cursor) {
    return !cursor->failed && cursor->at == cursor->end;
}
/* Marks the cursor failed (a value was read but is not allowed here). */
void core_cursor_fail(core_cursor *cursor);

/* The next `length` bytes, or NULL with the cursor failed: the only arithmetic on foreign lengths.
 * Inline with the reads below, which every value of every row goes through. */
static inline const uint8_t *core_cursor_take(core_cursor *cursor, size_t length) {
    if (cursor->failed || length > (size_t)(cursor->end - cursor->at)) {
        cursor->failed = true;
        return NULL;
    }
    const uint8_t *bytes = cursor->at;
    cursor->at += length;
    return bytes;
}

/* Big-endian, as PostgreSQL sends them. */
static inline uint8_t core_cursor_u8(core_cursor *cursor) {
    const uint8_t *bytes = core_cursor_take(cursor, 1);
    return bytes != NULL ? *bytes : 0;
}
static inline uint16_t core_cursor_u16(core_cursor *cursor) {
    const uint8_t *bytes = core_cursor_take(cursor, 2);
    return (uint16_t)(bytes != NULL ? bytes[0] << 8 | bytes[1] : 0);
}
static inline uint32_t core_cursor_u32(core_cursor *cursor) {
    const uint8_t *bytes = core_cursor_take(cursor, sizeof(uint32_t));
    uint32_t value = 0;
    if (bytes != NULL)
        memcpy(&value, bytes, sizeof value);
    return be32toh(value);
}
static inline uint64_t core_cursor_u64(core_cursor *cursor) {
    const uint8_t *bytes = core_cursor_take(cursor, sizeof(uint64_t));
    uint64_t value = 0;
    if (bytes != NULL)
        memcpy(&value, bytes, sizeof value);
    return be64toh(value);
}

/* `length` raw bytes. */
static inline core_slice core_cursor_bytes(core_cursor *cursor, size_t length) {
    const uint8_t *bytes = core_cursor_take(cursor, length);
    return core_slice_make(bytes, bytes != NULL ? length : 0);
}
/* Up to and past the next NUL; the slice is without it. Fails when no NUL is left. */
core_slice core_cursor_string(core_cursor *cursor);
/* All that is left. */
core_slice core_cursor_rest(core_cursor *cursor);

/* Protocol Buffers' base-128 varint, little-endian fixed32 and fixed64, and length-delimited bytes
 * (https://protobuf.dev/programming-guides/encoding/). */
uint64_t core_cursor_varint(core_cursor *cursor);
uint32_t core_cursor_fixed32(core_cursor *cursor);
uint64_t core_cursor_fixed64(core_cursor *cursor);
core_slice core_cursor_delimited(core_cursor *cursor);

#endif
