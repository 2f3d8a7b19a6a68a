/* The one way to read bytes that came from outside: a position in a slice that cannot leave it.
 *
 * Failure is sticky: after the first read past the end (or malformed varint) every further read
 * gives zero or an empty slice and `core_cursor_ok` is false, so a decoder reads a whole message
 * and checks once, before it uses any count as a loop bound. Slices returned point into the
 * source and live as long as it does. Nothing allocates. */
#ifndef WALCAST_CORE_CURSOR_H
#define WALCAST_CORE_CURSOR_H

#include "core/slice.h"

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

/* Big-endian, as PostgreSQL sends them. */
uint8_t core_cursor_u8(core_cursor *cursor);
uint16_t core_cursor_u16(core_cursor *cursor);
uint32_t core_cursor_u32(core_cursor *cursor);
uint64_t core_cursor_u64(core_cursor *cursor);

/* `length` raw bytes. */
core_slice core_cursor_bytes(core_cursor *cursor, size_t length);
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
