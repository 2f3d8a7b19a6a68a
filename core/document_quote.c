/* References `${NAME}` as texts of a flow map or list, where YAML takes their braces for a map's;
 * see document.h. */
#include "core/document_quote.h"

#include "core/json.h"

static bool is_in_reference(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' || byte == ':' || byte == '.';
}

/* The length of the reference that begins there; 0: none does. */
static size_t reference_length(core_slice text, size_t at) {
    if (text.length - at < 4 || text.data[at] != '$' || text.data[at + 1] != '{')
        return 0;
    size_t end = at + 2;
    while (end < text.length && is_in_reference(text.data[end]))
        end++;
    return end > at + 2 && end < text.length && text.data[end] == '}' ? end + 1 - at : 0;
}

static bool is_blank(uint8_t byte) {
    return byte == ' ' || byte == '\t';
}

/* It is a value by itself: behind `: `, `, `, `[`, in front of `,`, `]`, `}` or the line's end. */
static bool stands_alone(core_slice text, size_t at, size_t length) {
    size_t before = at, behind = at + length;
    while (before > 0 && is_blank(text.data[before - 1]))
        before--;
    while (behind < text.length && is_blank(text.data[behind]))
        behind++;
    return before > 0 && memchr(":,[", text.data[before - 1], 3) != NULL &&
           (behind == text.length || memchr(",]}\r\n", text.data[behind], 5) != NULL);
}

bool core_document_quote(core_slice text, core_buffer *out) {
    bool any = false;
    for (size_t at = 0; at < text.length;) {
        size_t length = reference_length(text, at);
        if (length == 0 || !stands_alone(text, at, length)) {
            core_buffer_u8(out, text.data[at++]);
            continue;
        }
        core_buffer_u8(out, '"');
        core_buffer_append(out, text.data + at, length);
        core_buffer_u8(out, '"');
        at += length;
        any = true;
    }
    return any && core_buffer_ok(out);
}

/* The four digits of `\uXXXX` at that place; -1: there is no such escape. */
static int32_t escape_unit(core_slice text, size_t at) {
    int32_t unit = 0;
    if (text.length - at < 6 || text.data[at] != '\\' || text.data[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = core_hex_digit(text.data[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* The character that a pair of escapes at that place stands for; 0: it is none. */
static uint32_t pair_at(core_slice text, size_t at) {
    int32_t high = escape_unit(text, at);
    if (high < 0xD800 || high > 0xDBFF)
        return 0;
    int32_t low = escape_unit(text, at + 6);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    return 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
}

bool core_document_join(core_slice text, core_buffer *out) {
    bool any = false;
    if (!core_json_valid(text))
        return false;
    for (size_t at = 0; at < text.length;) {
        uint32_t character = pair_at(text, at);
        if (character != 0) {
            core_buffer_format(out, "\\U%08X", character);
            at += 12;
            any = true;
            continue;
        }
        /* Of an escape the second byte begins none. */
        size_t length = text.data[at] == '\\' && at + 1 < text.length ? 2 : 1;
        core_buffer_append(out, text.data + at, length);
        at += length;
    }
    return any && core_buffer_ok(out);
}
