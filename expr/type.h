/* The types of SQL expressions, as far as the engine knows them, and PostgreSQL's rules for them:
 * which turns into which by itself, what several have in common.
 *
 * Private to expr. The rules are those of src/backend/parser/parse_coerce.c and of the catalogs
 * (pg_type, pg_cast), for these types alone. */
#ifndef WALCAST_EXPR_TYPE_H
#define WALCAST_EXPR_TYPE_H

#include "expr/scalar.h"

typedef enum {
    EXPR_TYPE_NONE = 0, /* some other: can be asked for null */
    EXPR_TYPE_UNKNOWN,  /* a literal without a type yet */
    EXPR_TYPE_BOOL,
    EXPR_TYPE_INT2,
    EXPR_TYPE_INT4,
    EXPR_TYPE_INT8,
    EXPR_TYPE_OID,
    EXPR_TYPE_FLOAT4,
    EXPR_TYPE_FLOAT8,
    EXPR_TYPE_NUMERIC,
    EXPR_TYPE_TEXT,
    EXPR_TYPE_VARCHAR,
    EXPR_TYPE_BPCHAR,
    EXPR_TYPE_NAME,
    EXPR_TYPE_UUID,
    EXPR_TYPE_DATE,
    EXPR_TYPE_TIMESTAMP,
    EXPR_TYPE_TIMESTAMPTZ,
    EXPR_TYPE_TIME,
    EXPR_TYPE_INTERVAL,
    EXPR_TYPE_JSON,
    EXPR_TYPE_JSONB,
    EXPR_TYPE_ENUM,
} expr_type_id;

typedef struct {
    expr_type_id id;
    bool is_array;        /* of `id` */
    core_slice enum_name; /* pg_type.typname of an enum */
} expr_type;

static inline expr_type expr_type_make(expr_type_id id) {
    return (expr_type){.id = id};
}
static inline expr_type expr_type_array_of(expr_type element) {
    element.is_array = true;
    return element;
}

/* A built-in type's by its OID, array or not; NONE for all others. */
expr_type expr_type_of_oid(uint32_t type_oid);
/* By pg_type.typname of a built-in one ("int4"); NONE. Not of arrays. */
expr_type expr_type_of_name(core_slice name);
/* Of a column, through domains; user-defined types are taken for enums as filters do. */
expr_type expr_type_of_column(const core_column *column);
/* How its values are held and compared. */
expr_scalar_kind expr_type_kind(expr_type type);
/* For errors, as PostgreSQL writes it: "integer". */
core_slice expr_type_name(expr_type type);

bool expr_type_equal(expr_type left, expr_type right);
bool expr_type_is(expr_type type, expr_type_id id); /* and no array */
bool expr_type_is_string(expr_type type);           /* text, varchar, char(n), name */
bool expr_type_is_integer(expr_type type);          /* without oid */
bool expr_type_is_number(expr_type type);           /* without oid */
bool expr_type_is_time(expr_type type);             /* date, timestamp, timestamptz */
bool expr_type_is_json(expr_type type);

/* PostgreSQL casts values so without being asked, in an expression. Of literals of type unknown:
 * always. */
bool expr_type_is_implicit(expr_type from, expr_type to);

/* select_common_type of UNION, CASE, COALESCE, ARRAY, IN and the like. False when there is none.
 * Only literals: text. */
CORE_MUST_CHECK bool expr_type_common(const expr_type *types, size_t count, expr_type *common);

#endif
