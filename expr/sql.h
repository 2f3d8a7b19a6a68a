/* SQL text to PostgreSQL's own parse tree (libpg_query), within bounds.
 *
 * Private to expr. What comes out is one expression; everything around it is checked away here: a
 * second statement, FROM, WHERE and so on. */
#ifndef WALCAST_EXPR_SQL_H
#define WALCAST_EXPR_SQL_H

#include "expr/expr.h"

#include <pg_query/pg_query.pb-c.h>

typedef struct {
    PgQuery__ParseResult *result;
    const PgQuery__Node *expression; /* lives as long as the result */
    size_t prefix; /* bytes that positions in the tree count in front of the text */
} expr_sql;

/* An expression by itself. False with the refusal. */
CORE_MUST_CHECK bool expr_sql_parse_expression(core_slice text, expr_sql *sql,
                                               expr_refusal *refusal);
/* A function's body: SELECT or RETURN and one expression. */
CORE_MUST_CHECK bool expr_sql_parse_body(core_slice text, expr_sql *sql, expr_refusal *refusal);
void expr_sql_free(expr_sql *sql);

/* The one value that a SELECT without FROM, WHERE and all else gives; NULL for any other query. */
const PgQuery__Node *expr_sql_select_value(const PgQuery__SelectStmt *select);
/* Of characters, from 1; `location` is one of the tree's, -1: 0. */
size_t expr_sql_position(core_slice text, size_t prefix, int64_t location);
/* The text of a String node; NULL for other nodes. */
const char *expr_sql_string(const PgQuery__Node *node);

/* Fills the refusal: "TEXT" or "at character N: TEXT". Returns false. */
bool expr_refuse(expr_refusal *refusal, expr_refusal_kind kind, size_t position, const char *format,
                 ...) CORE_PRINTF(4, 5);

#endif
