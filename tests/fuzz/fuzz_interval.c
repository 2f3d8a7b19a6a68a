/* Any bytes as an interval: what is taken means the same when it is written in full, is equal to
 * itself and hashes so, and negates. */
#include "expr/calendar.h"
#include "expr/interval.h"
#include "expr/operations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every part with its sign. */
static core_slice written(const expr_interval *value, char *text, size_t size) {
    int64_t time_us = value->time_us < 0 ? -value->time_us : value->time_us;
    int length =
        snprintf(text, size,
                 "%+" PRId32 " mons %+" PRId32 " days %c%02" PRId64 ":%02" PRId64 ":%02" PRId64
                 ".%06" PRId64,
                 value->months, value->days, value->time_us < 0 ? '-' : '+',
                 time_us / EXPR_US_PER_HOUR, time_us % EXPR_US_PER_HOUR / EXPR_US_PER_MINUTE,
                 time_us % EXPR_US_PER_MINUTE / CORE_US_PER_S, time_us % CORE_US_PER_S);
    if (length < 0 || (size_t)length >= size)
        abort();
    return core_slice_make(text, (size_t)length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[128];
    expr_interval value, again, negated;
    core_slice given = core_slice_make(data, size);
    for (int64_t fields = 2; fields <= EXPR_INTERVAL_SECOND; fields *= 2)
        if (expr_interval_parse_fields(given, fields, &value) && value.days == INT32_MIN)
            abort();
    if (!expr_interval_parse(given, &value))
        return 0;
    if (!expr_interval_parse(written(&value, text, sizeof text), &again) ||
        again.months != value.months || again.days != value.days ||
        again.time_us != value.time_us || expr_interval_compare(&value, &again) != 0 ||
        expr_interval_hash(&value) != expr_interval_hash(&again))
        abort();
    if (!expr_interval_negate(&value, &negated) || !expr_interval_negate(&negated, &again) ||
        expr_interval_compare(&value, &again) != 0)
        abort();
    return 0;
}
