/* Finding, eight bytes at a time, where a JSON string stops being plain; private to the JSON files.
 *
 * Words are looked at in little-endian order, so the lowest mark is the first byte in memory. A
 * borrow can set marks above a true one only: the lowest mark is always true. */
#ifndef WALCAST_CORE_JSON_SCAN_H
#define WALCAST_CORE_JSON_SCAN_H

#include "core/slice.h"

#include <endian.h>

#define CORE_JSON_ONES      UINT64_C(0x0101010101010101)
#define CORE_JSON_HIGH_BITS UINT64_C(0x8080808080808080)

/* Marks (bit 7 of the byte) controls, quotes and backslashes; `others` says which bytes above 0x7F
 * are marked besides: all with HIGH_BITS, none with 0. */
static inline uint64_t core_json_word_marks(const uint8_t *at, uint64_t others) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    word = le64toh(word);
    uint64_t quote = (word ^ CORE_JSON_ONES * '"') - CORE_JSON_ONES;
    uint64_t backslash = (word ^ CORE_JSON_ONES * '\\') - CORE_JSON_ONES;
    uint64_t control = word - CORE_JSON_ONES * ' ';
    return (((quote | backslash | control) & ~word) | (word & others)) & CORE_JSON_HIGH_BITS;
}

static inline bool core_json_byte_is_plain(uint8_t byte) {
    return byte >= ' ' && byte != '"' && byte != '\\';
}

/* Bytes from `at`, at most `left`, before the first that is marked. */
static inline size_t core_json_plain_run(const uint8_t *at, size_t left, uint64_t others) {
    size_t run = 0;
    for (; left - run >= sizeof(uint64_t); run += sizeof(uint64_t)) {
        uint64_t marks = core_json_word_marks(at + run, others);
        if (marks != 0)
            return run + (size_t)__builtin_ctzll(marks) / 8;
    }
    while (run < left && core_json_byte_is_plain(at[run]) && (at[run] < 0x80 || others == 0))
        run++;
    return run;
}

#endif
