/* One value of a column's type, so that two texts of the same value are equal: 1.0 and 1.00 as
 * numeric, 'T' and ' ' in a timestamp.
 *
 * Private to expr. A scalar is parsed from text (PostgreSQL's output for a row, what a user wrote
 * for a filter) without allocation; its slices point into that text. What a type's input function
 * accepts is taken from PostgreSQL 15's own (src/backend/utils/adt), less its spellings that nobody
 * writes in a filter: dates other than ISO 8601, special words but the infinities, uuid braces. */
#ifndef WALCAST_EXPR_SCALAR_H
#define WALCAST_EXPR_SCALAR_H

#include "core/core.h"

typedef enum {
    EXPR_SCALAR_NONE = 0, /* cannot be compared */
    EXPR_SCALAR_BOOL,
    EXPR_SCALAR_INT2,
    EXPR_SCALAR_INT4,
    EXPR_SCALAR_INT8,
    EXPR_SCALAR_OID,
    EXPR_SCALAR_FLOAT4,
    EXPR_SCALAR_FLOAT8,
    EXPR_SCALAR_NUMERIC,
    EXPR_SCALAR_TEXT,
    EXPR_SCALAR_PADDED_TEXT, /* bpchar: blanks at the end do not count */
    EXPR_SCALAR_LABEL,       /* of an enum: equal as text, ordered as nobody tells us */
    EXPR_SCALAR_UUID,
    EXPR_SCALAR_DATE,
    EXPR_SCALAR_TIMESTAMP,
    EXPR_SCALAR_TIMESTAMPTZ,
    EXPR_SCALAR_TIME,     /* of conditions only, as intervals: filters do not take such columns */
    EXPR_SCALAR_INTERVAL, /* equal and ordered as if a month had 30 days, and a day 24 hours */
} expr_scalar_kind;

/* digits * 10^exponent, where `digits` begins and ends with a digit other than 0 and may have a
 * point inside; no digits: zero. */
typedef struct {
    enum { EXPR_NUMERIC_FINITE = 0, EXPR_NUMERIC_INFINITE, EXPR_NUMERIC_NAN } form;
    bool negative;
    core_slice digits;
    size_t digit_count; /* without the point */
    int64_t exponent;   /* of the last digit */
} expr_numeric;

typedef struct {
    int32_t months;
    int32_t days;
    int64_t time_us;
} expr_interval;

typedef union {
    int64_t integer; /* bool, integers, days, microseconds */
    double real;
    core_slice text;
    uint8_t uuid[16];
    expr_numeric numeric;
    expr_interval interval;
} expr_scalar;

/* How a column's values compare; a domain's as what it is over. Types that are not built in are
 * taken for enums, but for those whose names tell better. */
expr_scalar_kind expr_scalar_kind_of(const core_column *column);

/* False when the text is no value of that kind. */
CORE_MUST_CHECK bool expr_scalar_parse(expr_scalar_kind kind, core_slice text, expr_scalar *scalar);
/* As PostgreSQL's `=` says, where NaN equals NaN and -0 equals 0. */
bool expr_scalar_equal(expr_scalar_kind kind, const expr_scalar *left, const expr_scalar *right);
/* Less than, equal or greater than zero, as PostgreSQL orders them: NaN is the greatest, false
 * comes before true, texts go by their bytes. Not for labels. */
int expr_scalar_compare(expr_scalar_kind kind, const expr_scalar *left, const expr_scalar *right);
/* A number that goes with the order: of two scalars the greater one's is not less. Of integers and
 * times it is the value. */
int64_t expr_scalar_rank(expr_scalar_kind kind, const expr_scalar *scalar);
/* Equal scalars hash equally. */
uint64_t expr_scalar_hash(expr_scalar_kind kind, const expr_scalar *scalar);

/* The parsers of one kind each. */
CORE_MUST_CHECK bool expr_integer_parse(core_slice text, int64_t min, int64_t max, int64_t *value);
CORE_MUST_CHECK bool expr_bool_parse(core_slice text, int64_t *value);
CORE_MUST_CHECK bool expr_real_parse(core_slice text, bool single, double *value);
CORE_MUST_CHECK bool expr_numeric_parse(core_slice text, expr_numeric *value);
bool expr_numeric_equal(const expr_numeric *left, const expr_numeric *right);
int expr_numeric_compare(const expr_numeric *left, const expr_numeric *right);
uint64_t expr_numeric_hash(const expr_numeric *value);
/* Days or microseconds since 2000; the infinities are the ends of int64. A timestamp's zone is read
 * and ignored, a timestamptz without zone is UTC. */
CORE_MUST_CHECK bool expr_date_parse(core_slice text, int64_t *days);
CORE_MUST_CHECK bool expr_timestamp_parse(core_slice text, bool with_zone, int64_t *time_us);
/* Microseconds since midnight, up to 24:00. */
CORE_MUST_CHECK bool expr_clock_parse(core_slice text, int64_t *time_us);
/* What PostgreSQL prints under each IntervalStyle, and what people write: "1 year 2 mons 3 days
 * 04:05:06.7", "-1.5 hours", "@ 1 day ago", "1-2", "3 4:05:06", "P1DT2H"; see interval_parse.c for
 * what is not taken. */
CORE_MUST_CHECK bool expr_interval_parse(core_slice text, expr_interval *value);
int expr_interval_compare(const expr_interval *left, const expr_interval *right);
uint64_t expr_interval_hash(const expr_interval *value);

#endif
