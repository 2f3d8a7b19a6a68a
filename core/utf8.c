/* Well-formed UTF-8; see utf8.h. ASCII, which most text is, goes by eight bytes a step. */
#include "core/utf8.h"

#include "core/json.h"

#define UTF8_HIGH_BITS UINT64_C(0x8080808080808080)

static bool utf8_within(uint8_t byte, uint8_t low, uint8_t high) {
    return byte >= low && byte <= high;
}

static bool utf8_continues(const uint8_t *at, size_t from, size_t length) {
    for (size_t i = from; i < length; i++)
        if (!utf8_within(at[i], 0x80, 0xBF))
            return false;
    return true;
}

static size_t utf8_three(const uint8_t *at) {
    uint8_t low = at[0] == 0xE0 ? 0xA0 : 0x80;
    uint8_t high = at[0] == 0xED ? 0x9F : 0xBF;
    return utf8_within(at[1], low, high) && utf8_continues(at, 2, 3) ? 3 : 0;
}

static size_t utf8_four(const uint8_t *at) {
    uint8_t low = at[0] == 0xF0 ? 0x90 : 0x80;
    uint8_t high = at[0] == 0xF4 ? 0x8F : 0xBF;
    return utf8_within(at[1], low, high) && utf8_continues(at, 2, 4) ? 4 : 0;
}

size_t core_utf8_sequence(const uint8_t *at, size_t left) {
    if (at[0] < 0x80)
        return 1;
    if (utf8_within(at[0], 0xC2, 0xDF))
        return left >= 2 && utf8_continues(at, 1, 2) ? 2 : 0;
    if (utf8_within(at[0], 0xE0, 0xEF))
        return left >= 3 ? utf8_three(at) : 0;
    if (utf8_within(at[0], 0xF0, 0xF4))
        return left >= 4 ? utf8_four(at) : 0;
    return 0;
}

size_t core_utf8_ascii_run(const uint8_t *at, size_t left) {
    size_t run = 0;
    for (uint64_t word; left - run >= sizeof word; run += sizeof word) {
        memcpy(&word, at + run, sizeof word);
        if (word & UTF8_HIGH_BITS)
            break;
    }
    while (run < left && at[run] < 0x80)
        run++;
    return run;
}

size_t core_utf8_encode(uint32_t code_point, uint8_t bytes[4]) {
    if (code_point < 0x80) {
        bytes[0] = (uint8_t)code_point;
        return 1;
    }
    size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--, code_point >>= 6)
        bytes[i] = (uint8_t)(0x80 | (code_point & 0x3F));
    bytes[0] = (uint8_t)(leads[length] | code_point);
    return length;
}

/* Bytes of the whole sequences that the text begins with. */
static size_t utf8_whole(core_slice text) {
    size_t at = 0;
    while (at < text.length) {
        at += core_utf8_ascii_run(text.data + at, text.length - at);
        if (at == text.length)
            break;
        size_t length = core_utf8_sequence(text.data + at, text.length - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

bool core_utf8_valid(core_slice text) {
    return utf8_whole(text) == text.length;
}

bool core_utf8_begins(core_slice text, size_t *whole) {
    /* One of these can follow any sequence that was cut. */
    static const uint8_t next[] = {0x80, 0x90, 0xA0};
    *whole = utf8_whole(text);
    size_t left = text.length - *whole;
    if (left == 0 || left > 3)
        return left == 0;
    for (size_t i = 0; i < CORE_COUNT_OF(next); i++) {
        uint8_t bytes[4] = {next[i], next[i], next[i], next[i]};
        memcpy(bytes, text.data + *whole, left);
        if (core_utf8_sequence(bytes, sizeof bytes) > left)
            return true;
    }
    return false;
}
