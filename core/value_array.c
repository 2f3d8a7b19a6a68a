/* Reads what array_out writes (PostgreSQL, src/backend/utils/adt/arrayfuncs.c) and writes the JSON
 * as it goes; a text that turns out to be malformed takes back what was written. */
#include "core/value_array.h"

#define ARRAY_MAX_DEPTH 6 /* PostgreSQL's MAXDIM */

typedef struct {
    core_cursor cursor;
    core_json_writer *writer;
    core_buffer scratch; /* an element without its backslashes */
    uint32_t element_oid;
    uint8_t delimiter;
    unsigned depth;
} array_reader;

static uint8_t array_peek(const array_reader *reader) {
    return core_cursor_left(&reader->cursor) > 0 ? *reader->cursor.at : 0;
}

static bool array_take(array_reader *reader, uint8_t expected) {
    if (core_cursor_left(&reader->cursor) == 0 || *reader->cursor.at != expected)
        return false;
    (void)core_cursor_u8(&reader->cursor);
    return true;
}

/* ---- Bounds ---- */

static bool bound_skip(array_reader *reader) {
    (void)(array_take(reader, '-') || array_take(reader, '+'));
    bool found = false;
    for (uint8_t digit = array_peek(reader); digit >= '0' && digit <= '9';
         digit = array_peek(reader))
        found = array_take(reader, digit);
    return found;
}

static bool bounds_skip(array_reader *reader) {
    if (array_peek(reader) != '[')
        return true;
    while (array_take(reader, '['))
        if (!bound_skip(reader) || !array_take(reader, ':') || !bound_skip(reader) ||
            !array_take(reader, ']'))
            return false;
    return array_take(reader, '=');
}

/* ---- Elements ---- */

static void element_json(array_reader *reader, core_slice text) {
    core_value value = {.kind = CORE_VALUE_TEXT, .bytes = text};
    core_value_json(reader->writer, reader->element_oid, &value);
}

/* From behind the opening quote, past the closing one. */
static bool quoted_read(array_reader *reader, core_slice *raw, bool *has_escapes) {
    const uint8_t *start = reader->cursor.at;
    *has_escapes = false;
    while (core_cursor_left(&reader->cursor) > 0) {
        uint8_t byte = core_cursor_u8(&reader->cursor);
        if (byte == '"') {
            *raw = core_slice_make(start, (size_t)(reader->cursor.at - 1 - start));
            return true;
        }
        if (byte == '\\') {
            *has_escapes = true;
            (void)core_cursor_u8(&reader->cursor);
        }
    }
    return false;
}

static bool quoted_unescape(core_buffer *out, core_slice raw) {
    core_buffer_reset(out);
    uint8_t *at = core_buffer_reserve(out, raw.length);
    if (at == NULL)
        return false;
    size_t length = 0;
    for (size_t i = 0; i < raw.length; i++) {
        i += raw.data[i] == '\\'; /* quoted_read saw that a byte follows */
        at[length++] = raw.data[i];
    }
    core_buffer_commit(out, length);
    return true;
}

static bool quoted_json(array_reader *reader) {
    core_slice text;
    bool has_escapes;
    if (!quoted_read(reader, &text, &has_escapes))
        return false;
    if (has_escapes) {
        if (!quoted_unescape(&reader->scratch, text))
            return false;
        text = core_buffer_slice(&reader->scratch);
    }
    element_json(reader, text);
    return true;
}

static bool bare_json(array_reader *reader) {
    const uint8_t *start = reader->cursor.at;
    for (uint8_t byte = array_peek(reader);
         core_cursor_left(&reader->cursor) > 0 && byte != reader->delimiter && byte != '}';
         byte = array_peek(reader)) {
        if (byte == '{' || byte == '"' || byte == '\\')
            return false;
        (void)core_cursor_u8(&reader->cursor);
    }
    core_slice text = core_slice_make(start, (size_t)(reader->cursor.at - start));
    if (core_slice_is(text, "NULL"))
        core_json_null(reader->writer);
    else
        element_json(reader, text);
    return text.length > 0;
}

/* ---- Levels ---- */

static bool level_json(array_reader *reader);

static bool item_json(array_reader *reader) {
    if (array_peek(reader) == '{')
        return level_json(reader);
    return array_take(reader, '"') ? quoted_json(reader) : bare_json(reader);
}

/* Recursion ends at ARRAY_MAX_DEPTH. */
static bool level_json(array_reader *reader) {
    if (reader->depth == ARRAY_MAX_DEPTH || !array_take(reader, '{'))
        return false;
    reader->depth++;
    core_json_array_open(reader->writer);
    if (!array_take(reader, '}')) {
        do {
            if (!item_json(reader))
                return false;
        } while (array_take(reader, reader->delimiter));
        if (!array_take(reader, '}'))
            return false;
    }
    core_json_array_close(reader->writer);
    reader->depth--;
    return true;
}

bool core_array_json(core_json_writer *writer, uint32_t element_oid, char delimiter,
                     core_slice text) {
    core_json_writer before = *writer;
    size_t length = writer->out->length;
    array_reader reader = {
        .cursor = core_cursor_make(text),
        .writer = writer,
        .element_oid = element_oid,
        .delimiter = delimiter != 0 ? (uint8_t)delimiter : ',',
    };
    core_buffer_init(&reader.scratch, text.length);
    bool ok = bounds_skip(&reader) && level_json(&reader) && core_cursor_done(&reader.cursor);
    core_buffer_fini(&reader.scratch);
    if (!ok) {
        *writer = before;
        writer->out->length = length;
    }
    return ok;
}
