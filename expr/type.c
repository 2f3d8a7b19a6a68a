/* The table of types; see type.h. */
#include "expr/type.h"

typedef struct {
    uint32_t type_oid;
    uint32_t array_oid;
    const char *name;    /* pg_type.typname */
    const char *written; /* by format_type */
    uint8_t kind;        /* expr_scalar_kind */
    char category;       /* pg_type.typcategory */
    bool preferred;
} type_row;

static const type_row rows[] = {
    [EXPR_TYPE_NONE] = {0, 0, "", "another type", EXPR_SCALAR_NONE, '?', false},
    [EXPR_TYPE_UNKNOWN] = {705, 0, "unknown", "unknown", EXPR_SCALAR_TEXT, 'X', false},
    [EXPR_TYPE_BOOL] = {16, 1000, "bool", "boolean", EXPR_SCALAR_BOOL, 'B', true},
    [EXPR_TYPE_INT2] = {21, 1005, "int2", "smallint", EXPR_SCALAR_INT2, 'N', false},
    [EXPR_TYPE_INT4] = {23, 1007, "int4", "integer", EXPR_SCALAR_INT4, 'N', false},
    [EXPR_TYPE_INT8] = {20, 1016, "int8", "bigint", EXPR_SCALAR_INT8, 'N', false},
    [EXPR_TYPE_OID] = {26, 1028, "oid", "oid", EXPR_SCALAR_OID, 'N', true},
    [EXPR_TYPE_FLOAT4] = {700, 1021, "float4", "real", EXPR_SCALAR_FLOAT4, 'N', false},
    [EXPR_TYPE_FLOAT8] = {701, 1022, "float8", "double precision", EXPR_SCALAR_FLOAT8, 'N', true},
    [EXPR_TYPE_NUMERIC] = {1700, 1231, "numeric", "numeric", EXPR_SCALAR_NUMERIC, 'N', false},
    [EXPR_TYPE_TEXT] = {25, 1009, "text", "text", EXPR_SCALAR_TEXT, 'S', true},
    [EXPR_TYPE_VARCHAR] = {1043, 1015, "varchar", "character varying", EXPR_SCALAR_TEXT, 'S',
                           false},
    [EXPR_TYPE_BPCHAR] = {1042, 1014, "bpchar", "character", EXPR_SCALAR_PADDED_TEXT, 'S', false},
    [EXPR_TYPE_NAME] = {19, 1003, "name", "name", EXPR_SCALAR_TEXT, 'S', false},
    [EXPR_TYPE_UUID] = {2950, 2951, "uuid", "uuid", EXPR_SCALAR_UUID, 'U', false},
    [EXPR_TYPE_DATE] = {1082, 1182, "date", "date", EXPR_SCALAR_DATE, 'D', false},
    [EXPR_TYPE_TIMESTAMP] = {1114, 1115, "timestamp", "timestamp without time zone",
                             EXPR_SCALAR_TIMESTAMP, 'D', false},
    [EXPR_TYPE_TIMESTAMPTZ] = {1184, 1185, "timestamptz", "timestamp with time zone",
                               EXPR_SCALAR_TIMESTAMPTZ, 'D', true},
    /* PostgreSQL has it in D, but none of those turns into it, nor it into them. */
    [EXPR_TYPE_TIME] = {1083, 1183, "time", "time without time zone", EXPR_SCALAR_TIME, 'C', false},
    [EXPR_TYPE_INTERVAL] = {1186, 1187, "interval", "interval", EXPR_SCALAR_INTERVAL, 'T', true},
    [EXPR_TYPE_JSON] = {114, 199, "json", "json", EXPR_SCALAR_TEXT, 'U', false},
    [EXPR_TYPE_JSONB] = {3802, 3807, "jsonb", "jsonb", EXPR_SCALAR_TEXT, 'U', false},
    [EXPR_TYPE_ENUM] = {0, 0, "", "enum", EXPR_SCALAR_LABEL, 'E', false},
};

expr_type expr_type_of_oid(uint32_t type_oid) {
    for (size_t id = EXPR_TYPE_BOOL; type_oid != 0 && id < CORE_COUNT_OF(rows); id++)
        if (rows[id].type_oid == type_oid || rows[id].array_oid == type_oid)
            return (expr_type){.id = (expr_type_id)id, .is_array = rows[id].array_oid == type_oid};
    return expr_type_make(EXPR_TYPE_NONE);
}

expr_type expr_type_of_name(core_slice name) {
    for (size_t id = EXPR_TYPE_BOOL; id < EXPR_TYPE_ENUM; id++)
        if (core_slice_is(name, rows[id].name))
            return expr_type_make((expr_type_id)id);
    return expr_type_make(EXPR_TYPE_NONE);
}

expr_type expr_type_of_column(const core_column *column) {
    if (expr_scalar_kind_of(column) == EXPR_SCALAR_LABEL)
        return (expr_type){.id = EXPR_TYPE_ENUM, .enum_name = column->type_name};
    return expr_type_of_oid(core_column_base_oid(column));
}

expr_scalar_kind expr_type_kind(expr_type type) {
    return type.is_array ? EXPR_SCALAR_TEXT : (expr_scalar_kind)rows[type.id].kind;
}

core_slice expr_type_name(expr_type type) {
    if (type.id == EXPR_TYPE_ENUM && !type.is_array)
        return type.enum_name;
    return core_slice_text(type.is_array ? "an array" : rows[type.id].written);
}

bool expr_type_equal(expr_type left, expr_type right) {
    return left.id == right.id && left.is_array == right.is_array &&
           (left.id != EXPR_TYPE_ENUM || core_slice_equal(left.enum_name, right.enum_name));
}

bool expr_type_is(expr_type type, expr_type_id id) {
    return type.id == id && !type.is_array;
}

static char category(expr_type type) {
    return type.is_array ? 'A' : rows[type.id].category;
}

bool expr_type_is_string(expr_type type) {
    return category(type) == 'S';
}

bool expr_type_is_integer(expr_type type) {
    return !type.is_array && type.id >= EXPR_TYPE_INT2 && type.id <= EXPR_TYPE_INT8;
}

bool expr_type_is_number(expr_type type) {
    return category(type) == 'N' && type.id != EXPR_TYPE_OID;
}

bool expr_type_is_time(expr_type type) {
    return category(type) == 'D';
}

bool expr_type_is_json(expr_type type) {
    return expr_type_is(type, EXPR_TYPE_JSON) || expr_type_is(type, EXPR_TYPE_JSONB);
}

/* How far a number goes up: each turns into all with a higher one. */
static int number_rank(expr_type_id id) {
    static const expr_type_id order[] = {EXPR_TYPE_INT2,    EXPR_TYPE_INT4,   EXPR_TYPE_INT8,
                                         EXPR_TYPE_NUMERIC, EXPR_TYPE_FLOAT4, EXPR_TYPE_FLOAT8};
    for (size_t i = 0; i < CORE_COUNT_OF(order); i++)
        if (order[i] == id)
            return (int)i;
    return -1;
}

bool expr_type_is_implicit(expr_type from, expr_type to) {
    if (expr_type_equal(from, to) || expr_type_is(from, EXPR_TYPE_UNKNOWN))
        return true;
    if (from.is_array || to.is_array || category(from) != category(to))
        return false;
    switch (category(from)) {
    case 'N':
        return (to.id == EXPR_TYPE_OID && expr_type_is_integer(from)) ||
               (number_rank(from.id) >= 0 && number_rank(from.id) < number_rank(to.id));
    case 'S': /* but name into varchar and char(n), which is done on assignment only */
        return from.id != EXPR_TYPE_NAME || to.id == EXPR_TYPE_TEXT;
    case 'D':
        return from.id < to.id;
    default:
        return false;
    }
}

bool expr_type_common(const expr_type *types, size_t count, expr_type *common) {
    *common = expr_type_make(EXPR_TYPE_UNKNOWN);
    for (size_t i = 0; i < count; i++) {
        expr_type next = types[i];
        if (expr_type_is(next, EXPR_TYPE_UNKNOWN) || expr_type_equal(next, *common))
            continue;
        if (expr_type_is(*common, EXPR_TYPE_UNKNOWN)) {
            *common = next;
            continue;
        }
        if (category(next) != category(*common) || category(next) == '?' ||
            (category(next) == 'U' || category(next) == 'E' || category(next) == 'A'))
            return false;
        if (!rows[common->id].preferred && expr_type_is_implicit(*common, next) &&
            !expr_type_is_implicit(next, *common))
            *common = next;
    }
    if (expr_type_is(*common, EXPR_TYPE_UNKNOWN))
        *common = expr_type_make(EXPR_TYPE_TEXT);
    return true;
}
