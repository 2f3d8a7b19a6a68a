/* The operators of filters: their names, what they need of a column, how SQL writes them.
 *
 * Private to expr. */
#ifndef WALCAST_EXPR_OPERATOR_H
#define WALCAST_EXPR_OPERATOR_H

#include "core/core.h"

/* What an operator is told by; the order of the comparisons counts in filter_eval.c. */
typedef enum {
    EXPR_OP_EQ,
    EXPR_OP_NEQ,
    EXPR_OP_LT,
    EXPR_OP_LTE,
    EXPR_OP_GT,
    EXPR_OP_GTE,
    EXPR_OP_IN,
    EXPR_OP_ISDISTINCT,
    EXPR_OP_LIKE,
    EXPR_OP_ILIKE,
    EXPR_OP_MATCH,
    EXPR_OP_IMATCH,
    EXPR_OP_IS,
} expr_op;

/* What the column's type must allow. */
typedef enum {
    EXPR_NEEDS_EQUALITY,
    EXPR_NEEDS_ORDER,
    EXPR_NEEDS_TEXT,
    EXPR_NEEDS_NOTHING, /* `is`: null of any type, the others of a boolean */
} expr_need;

typedef struct {
    const char *name;
    const char *sql;
    expr_op op;
    expr_need need;
} expr_operator;

/* Static; NULL when there is none of that name. */
const expr_operator *expr_operator_find(core_slice name);

/* What `is` asks for. */
typedef enum {
    EXPR_LITERAL_NONE,
    EXPR_LITERAL_NULL,
    EXPR_LITERAL_TRUE,
    EXPR_LITERAL_FALSE,
    EXPR_LITERAL_UNKNOWN,
} expr_literal;

/* In any case of letters; NONE when it is none of them. */
expr_literal expr_literal_of(core_slice word);

#endif
