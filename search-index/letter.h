/* Stepping over UTF-8 text one character at a time, whatever its bytes are.
 *
 * A byte that begins no whole character counts as a character of its own, above all code points, so
 * that a loop over any text ends and two different texts stay different. */
#ifndef WALCAST_SEARCH_INDEX_LETTER_H
#define WALCAST_SEARCH_INDEX_LETTER_H

#include "core/core.h"

#define SEARCH_LETTER_BROKEN UINT32_C(0x110000)

/* Bytes that the lead byte announces; 1 for what is no lead. */
static inline size_t search_letter_length(uint8_t lead) {
    return lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 1;
}

/* The character at `*at`, which is below the text's length, and moves behind it. */
static inline uint32_t search_letter_next(core_slice text, size_t *at) {
    static const uint8_t lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint8_t lead = text.data[*at];
    size_t length = search_letter_length(lead);
    uint32_t letter = lead & lead_bits[length];
    bool whole = length <= text.length - *at && (lead < 0x80 || length > 1);
    for (size_t i = 1; whole && i < length; i++) {
        uint8_t next = text.data[*at + i];
        whole = (next & 0xC0) == 0x80;
        letter = letter << 6 | (next & 0x3F);
    }
    *at += whole ? length : 1;
    return whole ? letter : SEARCH_LETTER_BROKEN + lead;
}

/* How many characters the text has. */
static inline size_t search_letter_count(core_slice text) {
    size_t count = 0;
    for (size_t at = 0; at < text.length; count++)
        (void)search_letter_next(text, &at);
    return count;
}

#endif
