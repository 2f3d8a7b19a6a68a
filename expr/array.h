/* The elements of an array's text, one by one: `{1,NULL,"a b"}`, of one dimension, as PostgreSQL
 * prints it. Private to expr. */
#ifndef WALCAST_EXPR_ARRAY_H
#define WALCAST_EXPR_ARRAY_H

#include "expr/node.h"

typedef struct {
    core_slice rest;
    bool begun;
    bool failed; /* more dimensions, bounds in front, or no array */
} expr_array;

expr_array expr_array_make(core_slice text);
/* The next element as a value of the kind or null. False behind the last, and when it failed.
 * Elements with a backslash are written into the evaluation's memory. */
CORE_MUST_CHECK bool expr_array_next(expr_array *array, expr_evaluation *at, uint8_t kind,
                                     expr_datum *element);
/* The next element's text alone. */
CORE_MUST_CHECK bool expr_array_text(expr_array *array, expr_evaluation *at, core_slice *text,
                                     bool *is_null);

#endif
