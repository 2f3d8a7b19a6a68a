/* References `${NAME}` as texts of a flow map or list, where YAML takes their braces for a map's;
 * see document.h. */
#include "core/document_quote.h"

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
