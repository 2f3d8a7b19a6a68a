/* Arithmetic of intervals; see operations.h. As PostgreSQL computes it (interval_mul and the like,
 * src/backend/utils/adt/timestamp.c), with its floats in its order. Where versions before 17 wrap
 * around unseen, or have no infinite intervals, the result is undecided. */
#include "expr/calendar.h"
#include "expr/operations.h"

#include <math.h>

#define DAYS_PER_MONTH 30
#define S_PER_DAY      86400

static const char out_of_range[] = "interval out of range";
static const char on_version[] = "an interval at its limits hangs on the server's version";

static void interval_set(expr_datum *result, expr_interval value) {
    result->state = EXPR_DATUM_VALUE;
    result->scalar.interval = value;
}

/* ---- + - and the sign ---- */

static void interval_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                           expr_datum *result) {
    const expr_interval *left = &arguments[0].scalar.interval;
    const expr_interval *right = &arguments[1].scalar.interval;
    expr_interval sum;
    bool overflows = false;
    (void)at;
    if (node->option == '+')
        overflows = __builtin_add_overflow(left->months, right->months, &sum.months) ||
                    __builtin_add_overflow(left->days, right->days, &sum.days) ||
                    __builtin_add_overflow(left->time_us, right->time_us, &sum.time_us);
    else
        overflows = __builtin_sub_overflow(left->months, right->months, &sum.months) ||
                    __builtin_sub_overflow(left->days, right->days, &sum.days) ||
                    __builtin_sub_overflow(left->time_us, right->time_us, &sum.time_us);
    if (overflows)
        expr_datum_error(result, out_of_range);
    else
        interval_set(result, sum);
}

bool expr_interval_negate(const expr_interval *value, expr_interval *negated) {
    return !__builtin_sub_overflow(0, value->months, &negated->months) &&
           !__builtin_sub_overflow(0, value->days, &negated->days) &&
           !__builtin_sub_overflow(0, value->time_us, &negated->time_us);
}

static void interval_negate_apply(const expr_node *node, expr_evaluation *at,
                                  const expr_datum *arguments, expr_datum *result) {
    expr_interval negated;
    (void)node;
    (void)at;
    if (expr_interval_negate(&arguments[0].scalar.interval, &negated))
        interval_set(result, negated);
    else
        expr_datum_error(result, out_of_range);
}

/* ---- * and / ---- */

/* To whole microseconds, as TSROUND does it. */
static double rounded(double seconds) {
    return rint(seconds * 1000000.0) / 1000000.0;
}

static double scaled(double value, double factor, bool divides) {
    return divides ? value / factor : value * factor;
}

static bool part_fits(double value) {
    return value >= (double)INT32_MIN && value <= (double)INT32_MAX;
}

/* What is left of months goes down to days, and of days to the time. False: out of range. */
static bool interval_scale(const expr_interval *value, double factor, bool divides,
                           expr_interval *result) {
    double months = scaled(value->months, factor, divides);
    double days = scaled(value->days, factor, divides);
    if (!part_fits(months) || !part_fits(days))
        return false;
    result->months = (int32_t)months;
    result->days = (int32_t)days;
    double month_days = rounded((months - result->months) * DAYS_PER_MONTH);
    int32_t whole_days = (int32_t)month_days;
    double seconds = rounded((days - result->days + month_days - whole_days) * S_PER_DAY);
    if (fabs(seconds) >= S_PER_DAY) {
        int32_t carried = (int32_t)(seconds / S_PER_DAY);
        whole_days += carried;
        seconds -= carried * S_PER_DAY;
    }
    double time =
        rint(scaled((double)value->time_us, factor, divides) + seconds * (double)CORE_US_PER_S);
    if (__builtin_add_overflow(result->days, whole_days, &result->days) ||
        !(time >= -0x1p63 && time < 0x1p63))
        return false;
    result->time_us = (int64_t)time;
    return true;
}

static void interval_scale_apply(const expr_node *node, expr_evaluation *at,
                                 const expr_datum *arguments, expr_datum *result) {
    double factor = arguments[1].scalar.real;
    bool divides = node->option == '/';
    expr_interval value;
    (void)at;
    if (divides && factor == 0)
        expr_datum_error(result, "division by zero");
    else if (isinf(factor) || (divides && isnan(factor)))
        expr_datum_undecided(result, on_version);
    else if (interval_scale(&arguments[0].scalar.interval, factor, divides, &value))
        interval_set(result, value);
    else if (divides)
        expr_datum_undecided(result, on_version);
    else
        expr_datum_error(result, out_of_range);
}

const expr_operation expr_operation_interval_arithmetic = {
    .name = "interval", .raises = true, .apply = interval_apply};
const expr_operation expr_operation_interval_negate = {
    .name = "interval_negate", .raises = true, .apply = interval_negate_apply};
const expr_operation expr_operation_interval_scale = {
    .name = "interval_scale", .raises = true, .apply = interval_scale_apply};
