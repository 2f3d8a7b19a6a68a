/* Which characters belong to scripts that write no blanks between words. */
#ifndef WALCAST_SEARCH_INDEX_SCRIPT_H
#define WALCAST_SEARCH_INDEX_SCRIPT_H

#include "core/core.h"

/* The blocks of Thai, Lao, Myanmar, Khmer, Hangul (whose particles hang on words), Kana, Bopomofo
 * and Han. */
static inline bool search_script_is_paired(uint32_t c) {
    if (c < 0x0E00)
        return false;
    return c <= 0x0EFF || (c >= 0x1000 && c <= 0x109F) || (c >= 0x1100 && c <= 0x11FF) ||
           (c >= 0x1780 && c <= 0x17FF) || (c >= 0x3005 && c <= 0x3007) ||
           (c >= 0x3041 && c <= 0x31FF) || (c >= 0x3400 && c <= 0x9FFF) ||
           (c >= 0xA960 && c <= 0xA97F) || (c >= 0xAC00 && c <= 0xD7FF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFF66 && c <= 0xFFDC) ||
           (c >= 0x20000 && c <= 0x3FFFF);
}

/* Whether text may hold one: none is in less than three bytes. */
static inline bool search_script_may_be_paired(core_slice text) {
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] >= 0xE0)
            return true;
    return false;
}

#endif
