/* See query.h. */
#include "triggers/query.h"

#include <inttypes.h>

static bool value_decode(core_slice value, core_buffer *out) {
    for (size_t i = 0; i < value.length; i++) {
        uint8_t byte = value.data[i];
        if (byte == '%') {
            int high = i + 2 < value.length ? core_hex_digit(value.data[i + 1]) : -1;
            int low = i + 2 < value.length ? core_hex_digit(value.data[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        core_buffer_u8(out, byte);
    }
    return value.length > 0 && core_buffer_ok(out) && core_utf8_valid(core_buffer_slice(out));
}

triggers_query_result triggers_query_find(core_slice query, const char *name, char *text,
                                          size_t text_size) {
    size_t length = strlen(name), found = 0;
    core_buffer out = core_buffer_over(text, text_size - 1);
    bool ok = true;
    while (query.length > 0) {
        core_slice part = core_route_query_next(&query);
        if (part.length < length || memcmp(part.data, name, length) != 0 ||
            (part.length > length && part.data[length] != '='))
            continue;
        size_t from = part.length > length ? length + 1 : length;
        ok = ++found == 1 &&
             value_decode(core_slice_make(part.data + from, part.length - from), &out);
        if (!ok)
            break;
    }
    text[ok ? out.length : 0] = '\0';
    if (found == 0)
        return TRIGGERS_QUERY_NONE;
    return ok ? TRIGGERS_QUERY_FOUND : TRIGGERS_QUERY_WRONG;
}

bool triggers_query_number(core_slice query, const char *name, uint64_t initial, uint64_t max,
                           uint64_t *number, core_error *error) {
    char text[24];
    *number = initial;
    triggers_query_result result = triggers_query_find(query, name, text, sizeof text);
    return result == TRIGGERS_QUERY_NONE ||
           (result == TRIGGERS_QUERY_FOUND && core_slice_to_u64(core_slice_text(text), number) &&
            *number > 0 && *number <= max) ||
           core_error_set(error, CORE_ERROR_INPUT, "%s: expected 1 to %" PRIu64, name, max);
}
