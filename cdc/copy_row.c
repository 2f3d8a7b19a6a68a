/* See copy_row.h. */
#include "cdc/copy_row.h"

/* ---- Text ---- */

static bool line_refuse(size_t at, const char *reason, core_error *error) {
    return core_error_set(error, CORE_ERROR_INPUT, "a row of COPY %s at byte %zu", reason, at);
}

/* What a backslash and this letter stand for; PostgreSQL writes no others. 0: none of them. */
static uint8_t escape_undo(uint8_t letter) {
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'v':
        return '\v';
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

/* From `*at` to the next tab or the end, undone in place; `*at` is left behind it. */
static bool field_read(uint8_t *line, size_t length, size_t *at, core_value *value,
                       core_error *error) {
    size_t from = *at;
    const uint8_t *tab = memchr(line + from, '\t', length - from);
    size_t end = tab != NULL ? (size_t)(tab - line) : length;
    *at = end + 1;
    *value =
        (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_make(line + from, end - from)};
    const uint8_t *escape = end > from ? memchr(line + from, '\\', end - from) : NULL;
    if (escape == NULL)
        return true;
    if (end - from == 2 && line[from + 1] == 'N') {
        *value = (core_value){.kind = CORE_VALUE_NULL};
        return true;
    }
    size_t to = (size_t)(escape - line);
    for (size_t i = to; i < end; i++) {
        uint8_t byte = line[i];
        if (byte == '\\') {
            byte = ++i < end ? escape_undo(line[i]) : 0;
            if (byte == 0)
                return line_refuse(i, "has an unknown escape", error);
        }
        line[to++] = byte;
    }
    value->bytes.length = to - from;
    return true;
}

bool cdc_copy_text_read(uint8_t *line, size_t length, core_value *values, size_t count,
                        core_error *error) {
    if (length > 0 && line[length - 1] == '\n')
        length--;
    if (count == 0) /* a table without columns has empty lines */
        return length == 0 || line_refuse(0, "has values of no column", error);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (at > length)
            return line_refuse(length, "has fewer values than columns", error);
        if (!field_read(line, length, &at, &values[i], error))
            return false;
    }
    return at == length + 1 || line_refuse(at, "has more values than columns", error);
}

/* ---- Binary ---- */

static bool header_read(core_cursor *cursor) {
    static const char signature[11] = "PGCOPY\n\377\r\n";
    core_slice found = core_cursor_bytes(cursor, sizeof signature);
    bool same = core_slice_equal(found, core_slice_make(signature, sizeof signature));
    uint32_t flags = core_cursor_u32(cursor);
    (void)core_cursor_bytes(cursor, core_cursor_u32(cursor)); /* the extension is skipped */
    return same && flags == 0 && core_cursor_ok(cursor);
}

static bool value_read(core_cursor *cursor, core_value *value) {
    uint32_t length = core_cursor_u32(cursor);
    if (length == UINT32_MAX) {
        *value = (core_value){.kind = CORE_VALUE_NULL};
        return core_cursor_ok(cursor);
    }
    *value = (core_value){.kind = CORE_VALUE_BINARY, .bytes = core_cursor_bytes(cursor, length)};
    return core_cursor_ok(cursor);
}

bool cdc_copy_binary_read(cdc_copy_binary *state, core_slice bytes, core_value *values,
                          size_t count, bool *given, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    bool ok = state->begun || header_read(&cursor);
    state->begun = true;
    uint16_t found = core_cursor_u16(&cursor);
    *given = found != UINT16_MAX;
    ok = ok && (!*given || found == count);
    for (size_t i = 0; ok && *given && i < count; i++)
        ok = value_read(&cursor, &values[i]);
    return (ok && core_cursor_done(&cursor)) ||
           line_refuse(core_cursor_offset(&cursor), "in binary format is malformed", error);
}
