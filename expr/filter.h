/* A parsed filter: terms that all must hold. Private to expr. */
#ifndef WALCAST_EXPR_FILTER_H
#define WALCAST_EXPR_FILTER_H

#include "expr/expr.h"

#define EXPR_FILTER_TERMS_MAX 32

/* column = value; slices into the filter's own copy. */
typedef struct {
    core_slice column;
    core_slice value;
} expr_term;

struct expr_filter {
    size_t count;
    const expr_term *terms;
};

#endif
