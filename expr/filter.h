/* A parsed filter: terms that all must hold. Private to expr. */
#ifndef WALCAST_EXPR_FILTER_H
#define WALCAST_EXPR_FILTER_H

#include "expr/expr.h"
#include "expr/operator.h"
#include "expr/regex.h"

/* column operator values; slices into the filter's own copy, each value with a NUL behind it. */
typedef struct {
    core_slice column;
    const expr_operator *operation;
    bool negated;
    expr_literal literal;     /* of `is` */
    const core_slice *values; /* one; none of `is`; several of `in` */
    size_t value_count;
    expr_regex *regex; /* of `match` and `imatch`; owned by the filter */
} expr_term;

struct expr_filter {
    size_t count;
    expr_term *terms;
};

#endif
