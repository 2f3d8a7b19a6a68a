/* See value_text.h. Each form undoes what value.c does to a type's text; what it cannot undo comes
 * out otherwise, never as an error: the caller compares. */
#include "core/value_text.h"

#include "core/value_oid.h"

#include <strings.h>

typedef enum {
    FORM_STRING, /* the text itself: a string, a number or a boolean */
    FORM_DOCUMENT,
    FORM_BYTEA,
    FORM_TIMESTAMP,
    FORM_TIMESTAMPTZ,
    FORM_VECTOR,
    FORM_ARRAY,
} value_form;

typedef struct {
    value_form form;
    value_form element; /* of an array */
    char delimiter;
} column_form;

static value_form type_form(uint32_t oid) {
    switch (oid) {
    case TYPE_JSON:
    case TYPE_JSONB:
        return FORM_DOCUMENT;
    case TYPE_BYTEA:
        return FORM_BYTEA;
    case TYPE_TIMESTAMP:
        return FORM_TIMESTAMP;
    case TYPE_TIMESTAMPTZ:
        return FORM_TIMESTAMPTZ;
    case TYPE_INT2VECTOR:
    case TYPE_OIDVECTOR:
        return FORM_VECTOR;
    default:
        return FORM_STRING;
    }
}

static column_form form_of(const core_column *column) {
    if (value_column_is_array(column))
        return (column_form){FORM_ARRAY, type_form(column->element_oid),
                             column->delimiter != 0 ? column->delimiter : ','};
    uint32_t oid = core_column_base_oid(column);
    uint32_t element = core_type_element(oid);
    if (element != 0)
        return (column_form){FORM_ARRAY, type_form(element), element == TYPE_BOX ? ';' : ','};
    return (column_form){.form = type_form(oid)};
}

/* ---- Scalars ---- */

/* 2024-02-29T01:02:03+00:00 was "2024-02-29 01:02:03+00"; the era stands behind. */
static void timestamp_undo(core_buffer *out, size_t start, bool has_zone) {
    static const char era[] = " BC", minutes[] = ":00";
    const size_t era_length = sizeof era - 1, minutes_length = sizeof minutes - 1;
    uint8_t *text = out->data + start;
    size_t length = out->length - start;
    uint8_t *separator = length > 0 ? memchr(text, 'T', length) : NULL;
    if (separator != NULL)
        *separator = ' ';
    bool has_era = length > era_length && memcmp(text + length - era_length, era, era_length) == 0;
    size_t end = length - (has_era ? era_length : 0);
    if (!has_zone || end < sizeof "+00:00" - 1 ||
        memcmp(text + end - minutes_length, minutes, minutes_length) != 0 ||
        (text[end - 6] != '+' && text[end - 6] != '-'))
        return;
    memmove(text + end - minutes_length, text + end, length - end);
    out->length -= minutes_length;
}

static core_slice text_since(const core_buffer *out, size_t start) {
    return out->length > start ? core_slice_make(out->data + start, out->length - start)
                               : (core_slice){0};
}

static bool is_plain(core_slice raw) {
    return raw.length == 0 || memchr(raw.data, '\\', raw.length) == NULL;
}

static bool string_text(value_form form, core_slice raw, core_buffer *out, core_slice *text) {
    size_t start = out->length;
    bool is_timestamp = form == FORM_TIMESTAMP || form == FORM_TIMESTAMPTZ;
    if (raw.length == 0 && form != FORM_BYTEA)
        return true;
    if (form == FORM_BYTEA)
        core_buffer_text(out, "\\x");
    else if (is_plain(raw) && !is_timestamp) {
        *text = raw;
        return true;
    }
    if (!core_json_unescape(raw, out))
        return false;
    if (is_timestamp)
        timestamp_undo(out, start, form == FORM_TIMESTAMPTZ);
    *text = text_since(out, start);
    return true;
}

/* A value that is neither null nor an array; the reader is moved behind it. */
static bool scalar_text(value_form form, core_json_reader *reader, core_json_token token,
                        core_buffer *out, core_slice *text) {
    if (form == FORM_DOCUMENT)
        return core_json_skip(reader, token, text);
    switch (token.kind) {
    case CORE_JSON_TRUE:
    case CORE_JSON_FALSE:
        *text = core_slice_text(token.kind == CORE_JSON_TRUE ? "t" : "f");
        return true;
    case CORE_JSON_NUMBER:
        *text = token.raw;
        return true;
    case CORE_JSON_STRING:
        return string_text(form, token.raw, out, text);
    default:
        return false;
    }
}

/* ---- Arrays, as array_out writes them (src/backend/utils/adt/arrayfuncs.c) ---- */

static bool element_is_quoted(core_slice text, char delimiter) {
    if (text.length == 0 ||
        (text.length == 4 && strncasecmp((const char *)text.data, "null", 4) == 0))
        return true;
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.data[i];
        if (byte == (uint8_t)delimiter || byte == ' ' || (byte >= '\t' && byte <= '\r') ||
            (byte != 0 && strchr("\"\\{}", byte) != NULL))
            return true;
    }
    return false;
}

static void element_append(core_buffer *out, core_slice text, char delimiter) {
    if (!element_is_quoted(text, delimiter)) {
        core_buffer_slice_append(out, text);
        return;
    }
    core_buffer_u8(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            core_buffer_u8(out, '\\');
        core_buffer_u8(out, text.data[i]);
    }
    core_buffer_u8(out, '"');
}

static bool element_text(const column_form *form, core_json_reader *reader, core_json_token token,
                         core_buffer *scratch, core_buffer *out) {
    core_slice text = {0};
    if (token.kind == CORE_JSON_NULL) {
        core_buffer_text(out, "NULL");
        return true;
    }
    core_buffer_reset(scratch);
    if (!scalar_text(form->element, reader, token, scratch, &text))
        return false;
    element_append(out, text, form->delimiter);
    return true;
}

/* `reader` stands behind the outer bracket. */
static bool array_levels(const column_form *form, core_json_reader *reader, core_buffer *scratch,
                         core_buffer *out) {
    bool needs_delimiter = false;
    core_buffer_u8(out, '{');
    while (reader->depth > 0) {
        core_json_token token = core_json_next(reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE) {
            core_buffer_u8(out, '}');
            needs_delimiter = true;
            continue;
        }
        if (needs_delimiter)
            core_buffer_u8(out, (uint8_t)form->delimiter);
        needs_delimiter = token.kind != CORE_JSON_ARRAY_OPEN;
        if (token.kind == CORE_JSON_ARRAY_OPEN)
            core_buffer_u8(out, '{');
        else if (!element_text(form, reader, token, scratch, out))
            return false;
    }
    return core_buffer_ok(out);
}

static bool array_text(const column_form *form, core_json_reader *reader, core_slice json,
                       core_buffer *out, core_slice *text) {
    core_buffer scratch;
    size_t start = out->length;
    core_buffer_init(&scratch, core_column_text_room(json));
    bool ok = array_levels(form, reader, &scratch, out);
    core_buffer_fini(&scratch);
    *text = text_since(out, start);
    return ok;
}

/* int2vector and oidvector: numbers with blanks between. */
static bool vector_text(core_json_reader *reader, core_buffer *out, core_slice *text) {
    size_t start = out->length;
    for (core_json_token token = core_json_next(reader); token.kind != CORE_JSON_ARRAY_CLOSE;
         token = core_json_next(reader)) {
        bool is_number = token.kind == CORE_JSON_NUMBER ||
                         (token.kind == CORE_JSON_STRING && is_plain(token.raw));
        if (!is_number)
            return false;
        if (out->length > start)
            core_buffer_u8(out, ' ');
        core_buffer_slice_append(out, token.raw);
    }
    *text = text_since(out, start);
    return core_buffer_ok(out);
}

/* ---- Values ---- */

/* An element of n bytes and its comma become at most 2n + 3: quotes, a backslash before each byte,
 * bytea's "\\x". */
size_t core_column_text_room(core_slice json) {
    bool is_array = json.length > 0 && json.data[0] == '[';
    return is_array ? CORE_COLUMN_TEXT_FACTOR * json.length + 16 : json.length + 16;
}

bool core_column_text(const core_column *column, core_slice json, core_buffer *out,
                      core_value *value) {
    core_json_reader reader = core_json_envelope_reader_make(json);
    core_json_token token = core_json_next(&reader);
    column_form form = form_of(column);
    *value = (core_value){.kind = CORE_VALUE_TEXT};
    if (token.kind == CORE_JSON_NULL) {
        value->kind = CORE_VALUE_NULL;
        return true;
    }
    if (token.kind == CORE_JSON_ARRAY_OPEN && form.form == FORM_ARRAY)
        return array_text(&form, &reader, json, out, &value->bytes);
    if (token.kind == CORE_JSON_ARRAY_OPEN && form.form == FORM_VECTOR)
        return vector_text(&reader, out, &value->bytes);
    return scalar_text(form.form, &reader, token, out, &value->bytes);
}
