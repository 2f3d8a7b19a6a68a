/* A view of bytes that somebody else owns. It is valid as long as its owner says; it may hold any
 * bytes, NUL included, and is never NUL-terminated by promise. */
#ifndef WALCAST_CORE_SLICE_H
#define WALCAST_CORE_SLICE_H

#include "core/base.h"

#include <string.h>

typedef struct {
    const uint8_t *data;
    size_t length;
} core_slice;

/* For printf's "%.*s". */
#define CORE_SLICE_ARGS(slice) (int)(slice).length, (const char *)(slice).data

static inline core_slice core_slice_make(const void *data, size_t length) {
    return (core_slice){.data = (const uint8_t *)data, .length = length};
}

/* Copies the text to `*room`, which moves behind it: for what is kept in one piece. */
static inline core_slice core_slice_keep(uint8_t **room, core_slice text) {
    core_slice kept = core_slice_make(*room, text.length);
    if (text.length > 0)
        memcpy(*room, text.data, text.length);
    *room += text.length;
    return kept;
}

/* Of a NUL-terminated string; NULL gives the empty slice. */
static inline core_slice core_slice_text(const char *text) {
    return core_slice_make(text, text ? strlen(text) : 0);
}

static inline bool core_slice_equal(core_slice a, core_slice b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static inline bool core_slice_is(core_slice slice, const char *text) {
    return core_slice_equal(slice, core_slice_text(text));
}

/* With the empty one all begin. */
static inline bool core_slice_begins(core_slice slice, core_slice beginning) {
    return slice.length >= beginning.length &&
           (beginning.length == 0 || memcmp(slice.data, beginning.data, beginning.length) == 0);
}

/* Below, equal to or above 0: as bytes, and of two that begin alike the shorter one first. */
static inline int core_slice_compare(core_slice a, core_slice b) {
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* Copies into `target` with a final NUL. False, with an empty target, when it does not fit or the
 * bytes hold a NUL: such a name cannot be a C string. */
CORE_MUST_CHECK bool core_slice_to_text(core_slice slice, char *target, size_t target_size);

/* Decimal digits to a number: the whole slice, no sign, no blanks, no overflow. */
CORE_MUST_CHECK bool core_slice_to_u64(core_slice slice, uint64_t *value);
/* The same with an optional leading '-'. */
CORE_MUST_CHECK bool core_slice_to_i64(core_slice slice, int64_t *value);

/* What a hexadecimal digit of either case counts; -1: it is none. */
static inline int core_hex_digit(uint8_t byte) {
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* 64-bit FNV-1a; for tables in memory, not against an adversary who picks keys to collide. */
uint64_t core_slice_hash(core_slice slice);
/* The hash of what `hash` is of, and the slice behind it. */
uint64_t core_slice_hash_more(uint64_t hash, core_slice slice);

#endif
