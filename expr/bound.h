/* A filter's terms with the places and values that one shape of a relation gives them. Private to
 * expr. */
#ifndef WALCAST_EXPR_BOUND_H
#define WALCAST_EXPR_BOUND_H

#include "expr/filter.h"
#include "expr/scalar.h"

typedef struct {
    const expr_term *term;
    const expr_scalar *values; /* slices into the filter */
    uint16_t value_count;
    uint16_t column; /* index in the relation */
    uint8_t kind;    /* expr_scalar_kind; NONE: only asked for null */
    uint8_t op;      /* expr_op; as in the term, so that it need not be looked at */
    bool negated;
} expr_bound_term;

struct expr_bound {
    size_t count;
    expr_bound_term terms[]; /* the values stand behind them */
};

#endif
