/* Days and their dates: the proleptic Gregorian calendar with 1 BC as year 0, as PostgreSQL has it
 * inside.
 *
 * Private to expr. Any day of any year that fits; what PostgreSQL's types can hold is looked at by
 * who asks. */
#ifndef WALCAST_EXPR_CALENDAR_H
#define WALCAST_EXPR_CALENDAR_H

#include "core/core.h"

#define EXPR_US_PER_DAY    INT64_C(86400000000)
#define EXPR_US_PER_HOUR   INT64_C(3600000000)
#define EXPR_US_PER_MINUTE INT64_C(60000000)

/* What the types hold: of dates in days since 2000, of timestamps in microseconds since then; the
 * ends are outside. */
#define EXPR_DATE_MIN      INT64_C(-2451545)
#define EXPR_DATE_END      INT64_C(2145031949)
#define EXPR_TIMESTAMP_MIN (EXPR_DATE_MIN * EXPR_US_PER_DAY)
#define EXPR_TIMESTAMP_END (EXPR_TIMESTAMP_DATE_END * EXPR_US_PER_DAY)
/* The first day that is too late for a timestamp. */
#define EXPR_TIMESTAMP_DATE_END INT64_C(106751983)

typedef struct {
    int64_t year;
    int64_t month; /* 1 to 12 */
    int64_t day;   /* 1 to 31 */
} expr_day;

/* Days since 2000-01-01. */
int64_t expr_calendar_days(expr_day day);
expr_day expr_calendar_day(int64_t days);
int64_t expr_calendar_month_length(int64_t year, int64_t month);

static inline bool expr_time_is_infinite(int64_t time) {
    return time == INT64_MIN || time == INT64_MAX;
}

/* The day that a timestamp is in. */
static inline int64_t expr_time_days(int64_t time_us) {
    return time_us / EXPR_US_PER_DAY - (time_us % EXPR_US_PER_DAY < 0 ? 1 : 0);
}

#endif
