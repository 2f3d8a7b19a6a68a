/* What an interval's type modifier leaves of one: `interval '5' day`.
 *
 * Private to expr. */
#ifndef WALCAST_EXPR_INTERVAL_H
#define WALCAST_EXPR_INTERVAL_H

#include "expr/scalar.h"

/* The fields of a type modifier, as PostgreSQL's grammar has them (INTERVAL_MASK). */
enum {
    EXPR_INTERVAL_MONTH = 1 << 1,
    EXPR_INTERVAL_YEAR = 1 << 2,
    EXPR_INTERVAL_DAY = 1 << 3,
    EXPR_INTERVAL_HOUR = 1 << 10,
    EXPR_INTERVAL_MINUTE = 1 << 11,
    EXPR_INTERVAL_SECOND = 1 << 12,
};

/* A literal with these fields: its number without a unit is of the least of them, and what is below
 * that is cut off. False: the engine does not take it. */
CORE_MUST_CHECK bool expr_interval_parse_fields(core_slice text, int64_t fields,
                                                expr_interval *value);

#endif
