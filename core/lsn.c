/* Both halves are hexadecimal, of at most eight digits, as pg_lsn_in takes them; see lsn.h. */
#include "core/lsn.h"

enum {
    HALF_DIGITS_MAX = 8,
    PAGE_HEADER_MAX = 40, /* XLogLongPageHeaderData */
};

static bool hex_parse(core_slice text, uint32_t *value) {
    *value = 0;
    if (text.length == 0 || text.length > HALF_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        uint8_t digit = text.data[i];
        uint8_t letter = digit | 0x20;
        if (digit >= '0' && digit <= '9')
            *value = *value << 4 | (uint32_t)(digit - '0');
        else if (letter >= 'a' && letter <= 'f')
            *value = *value << 4 | (uint32_t)(letter - 'a' + 10);
        else
            return false;
    }
    return true;
}

bool core_lsn_parse(core_slice text, core_lsn *lsn) {
    const uint8_t *slash = text.length > 0 ? memchr(text.data, '/', text.length) : NULL;
    if (slash == NULL)
        return false;
    size_t high_length = (size_t)(slash - text.data);
    uint32_t high = 0;
    uint32_t low = 0;
    if (!hex_parse(core_slice_make(text.data, high_length), &high) ||
        !hex_parse(core_slice_make(slash + 1, text.length - high_length - 1), &low))
        return false;
    *lsn = (core_lsn)high << 32 | low;
    return true;
}

core_lsn core_lsn_settle(core_lsn lsn, uint32_t page_bytes) {
    assert(page_bytes > PAGE_HEADER_MAX);
    core_lsn in_page = lsn % page_bytes;
    return in_page <= PAGE_HEADER_MAX ? lsn - in_page : lsn;
}
