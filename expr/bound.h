/* A filter's terms with the places and values that one shape of a relation gives them. Private to
 * expr. */
#ifndef WALCAST_EXPR_BOUND_H
#define WALCAST_EXPR_BOUND_H

#include "expr/filter.h"
#include "expr/scalar.h"

typedef struct {
    uint16_t column; /* index in the relation */
    expr_scalar_kind kind;
    expr_scalar value; /* slices into the filter */
} expr_bound_term;

struct expr_bound {
    size_t count;
    expr_bound_term terms[];
};

#endif
