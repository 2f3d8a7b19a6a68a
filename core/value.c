/* Values by their type; see value.h. Each converter either writes its JSON whole or says that the
 * text is not its type's, and then the text goes out as a string. */
#include "core/value.h"

#include "core/value_array.h"
#include "core/value_oid.h"

#define TIMESTAMP_TEXT_MAX 48

/* ---- Shapes of text ---- */

static bool take(core_cursor *cursor, const char *any_of) {
    if (core_cursor_left(cursor) == 0 || *cursor->at == '\0' || !strchr(any_of, *cursor->at))
        return false;
    (void)core_cursor_u8(cursor);
    return true;
}

static size_t take_digits(core_cursor *cursor) {
    size_t count = 0;
    while (take(cursor, "0123456789"))
        count++;
    return count;
}

static bool take_two(core_cursor *cursor) {
    return take(cursor, "0123456789") && take(cursor, "0123456789");
}

/* RFC 8259's number: no leading zeros, digits on both sides of the point. */
static bool is_json_number(core_slice text) {
    core_cursor cursor = core_cursor_make(text);
    (void)take(&cursor, "-");
    if (!take(&cursor, "0") && take_digits(&cursor) == 0)
        return false;
    if (take(&cursor, ".") && take_digits(&cursor) == 0)
        return false;
    if (take(&cursor, "eE")) {
        (void)take(&cursor, "+-");
        if (take_digits(&cursor) == 0)
            return false;
    }
    return core_cursor_done(&cursor);
}

static bool take_date_and_time(core_cursor *cursor) {
    return take_digits(cursor) >= 4 && take(cursor, "-") && take_two(cursor) && take(cursor, "-") &&
           take_two(cursor) && take(cursor, " ") && take_two(cursor) && take(cursor, ":") &&
           take_two(cursor) && take(cursor, ":") && take_two(cursor) &&
           (!take(cursor, ".") || take_digits(cursor) > 0);
}

/* +00, +05:30, +00:19:32; `whole` says that minutes are there. */
static bool take_zone(core_cursor *cursor, bool *whole) {
    if (!take(cursor, "+-") || !take_two(cursor))
        return false;
    *whole = take(cursor, ":");
    if (!*whole)
        return true;
    return take_two(cursor) && (!take(cursor, ":") || take_two(cursor));
}

/* ---- Converters: false when the text is not of the type ---- */

static bool bool_json(core_json_writer *writer, core_slice text) {
    bool value = core_slice_is(text, "t");
    if (!value && !core_slice_is(text, "f"))
        return false;
    core_json_bool(writer, value);
    return true;
}

static bool number_json(core_json_writer *writer, core_slice text) {
    if (!is_json_number(text))
        return false;
    core_json_raw(writer, text);
    return true;
}

static size_t text_append(char *out, size_t length, const char *text) {
    size_t more = strlen(text);
    memcpy(out + length, text, more);
    return length + more;
}

static bool ends_with(core_slice text, const char *end) {
    size_t length = strlen(end);
    return text.length >= length && memcmp(text.data + text.length - length, end, length) == 0;
}

/* The era stands at the end, behind the zone. */
static bool timestamp_json(core_json_writer *writer, core_slice text, bool has_zone) {
    static const char era[] = " BC";
    bool has_era = ends_with(text, era);
    text.length -= has_era ? strlen(era) : 0;
    core_cursor cursor = core_cursor_make(text);
    bool whole = true;
    if (text.length > TIMESTAMP_TEXT_MAX || !take_date_and_time(&cursor) ||
        (has_zone && !take_zone(&cursor, &whole)) || !core_cursor_done(&cursor))
        return false;
    char iso[TIMESTAMP_TEXT_MAX + sizeof ":00 BC"];
    memcpy(iso, text.data, text.length);
    *(char *)memchr(iso, ' ', text.length) = 'T';
    size_t length = text_append(iso, text.length, whole ? "" : ":00");
    length = text_append(iso, length, has_era ? era : "");
    core_json_string(writer, core_slice_make(iso, length));
    return true;
}

static bool bytea_json(core_json_writer *writer, core_slice text) {
    if (text.length < 2 || memcmp(text.data, "\\x", 2) != 0)
        return false;
    core_json_string(writer, core_slice_make(text.data + 2, text.length - 2));
    return true;
}

static bool is_line_end(uint8_t byte) {
    return byte == '\n' || byte == '\r';
}

/* In valid JSON a line end is white space between tokens: a value of type json keeps its author's.
 */
static bool document_json(core_json_writer *writer, core_slice text) {
    if (!core_json_valid(text))
        return false;
    size_t start = writer->out->length;
    core_json_raw(writer, text);
    for (size_t i = start; core_buffer_ok(writer->out) && i < writer->out->length; i++)
        if (is_line_end(writer->out->data[i]))
            writer->out->data[i] = ' ';
    return true;
}

static bool array_json(core_json_writer *writer, uint32_t type_oid, core_slice text) {
    if (text.length == 0 || (text.data[0] != '{' && text.data[0] != '['))
        return false;
    uint32_t element_oid = core_type_element(type_oid);
    char delimiter = element_oid == TYPE_BOX ? ';' : ',';
    return element_oid != 0 && core_array_json(writer, element_oid, delimiter, text);
}

/* int2vector and oidvector: "1 2 3". */
static bool vector_json(core_json_writer *writer, uint32_t element_oid, core_slice text) {
    core_cursor cursor = core_cursor_make(text);
    core_json_array_open(writer);
    while (core_cursor_left(&cursor) > 0) {
        const uint8_t *start = cursor.at;
        while (core_cursor_left(&cursor) > 0 && *cursor.at != ' ')
            (void)core_cursor_u8(&cursor);
        core_value element = {.kind = CORE_VALUE_TEXT,
                              .bytes = core_slice_make(start, (size_t)(cursor.at - start))};
        core_value_json(writer, element_oid, &element);
        (void)take(&cursor, " ");
    }
    core_json_array_close(writer);
    return true;
}

static bool typed_json(core_json_writer *writer, uint32_t type_oid, core_slice text) {
    switch (type_oid) {
    case TYPE_BOOL:
        return bool_json(writer, text);
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC:
        return number_json(writer, text);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return timestamp_json(writer, text, type_oid == TYPE_TIMESTAMPTZ);
    case TYPE_BYTEA:
        return bytea_json(writer, text);
    case TYPE_INT2VECTOR:
        return vector_json(writer, TYPE_INT2, text);
    case TYPE_OIDVECTOR:
        return vector_json(writer, TYPE_OID, text);
    case TYPE_JSON:
    case TYPE_JSONB:
        return document_json(writer, text);
    default:
        return array_json(writer, type_oid, text);
    }
}

static void hex_json(core_json_writer *writer, core_slice bytes) {
    static const char digits[] = "0123456789abcdef";
    core_json_raw(writer, core_slice_text("\""));
    for (size_t i = 0; i < bytes.length; i++) {
        core_buffer_u8(writer->out, (uint8_t)digits[bytes.data[i] >> 4]);
        core_buffer_u8(writer->out, (uint8_t)digits[bytes.data[i] & 15]);
    }
    core_buffer_u8(writer->out, '"');
}

/* ---- Values, columns, tuples ---- */

void core_value_json(core_json_writer *writer, uint32_t type_oid, const core_value *value) {
    assert(value->kind != CORE_VALUE_UNCHANGED);
    if (value->kind == CORE_VALUE_NULL)
        core_json_null(writer);
    else if (value->kind == CORE_VALUE_BINARY)
        hex_json(writer, value->bytes);
    else if (!typed_json(writer, type_oid, value->bytes))
        core_json_string(writer, value->bytes);
}

void core_column_value_json(core_json_writer *writer, const core_column *column,
                            const core_value *value) {
    if (value->kind == CORE_VALUE_TEXT && value_column_is_array(column) &&
        core_array_json(writer, column->element_oid, column->delimiter, value->bytes))
        return;
    core_value_json(writer, core_column_base_oid(column), value);
}

static size_t tuple_columns(const core_relation *relation, const core_tuple *tuple) {
    return tuple->count < relation->column_count ? tuple->count : relation->column_count;
}

void core_tuple_json(core_json_writer *writer, const core_relation *relation,
                     const core_tuple *tuple, bool key_only) {
    core_json_object_open(writer);
    for (size_t i = 0; i < tuple_columns(relation, tuple); i++) {
        const core_column *column = &relation->columns[i];
        if (tuple->values[i].kind == CORE_VALUE_UNCHANGED || (key_only && !column->key))
            continue;
        core_json_key(writer, column->name);
        core_column_value_json(writer, column, &tuple->values[i]);
    }
    core_json_object_close(writer);
}

static bool value_is_unchanged(const core_value *value) {
    return value->kind == CORE_VALUE_UNCHANGED;
}

static bool value_is_read_later(const core_value *value) {
    return value->read_later;
}

/* "name":["col", ...], left out when there is no such column. */
static void columns_member(core_json_writer *writer, const char *name,
                           const core_relation *relation, const core_tuple *tuple,
                           bool (*wanted)(const core_value *value)) {
    bool any = false;
    for (size_t i = 0; i < tuple_columns(relation, tuple); i++) {
        if (!wanted(&tuple->values[i]))
            continue;
        if (!any) {
            core_json_key_text(writer, name);
            core_json_array_open(writer);
        }
        any = true;
        core_json_string(writer, relation->columns[i].name);
    }
    if (any)
        core_json_array_close(writer);
}

void core_tuple_marks_json(core_json_writer *writer, const core_relation *relation,
                           const core_tuple *tuple) {
    columns_member(writer, "unchanged", relation, tuple, value_is_unchanged);
    columns_member(writer, "read_later", relation, tuple, value_is_read_later);
}
