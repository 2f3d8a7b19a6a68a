/* A bound filter as an SQL condition; see expr.h.
 *
 * Each parameter is cast to the type that evaluation compares by, so that the server reads it with
 * that type's input function. Text compares bytewise: COLLATE "C". An equality of texts is written
 * twice, since only the one under the column's own collation can use an ordinary index; it is never
 * narrower. Names are qualified, for the search path may be anybody's. */
#include "expr/bound.h"

typedef struct {
    core_buffer *out;
    const char **parameters;
    size_t first;
    size_t count;
} sql_writer;

static const char *kind_type(expr_scalar_kind kind) {
    static const char *const types[] = {
        [EXPR_SCALAR_NONE] = "text",           [EXPR_SCALAR_BOOL] = "bool",
        [EXPR_SCALAR_INT2] = "int2",           [EXPR_SCALAR_INT4] = "int4",
        [EXPR_SCALAR_INT8] = "int8",           [EXPR_SCALAR_OID] = "oid",
        [EXPR_SCALAR_FLOAT4] = "float4",       [EXPR_SCALAR_FLOAT8] = "float8",
        [EXPR_SCALAR_NUMERIC] = "numeric",     [EXPR_SCALAR_TEXT] = "text",
        [EXPR_SCALAR_PADDED_TEXT] = "bpchar",  [EXPR_SCALAR_LABEL] = "text",
        [EXPR_SCALAR_UUID] = "uuid",           [EXPR_SCALAR_DATE] = "date",
        [EXPR_SCALAR_TIMESTAMP] = "timestamp", [EXPR_SCALAR_TIMESTAMPTZ] = "timestamptz",
    };
    return types[kind];
}

static bool kind_is_collated(expr_scalar_kind kind) {
    return kind == EXPR_SCALAR_TEXT || kind == EXPR_SCALAR_PADDED_TEXT || kind == EXPR_SCALAR_LABEL;
}

/* LIKE and ~ see char(n)'s padding, and take a pattern that is plain text. */
static const char *parameter_type(const expr_bound_term *bound) {
    return bound->term->operation->need == EXPR_NEEDS_TEXT ? "text" : kind_type(bound->kind);
}

static void column_write(const sql_writer *sql, const expr_bound_term *bound, bool collated) {
    core_identifier_append(sql->out, bound->term->column);
    if (bound->kind == EXPR_SCALAR_LABEL)
        core_buffer_text(sql->out, "::pg_catalog.text");
    if (collated)
        core_buffer_text(sql->out, " COLLATE \"C\"");
}

/* `$n::type`, or a list of them in parentheses, from number `first` on. */
static void placeholders_write(const sql_writer *sql, const expr_bound_term *bound, size_t first) {
    bool list = bound->term->operation->op == EXPR_OP_IN;
    for (size_t i = 0; i < bound->term->value_count; i++)
        core_buffer_format(sql->out, "%s$%zu::pg_catalog.%s",
                           !list    ? ""
                           : i == 0 ? "("
                                    : ", ",
                           first + i, parameter_type(bound));
    if (list)
        core_buffer_text(sql->out, ")");
}

static void comparison_write(sql_writer *sql, const expr_bound_term *bound) {
    const expr_term *term = bound->term;
    size_t first = sql->first + sql->count;
    bool collated = kind_is_collated(bound->kind);
    bool twice = collated && bound->kind != EXPR_SCALAR_LABEL &&
                 (term->operation->op == EXPR_OP_EQ || term->operation->op == EXPR_OP_IN);
    for (size_t i = 0; i < term->value_count; i++)
        sql->parameters[sql->count++] = (const char *)term->values[i].data;
    if (twice) {
        column_write(sql, bound, false);
        core_buffer_format(sql->out, " %s ", term->operation->sql);
        placeholders_write(sql, bound, first);
        core_buffer_text(sql->out, " AND ");
    }
    column_write(sql, bound, collated);
    core_buffer_format(sql->out, " %s ", term->operation->sql);
    placeholders_write(sql, bound, first);
}

/* Null is asked for in the form that a row type takes as other types do: IS NULL of one whose
 * fields are all null is true. */
static void literal_write(const sql_writer *sql, const expr_bound_term *bound) {
    static const char *const conditions[] = {
        [EXPR_LITERAL_NONE] = "",
        [EXPR_LITERAL_NULL] = " IS NOT DISTINCT FROM NULL",
        [EXPR_LITERAL_TRUE] = " IS TRUE",
        [EXPR_LITERAL_FALSE] = " IS FALSE",
        [EXPR_LITERAL_UNKNOWN] = " IS UNKNOWN",
    };
    core_identifier_append(sql->out, bound->term->column);
    core_buffer_text(sql->out, conditions[bound->term->literal]);
}

static void term_write(sql_writer *sql, const expr_bound_term *bound) {
    core_buffer_text(sql->out, bound->term->negated ? "(NOT (" : "(");
    if (bound->term->operation->op == EXPR_OP_IS)
        literal_write(sql, bound);
    else
        comparison_write(sql, bound);
    core_buffer_text(sql->out, bound->term->negated ? "))" : ")");
}

bool expr_bound_sql(const expr_bound *bound, size_t first, core_buffer *out,
                    const char *parameters[EXPR_FILTER_VALUES_MAX], size_t *count) {
    sql_writer sql = {.out = out, .parameters = parameters, .first = first};
    if (bound->count == 0)
        core_buffer_text(out, "TRUE");
    for (size_t i = 0; i < bound->count; i++) {
        if (i > 0)
            core_buffer_text(out, " AND ");
        term_write(&sql, &bound->terms[i]);
    }
    *count = sql.count;
    return core_buffer_ok(out);
}
