/* See vector.h. */
#include "search-index/vector.h"

#include <stdio.h>

struct search_vector_type {
    const char *name;
    char open, close;
    bool counts_dimensions;   /* the column's modifier is their number */
    const char *operators[4]; /* by search_metric; NULL: there is none */
};

static const search_vector_type types[] = {
    {"vector", '[', ']', true, {"<=>", "<->", "<#>", "<+>"}},
    {"halfvec", '[', ']', true, {"<=>", "<->", "<#>", "<+>"}},
    {"cube", '(', ')', false, {NULL, "<->", NULL, "<#>"}},
};

static const char *const metric_names[] = {"cosine", "l2", "inner", "l1"};

const char *search_metric_name(search_metric metric) {
    return metric_names[metric];
}

void search_vector_write(const search_vector_type *kind, const float *numbers, size_t count,
                         core_buffer *out) {
    core_buffer_u8(out, (uint8_t)kind->open);
    for (size_t i = 0; i < count; i++)
        core_buffer_format(out, "%s%.9g", i > 0 ? "," : "", (double)numbers[i]);
    core_buffer_u8(out, (uint8_t)kind->close);
}

/* ---- The column ---- */

static const char column_sql[] =
    "SELECT t.typname, pg_catalog.format_type(a.atttypid, NULL), a.atttypmod, v.at >= '{0,5}',"
    " v.at >= '{0,8}' FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN LATERAL (SELECT pg_catalog.string_to_array("
    "     substring(e.extversion from '^[0-9]+[.][0-9]+'), '.')::int[] AS at"
    "   FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
    "   WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid"
    "   AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND e.extname = 'vector') v ON true"
    " WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attname = $2 AND a.attnum > 0"
    " AND NOT a.attisdropped";

static const char operator_sql[] =
    "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_operator o"
    " JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace"
    " JOIN pg_catalog.pg_attribute a ON a.atttypid = o.oprleft AND a.atttypid = o.oprright"
    " WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attname = $2 AND o.oprname = $3 LIMIT 1";

static const char indexed_sql[] =
    "SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a"
    " ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
    " JOIN pg_catalog.pg_opclass c ON c.oid = i.indclass[0]"
    " JOIN pg_catalog.pg_amop o ON o.amopfamily = c.opcfamily AND o.amoppurpose = 'o'"
    " JOIN pg_catalog.pg_operator p ON p.oid = o.amopopr"
    " WHERE i.indrelid = pg_catalog.to_regclass($1) AND a.attname = $2 AND p.oprname = $3"
    " AND i.indisvalid";

static bool is_true(const char *value) {
    return value != NULL && *value == 't';
}

static const search_vector_type *type_find(const char *name) {
    for (size_t i = 0; i < CORE_COUNT_OF(types); i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

static bool column_take(const pg_result *result, search_vector_column *column) {
    int64_t dimensions = -1;
    int length = snprintf(column->type, sizeof column->type, "%s", pg_result_value(result, 0, 1));
    column->is_there = true;
    column->kind = type_find(pg_result_value(result, 0, 0));
    column->has_scan_limit = is_true(pg_result_value(result, 0, 3));
    column->scans_on = is_true(pg_result_value(result, 0, 4));
    if (column->kind != NULL && column->kind->counts_dimensions &&
        core_slice_to_i64(core_slice_text(pg_result_value(result, 0, 2)), &dimensions) &&
        dimensions > 0)
        column->dimensions = (uint32_t)dimensions;
    return length > 0 && (size_t)length < sizeof column->type;
}

bool search_vector_look(pg_connection *connection, const char *place, const search_vector *vector,
                        search_vector_column *column, core_error *error) {
    char name[SEARCH_IDENTIFIER_MAX + 1];
    *column = (search_vector_column){.is_there = false};
    (void)snprintf(name, sizeof name, "%.*s", CORE_SLICE_ARGS(vector->column));
    const char *parameters[] = {place, name, NULL};
    pg_result *result = pg_query_kept(connection, column_sql, parameters, 2, error);
    if (result == NULL)
        return false;
    bool ok =
        pg_result_rows(result) == 0 || column_take(result, column) ||
        core_error_set(error, CORE_ERROR_LIMIT, "the name of column %s's type is too long", name);
    pg_result_free(result);
    if (!ok || column->kind == NULL || column->kind->operators[vector->metric] == NULL)
        return ok;
    parameters[2] = column->kind->operators[vector->metric];
    result = pg_query_kept(connection, operator_sql, parameters, 3, error);
    if (result == NULL)
        return false;
    if (pg_result_rows(result) > 0)
        (void)snprintf(column->operator, sizeof column->operator, "OPERATOR(%s.%s)",
                       pg_result_value(result, 0, 0), parameters[2]);
    pg_result_free(result);
    return true;
}

bool search_vector_indexed(pg_connection *connection, const char *place,
                           const search_vector *vector, const search_vector_column *column,
                           bool *is_indexed, core_error *error) {
    char name[SEARCH_IDENTIFIER_MAX + 1];
    (void)snprintf(name, sizeof name, "%.*s", CORE_SLICE_ARGS(vector->column));
    const char *parameters[] = {place, name, column->kind->operators[vector->metric]};
    pg_result *result = pg_query(connection, indexed_sql, parameters, 3, error);
    *is_indexed = result != NULL && pg_result_rows(result) > 0;
    pg_result_free(result);
    return result != NULL;
}
