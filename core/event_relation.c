/* A relation's wire form, writer and reader side by side; see event.proto.
 *
 * Encoded once per version of a table and then copied into each run (core_relation_encode); decoded
 * into an arena, columns counted first so that the array is allocated in one piece. */
#include "core/event_wire.h"

static uint64_t zigzag(int32_t value) {
    return (uint32_t)value << 1 ^ (value < 0 ? UINT32_MAX : 0);
}

static int32_t zigzag_undo(uint32_t value) {
    return (int32_t)(value >> 1 ^ (value & 1 ? UINT32_MAX : 0));
}

/* ---- Writing ---- */

static size_t column_size(const core_column *column) {
    return wire_bytes_size(column->name) + wire_number_size(column->type_oid) +
           wire_number_size(zigzag(column->typmod)) + wire_number_size(column->key) +
           wire_bytes_size(column->type_name) + wire_number_size(column->base_oid) +
           wire_number_size(column->element_oid) + wire_number_size((uint8_t)column->delimiter);
}

static uint8_t *column_put(uint8_t *at, const core_column *column) {
    at = wire_put_delimited(at, RELATION_COLUMNS, column_size(column));
    at = wire_put_bytes(at, COLUMN_NAME, column->name);
    at = wire_put_number(at, COLUMN_TYPE_OID, column->type_oid);
    at = wire_put_number(at, COLUMN_TYPMOD, zigzag(column->typmod));
    at = wire_put_number(at, COLUMN_KEY, column->key);
    at = wire_put_bytes(at, COLUMN_TYPE_NAME, column->type_name);
    at = wire_put_number(at, COLUMN_BASE_TYPE_OID, column->base_oid);
    at = wire_put_number(at, COLUMN_ELEMENT_TYPE_OID, column->element_oid);
    return wire_put_number(at, COLUMN_DELIMITER, (uint8_t)column->delimiter);
}

size_t core_relation_wire_size(const core_relation *relation) {
    if (relation->encoded.length > 0)
        return relation->encoded.length;
    size_t size = wire_number_size(relation->oid) + wire_bytes_size(relation->schema) +
                  wire_bytes_size(relation->table) +
                  wire_number_size((uint8_t)relation->replica_identity) +
                  wire_number_size(relation->version);
    for (size_t i = 0; i < relation->column_count; i++)
        size += wire_delimited_size(column_size(&relation->columns[i]));
    return size;
}

size_t core_relation_size(const core_relation *relation) {
    return wire_delimited_size(core_relation_wire_size(relation));
}

uint8_t *core_relation_wire_put(uint8_t *at, const core_relation *relation) {
    if (relation->encoded.length > 0)
        return wire_put_raw(at, relation->encoded);
    at = wire_put_number(at, RELATION_OID, relation->oid);
    at = wire_put_bytes(at, RELATION_SCHEMA, relation->schema);
    at = wire_put_bytes(at, RELATION_TABLE, relation->table);
    at = wire_put_number(at, RELATION_REPLICA_IDENTITY, (uint8_t)relation->replica_identity);
    at = wire_put_number(at, RELATION_VERSION, relation->version);
    for (size_t i = 0; i < relation->column_count; i++)
        at = column_put(at, &relation->columns[i]);
    return at;
}

bool core_relation_encode(core_relation *relation, core_arena *arena) {
    relation->encoded = core_slice_make(NULL, 0);
    size_t size = core_relation_wire_size(relation);
    uint8_t *bytes = core_arena_alloc(arena, size > 0 ? size : 1);
    if (bytes == NULL)
        return false;
    const uint8_t *end = core_relation_wire_put(bytes, relation);
    assert(end == bytes + size);
    relation->encoded = core_slice_make(bytes, (size_t)(end - bytes));
    return true;
}

/* ---- Reading ---- */

static const uint8_t relation_types[] = {
    [RELATION_OID] = WIRE_VARINT,     [RELATION_SCHEMA] = WIRE_BYTES,
    [RELATION_TABLE] = WIRE_BYTES,    [RELATION_REPLICA_IDENTITY] = WIRE_VARINT,
    [RELATION_VERSION] = WIRE_VARINT, [RELATION_COLUMNS] = WIRE_BYTES,
};
static const wire_message relation_message = {"Relation", relation_types, RELATION_COLUMNS};

static const uint8_t column_types[] = {
    [COLUMN_NAME] = WIRE_BYTES,
    [COLUMN_TYPE_OID] = WIRE_VARINT,
    [COLUMN_TYPMOD] = WIRE_VARINT,
    [COLUMN_KEY] = WIRE_VARINT,
    [COLUMN_TYPE_NAME] = WIRE_BYTES,
    [COLUMN_BASE_TYPE_OID] = WIRE_VARINT,
    [COLUMN_ELEMENT_TYPE_OID] = WIRE_VARINT,
    [COLUMN_DELIMITER] = WIRE_VARINT,
};
static const wire_message column_message = {"Column", column_types, COLUMN_DELIMITER};

static bool column_number_read(core_column *column, const wire_field *field) {
    uint32_t number = (uint32_t)field->value;
    bool is_delimiter = field->number == COLUMN_DELIMITER;
    if (field->value > (is_delimiter ? 0x7f : UINT32_MAX))
        return false;
    if (field->number == COLUMN_TYPE_OID)
        column->type_oid = number;
    else if (field->number == COLUMN_TYPMOD)
        column->typmod = zigzag_undo(number);
    else if (field->number == COLUMN_BASE_TYPE_OID)
        column->base_oid = number;
    else if (field->number == COLUMN_ELEMENT_TYPE_OID)
        column->element_oid = number;
    else
        column->delimiter = (char)number;
    return true;
}

static bool column_read(const wire_source *source, core_slice bytes, core_column *column) {
    core_cursor cursor = core_cursor_make(bytes);
    wire_field field = {.start = bytes.data};
    while (wire_next(&cursor, &column_message, &field)) {
        switch (field.number) {
        case COLUMN_NAME:
            column->name = field.bytes;
            break;
        case COLUMN_TYPE_OID:
        case COLUMN_TYPMOD:
        case COLUMN_BASE_TYPE_OID:
        case COLUMN_ELEMENT_TYPE_OID:
        case COLUMN_DELIMITER:
            if (!column_number_read(column, &field))
                return wire_refuse(source, field.start, "Column", "has a number out of range");
            break;
        case COLUMN_KEY:
            column->key = field.value != 0;
            break;
        case COLUMN_TYPE_NAME:
            column->type_name = field.bytes;
            break;
        default:
            break;
        }
    }
    return wire_done(source, &cursor, &column_message, &field);
}

static bool columns_read(const wire_source *source, core_slice bytes, core_column *columns) {
    core_cursor cursor = core_cursor_make(bytes);
    wire_field field;
    size_t at = 0;
    while (wire_next(&cursor, &relation_message, &field))
        if (field.number == RELATION_COLUMNS && !column_read(source, field.bytes, &columns[at++]))
            return false;
    return true;
}

static bool relation_number_read(core_relation *relation, const wire_field *field) {
    if (field->value > UINT32_MAX)
        return false;
    if (field->number == RELATION_OID)
        relation->oid = (uint32_t)field->value;
    else if (field->number == RELATION_VERSION)
        relation->version = (uint32_t)field->value;
    else if (field->value <= 0x7f)
        relation->replica_identity = (char)field->value;
    else
        return false;
    return true;
}

/* All but the columns, which are only counted. */
static bool relation_head_read(const wire_source *source, core_slice bytes, core_relation *relation,
                               size_t *column_count) {
    core_cursor cursor = core_cursor_make(bytes);
    wire_field field = {.start = bytes.data};
    while (wire_next(&cursor, &relation_message, &field)) {
        switch (field.number) {
        case RELATION_OID:
        case RELATION_REPLICA_IDENTITY:
        case RELATION_VERSION:
            if (!relation_number_read(relation, &field))
                return wire_refuse(source, field.start, "Relation", "has a number out of range");
            break;
        case RELATION_SCHEMA:
            relation->schema = field.bytes;
            break;
        case RELATION_TABLE:
            relation->table = field.bytes;
            break;
        case RELATION_COLUMNS:
            (*column_count)++;
            break;
        default:
            break;
        }
    }
    return wire_done(source, &cursor, &relation_message, &field);
}

bool core_relation_wire_read(const wire_source *source, core_slice bytes, core_arena *arena,
                             core_relation *relation) {
    size_t count = 0;
    *relation = (core_relation){.encoded = bytes};
    if (!relation_head_read(source, bytes, relation, &count))
        return false;
    if (count > CORE_COLUMNS_MAX)
        return wire_refuse(source, bytes.data, "Relation",
                           "has more columns than PostgreSQL allows");
    core_column *columns = core_arena_array(arena, count > 0 ? count : 1, sizeof *columns);
    if (columns == NULL)
        return core_error_set(source->error, CORE_ERROR_LIMIT,
                              "run: no room for a relation of %zu columns", count);
    relation->column_count = (uint16_t)count;
    relation->columns = columns;
    return columns_read(source, bytes, columns);
}
