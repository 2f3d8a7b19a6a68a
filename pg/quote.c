/* Identifiers and literals for the few statements that cannot take parameters (replication
 * commands, CREATE PUBLICATION). Both are safe in every client encoding that is ASCII-safe; our
 * connections are UTF-8. NUL cannot occur in a PostgreSQL name or text: a slice that holds one is
 * cut there, as the server itself would. */
#include "pg/pg.h"

static size_t text_length(core_slice text) {
    const uint8_t *end = text.length > 0 ? memchr(text.data, '\0', text.length) : NULL;
    return end != NULL ? (size_t)(end - text.data) : text.length;
}

/* Appends `text` between single quotes, each inner one (and backslash, when asked) doubled. */
static void quoted_append(core_buffer *out, core_slice text, bool double_backslash) {
    core_buffer_u8(out, '\'');
    size_t length = text_length(text);
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = text.data[i];
        if (byte == '\'' || (double_backslash && byte == '\\'))
            core_buffer_u8(out, byte);
        core_buffer_u8(out, byte);
    }
    core_buffer_u8(out, '\'');
}

void pg_identifier_append(core_buffer *out, core_slice name) {
    core_identifier_append(out, name);
}

void pg_literal_append(core_buffer *out, core_slice text) {
    size_t length = text_length(text);
    bool backslash = length > 0 && memchr(text.data, '\\', length) != NULL;
    if (backslash)
        core_buffer_text(out, " E"); /* the blank keeps it apart from a word before it */
    quoted_append(out, text, backslash);
}
