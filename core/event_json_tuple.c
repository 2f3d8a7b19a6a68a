/* Relation and rows of a JSON message; see event_json_parts.h.
 *
 * Rows name their columns. The names stand in the relation's order, so the search for each begins
 * behind the one before and finds at once; another order is read too. */
#include "core/event_json_parts.h"

#include "core/base64.h"
#include "core/value_text.h"

/* ---- Relation ---- */

typedef struct {
    core_slice name, name_base64, type, type_base64, type_known, oid, typmod, key, base_oid,
        element_oid, delimiter;
} column_members;

static bool delimiter_read(const event_json_source *source, core_slice json, char *delimiter) {
    core_slice text = {0};
    if (json.length == 0)
        return true;
    if (!event_json_bytes(source, json, (core_slice){0}, "column.delimiter", &text))
        return false;
    if (text.length != 1 || text.data[0] > 0x7f)
        return event_json_refuse(source, "column.delimiter", "is not one ASCII character");
    *delimiter = (char)text.data[0];
    return true;
}

static bool column_numbers_read(const event_json_source *source, const column_members *json,
                                core_column *column) {
    int64_t typmod = -1;
    if (!event_json_u32(source, json->oid, "column.oid", &column->type_oid) ||
        !event_json_u32(source, json->base_oid, "column.base_oid", &column->base_oid) ||
        !event_json_u32(source, json->element_oid, "column.element_oid", &column->element_oid) ||
        !event_json_signed(source, json->typmod, "column.typmod", &typmod) ||
        !event_json_bool(source, json->key, "column.key", &column->key) ||
        !delimiter_read(source, json->delimiter, &column->delimiter))
        return false;
    if (typmod < INT32_MIN || typmod > INT32_MAX)
        return event_json_refuse(source, "column.typmod", "is over 32 bits");
    column->typmod = (int32_t)typmod;
    return true;
}

static bool column_read(const event_json_source *source, core_slice object, core_column *column,
                        core_slice *name) {
    column_members json = {0};
    const event_json_member members[] = {
        {"name", &json.name},
        {"name_base64", &json.name_base64},
        {"type", &json.type},
        {"type_base64", &json.type_base64},
        {"type_known", &json.type_known},
        {"oid", &json.oid},
        {"typmod", &json.typmod},
        {"key", &json.key},
        {"base_oid", &json.base_oid},
        {"element_oid", &json.element_oid},
        {"delimiter", &json.delimiter},
    };
    bool type_known = true;
    if (!event_json_members(source, object, "column", members, CORE_COUNT_OF(members)) ||
        !event_json_bytes(source, json.name, json.name_base64, "column.name", &column->name) ||
        !event_json_bytes(source, json.type, json.type_base64, "column.type", &column->type_name) ||
        !event_json_bool(source, json.type_known, "column.type_known", &type_known) ||
        !column_numbers_read(source, &json, column))
        return false;
    if (!type_known)
        column->type_name = (core_slice){0};
    return event_json_raw(json.name, name) ||
           event_json_refuse(source, "column.name", "is missing");
}

static bool columns_count(const event_json_source *source, core_slice array, size_t *count) {
    core_json_reader reader = core_json_envelope_reader_make(array);
    core_slice key, json;
    bool more = core_json_next(&reader).kind == CORE_JSON_ARRAY_OPEN;
    *count = 0;
    while (more) {
        if (!event_json_item(&reader, &key, &json, &more) || *count > CORE_COLUMNS_MAX)
            return event_json_refuse(source, "relation.columns",
                                     "is malformed or has more than PostgreSQL allows");
        *count += more;
    }
    return true;
}

static bool columns_read(const event_json_source *source, core_slice array,
                         event_json_relation *relation) {
    size_t count = 0;
    if (!columns_count(source, array, &count))
        return false;
    core_column *columns = core_arena_array(source->arena, count + 1, sizeof *columns);
    relation->names = core_arena_array(source->arena, count + 1, sizeof *relation->names);
    if (columns == NULL || relation->names == NULL)
        return event_json_no_room(source);
    core_json_reader reader = core_json_envelope_reader_make(array);
    (void)core_json_next(&reader);
    for (size_t i = 0; i < count; i++) {
        core_slice key, json;
        bool more;
        if (!event_json_item(&reader, &key, &json, &more) ||
            !column_read(source, json, &columns[i], &relation->names[i]))
            return false;
    }
    relation->relation.columns = columns;
    relation->relation.column_count = (uint16_t)count;
    return true;
}

static bool identity_read(const event_json_source *source, core_slice json, char *identity) {
    core_slice text = {0};
    if (!event_json_bytes(source, json, (core_slice){0}, "relation.replica_identity", &text))
        return false;
    bool is_named = core_slice_is(text, "default") || core_slice_is(text, "nothing") ||
                    core_slice_is(text, "full") || core_slice_is(text, "index");
    if (text.length > 0 && text.data[0] <= 0x7f && (is_named || text.length == 1))
        *identity = (char)text.data[0]; /* each name begins with its letter */
    else if (text.length > 0)
        return event_json_refuse(source, "relation.replica_identity", "is unknown");
    return true;
}

bool event_json_relation_read(const event_json_source *source, core_slice object,
                              event_json_relation *relation) {
    core_slice oid = {0}, identity = {0}, version = {0}, columns = {0};
    const event_json_member members[] = {
        {"oid", &oid},
        {"replica_identity", &identity},
        {"version", &version},
        {"columns", &columns},
    };
    core_relation *read = &relation->relation;
    return event_json_members(source, object, "relation", members, CORE_COUNT_OF(members)) &&
           event_json_u32(source, oid, "relation.oid", &read->oid) &&
           event_json_u32(source, version, "relation.version", &read->version) &&
           identity_read(source, identity, &read->replica_identity) &&
           columns_read(source, columns, relation);
}

/* ---- Rows ---- */

typedef enum {
    PLACE_EMPTY = 0,
    PLACE_TAKEN,
    PLACE_UNTOLD, /* its JSON gives no text of the type: `exact` must */
} tuple_place;

/* A row being put together: which of its values are there, and where the last name was found. */
typedef struct {
    const event_json_source *source;
    const event_json_relation *relation;
    core_tuple *tuple; /* of all the columns */
    tuple_place *places;
    size_t next;
} tuple_reader;

static bool column_find(tuple_reader *reader, core_slice name, bool anew, size_t *column) {
    size_t count = reader->relation->relation.column_count;
    for (size_t i = 0; i < count; i++) {
        size_t at = (reader->next + i) % count;
        if (!core_slice_equal(reader->relation->names[at], name) ||
            (anew && reader->places[at] != PLACE_EMPTY))
            continue;
        *column = at;
        reader->next = at + 1 < count ? at + 1 : 0;
        return true;
    }
    return event_json_refuse(reader->source, "a row", "names a column that its relation has not");
}

/* Most values are slices of the message; only what is not takes room. */
static bool value_read(tuple_reader *reader, size_t column, core_slice json) {
    const event_json_source *source = reader->source;
    const core_column *type = &reader->relation->relation.columns[column];
    core_value *value = &reader->tuple->values[column];
    uint8_t unused[1];
    core_buffer out = core_buffer_over(unused, sizeof unused);
    reader->places[column] = PLACE_TAKEN;
    if (core_column_text(type, json, &out, value) && out.length == 0)
        return true;
    size_t room = core_column_text_room(json);
    void *memory = core_arena_alloc(source->arena, room);
    if (memory == NULL)
        return event_json_no_room(source);
    out = core_buffer_over(memory, room);
    if (!core_column_text(type, json, &out, value))
        reader->places[column] = PLACE_UNTOLD;
    return true;
}

static bool values_read(tuple_reader *reader, core_slice object) {
    core_json_reader json = core_json_envelope_reader_make(object);
    bool more = core_json_next(&json).kind == CORE_JSON_OBJECT_OPEN;
    if (!more && !event_json_is_null(object))
        return event_json_refuse(reader->source, "a row", "is no object");
    while (more) {
        core_slice name, value;
        size_t column;
        if (!event_json_item(&json, &name, &value, &more))
            return event_json_refuse(reader->source, "a row", "is malformed");
        if (more &&
            (!column_find(reader, name, true, &column) || !value_read(reader, column, value)))
            return false;
    }
    return true;
}

static bool exact_value_read(const event_json_source *source, core_slice json, core_value *value) {
    core_slice text = {0}, binary = {0};
    const event_json_member members[] = {{"text_base64", &text}, {"binary_base64", &binary}};
    value->kind = CORE_VALUE_TEXT;
    if (json.data[0] == '"')
        return event_json_bytes(source, json, (core_slice){0}, "exact", &value->bytes);
    if (!event_json_members(source, json, "exact", members, CORE_COUNT_OF(members)))
        return false;
    if (binary.length > 0)
        value->kind = CORE_VALUE_BINARY;
    core_slice base64 = binary.length > 0 ? binary : text;
    return base64.length > 0
               ? event_json_bytes(source, (core_slice){0}, base64, "exact", &value->bytes)
               : event_json_refuse(source, "exact", "has neither text nor bytes");
}

static bool exact_read(tuple_reader *reader, core_slice object) {
    core_json_reader json = core_json_envelope_reader_make(object);
    bool more = object.length > 0 && core_json_next(&json).kind == CORE_JSON_OBJECT_OPEN;
    reader->next = 0;
    while (more) {
        core_slice name, value;
        size_t column;
        if (!event_json_item(&json, &name, &value, &more))
            return event_json_refuse(reader->source, "exact", "is malformed");
        if (!more)
            break;
        if (!column_find(reader, name, false, &column) ||
            !exact_value_read(reader->source, value, &reader->tuple->values[column]))
            return false;
        reader->places[column] = PLACE_TAKEN;
    }
    return true;
}

/* Each column that the list names. */
static bool names_read(tuple_reader *reader, core_slice array,
                       void (*mark)(tuple_reader *reader, size_t column)) {
    core_json_reader json = core_json_envelope_reader_make(array);
    bool more = array.length > 0 && core_json_next(&json).kind == CORE_JSON_ARRAY_OPEN;
    reader->next = 0;
    while (more) {
        core_slice key, value, name;
        size_t column;
        if (!event_json_item(&json, &key, &value, &more) || (more && !event_json_raw(value, &name)))
            return event_json_refuse(reader->source, "a list of columns", "is malformed");
        if (!more)
            break;
        if (!column_find(reader, name, false, &column))
            return false;
        mark(reader, column);
    }
    return true;
}

static void mark_unchanged(tuple_reader *reader, size_t column) {
    reader->tuple->values[column] = (core_value){.kind = CORE_VALUE_UNCHANGED};
    reader->places[column] = PLACE_TAKEN;
}

static void mark_read_later(tuple_reader *reader, size_t column) {
    reader->tuple->values[column].read_later = true;
}

/* What a new image lacks must be at its end; an old one's stands for null in a key's image, and for
 * what PostgreSQL did not send in a whole one. */
static bool absent_settle(tuple_reader *reader, core_old_kind old_kind) {
    core_tuple *tuple = reader->tuple;
    const core_column *columns = reader->relation->relation.columns;
    if (old_kind == CORE_OLD_NONE)
        while (tuple->count > 0 && reader->places[tuple->count - 1] == PLACE_EMPTY)
            tuple->count--;
    for (size_t i = 0; i < tuple->count; i++) {
        if (reader->places[i] == PLACE_TAKEN)
            continue;
        if (reader->places[i] == PLACE_UNTOLD)
            return event_json_refuse(reader->source, "a row",
                                     "has a value that is not of its type");
        if (old_kind == CORE_OLD_NONE)
            return event_json_refuse(reader->source, "after",
                                     "lacks a column that `unchanged` does not name");
        bool is_unchanged = old_kind == CORE_OLD_FULL || columns[i].key;
        tuple->values[i] =
            (core_value){.kind = is_unchanged ? CORE_VALUE_UNCHANGED : CORE_VALUE_NULL};
    }
    return true;
}

bool event_json_tuple_read(const event_json_source *source, const event_json_relation *relation,
                           const event_json_image *image, core_tuple *tuple) {
    size_t count = relation->relation.column_count;
    tuple_reader reader = {
        .source = source,
        .relation = relation,
        .tuple = tuple,
        .places = core_arena_array(source->arena, count + 1, sizeof *reader.places),
    };
    tuple->count = (uint16_t)count;
    tuple->values = core_arena_array(source->arena, count + 1, sizeof *tuple->values);
    if (reader.places == NULL || tuple->values == NULL)
        return event_json_no_room(source);
    return names_read(&reader, image->unchanged, mark_unchanged) &&
           values_read(&reader, image->values) && exact_read(&reader, image->exact) &&
           names_read(&reader, image->read_later, mark_read_later) &&
           absent_settle(&reader, image->old_kind);
}
