/* Arithmetic of dates, timestamps and times of the day; see operations.h. As PostgreSQL computes it
 * (src/backend/utils/adt/date.c, timestamp.c).
 *
 * A timestamptz moves by what an interval has of hours and below; its days and months hang on the
 * session's time zone. */
#include "expr/calendar.h"
#include "expr/operations.h"

static const char out_of_range[] = "timestamp out of range";
static const char on_version[] = "a time at its limits hangs on the server's version";
static const char on_infinity[] = "infinite times apart hang on the server's version";
static const char on_zone[] = "days and months of a timestamptz hang on TimeZone: write (… AT TIME "
                              "ZONE 'UTC') before";

static bool timestamp_serves(int64_t time_us) {
    return time_us >= EXPR_TIMESTAMP_MIN && time_us < EXPR_TIMESTAMP_END;
}

static void timestamp_set(expr_datum *result, int64_t time_us) {
    if (timestamp_serves(time_us))
        expr_datum_integer(result, time_us);
    else
        expr_datum_error(result, out_of_range);
}

/* ---- Dates ---- */

static void date_shift_apply(const expr_node *node, expr_evaluation *at,
                             const expr_datum *arguments, expr_datum *result) {
    int64_t date = arguments[0].scalar.integer;
    int64_t days = arguments[1].scalar.integer;
    (void)at;
    if (expr_time_is_infinite(date)) {
        expr_datum_integer(result, date);
        return;
    }
    date += node->option == '-' ? -days : days;
    if (date >= EXPR_DATE_MIN && date < EXPR_DATE_END)
        expr_datum_integer(result, date);
    else
        expr_datum_error(result, "date out of range");
}

static void date_difference_apply(const expr_node *node, expr_evaluation *at,
                                  const expr_datum *arguments, expr_datum *result) {
    int64_t left = arguments[0].scalar.integer;
    int64_t right = arguments[1].scalar.integer;
    (void)node;
    (void)at;
    if (expr_time_is_infinite(left) || expr_time_is_infinite(right))
        expr_datum_error(result, "cannot subtract infinite dates");
    else
        expr_datum_integer(result, left - right);
}

/* A date as its start. False: it is too late for a timestamp. */
static bool start_of(expr_type type, int64_t time, int64_t *time_us) {
    *time_us = time;
    if (!expr_type_is(type, EXPR_TYPE_DATE) || expr_time_is_infinite(time))
        return true;
    *time_us = time < EXPR_TIMESTAMP_DATE_END ? time * EXPR_US_PER_DAY : 0;
    return time < EXPR_TIMESTAMP_DATE_END;
}

static const char date_beyond[] = "date out of range for timestamp";

static void date_to_start(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                          expr_datum *result) {
    int64_t time_us = 0;
    (void)at;
    if (start_of(node->arguments[0]->type, arguments[0].scalar.integer, &time_us))
        expr_datum_integer(result, time_us);
    else
        expr_datum_error(result, date_beyond);
}

static void date_time_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                            expr_datum *result) {
    int64_t start_us = 0;
    (void)at;
    if (!start_of(node->arguments[0]->type, arguments[0].scalar.integer, &start_us))
        expr_datum_error(result, date_beyond);
    else if (expr_time_is_infinite(start_us))
        expr_datum_integer(result, start_us);
    else
        timestamp_set(result, start_us + arguments[1].scalar.integer);
}

/* ---- Timestamps ---- */

/* The same day of another month, or that one's last. */
static int64_t months_shift(int64_t days, int64_t months) {
    expr_day day = expr_calendar_day(days);
    int64_t month = day.month - 1 + months;
    int64_t years = month / 12 - (month % 12 < 0 ? 1 : 0);
    day.year += years;
    day.month = month - years * 12 + 1;
    int64_t length = expr_calendar_month_length(day.year, day.month);
    day.day = day.day < length ? day.day : length;
    return expr_calendar_days(day);
}

static void shift(int64_t time_us, const expr_interval *by, expr_datum *result) {
    int64_t days = expr_time_days(time_us);
    int64_t clock_us = time_us - days * EXPR_US_PER_DAY;
    if (by->months != 0)
        days = months_shift(days, by->months);
    bool serves = days >= EXPR_DATE_MIN && days < EXPR_TIMESTAMP_DATE_END;
    days += by->days;
    serves = serves && days >= EXPR_DATE_MIN && days < EXPR_TIMESTAMP_DATE_END;
    if (!serves)
        expr_datum_error(result, out_of_range);
    else if (__builtin_add_overflow(days * EXPR_US_PER_DAY + clock_us, by->time_us, &time_us))
        expr_datum_undecided(result, on_version);
    else
        timestamp_set(result, time_us);
}

static void time_shift_apply(const expr_node *node, expr_evaluation *at,
                             const expr_datum *arguments, expr_datum *result) {
    int64_t time_us = 0;
    expr_interval by = arguments[1].scalar.interval;
    (void)at;
    if (!start_of(node->arguments[0]->type, arguments[0].scalar.integer, &time_us))
        expr_datum_error(result, date_beyond);
    else if (expr_time_is_infinite(time_us))
        expr_datum_integer(result, time_us);
    else if (node->option == '-' && !expr_interval_negate(&arguments[1].scalar.interval, &by))
        expr_datum_undecided(result, on_version);
    else if (expr_type_is(node->type, EXPR_TYPE_TIMESTAMPTZ) && (by.months != 0 || by.days != 0))
        expr_datum_undecided(result, on_zone);
    else
        shift(time_us, &by, result);
}

/* An interval that is known and would hang on the zone for every row. */
static const char *time_shift_refuse(const expr_node *node) {
    const expr_node *by = node->arguments[1];
    if (!expr_type_is(node->type, EXPR_TYPE_TIMESTAMPTZ) || !expr_node_is_known(by) ||
        expr_node_is_null(by))
        return NULL;
    const expr_interval *value = &by->constant.scalar.interval;
    return value->months != 0 || value->days != 0 ? on_zone : NULL;
}

/* In days and what is left of one. */
static void time_difference_apply(const expr_node *node, expr_evaluation *at,
                                  const expr_datum *arguments, expr_datum *result) {
    int64_t left = arguments[0].scalar.integer;
    int64_t right = arguments[1].scalar.integer;
    int64_t time_us = 0;
    (void)node;
    (void)at;
    if (expr_time_is_infinite(left) || expr_time_is_infinite(right)) {
        expr_datum_undecided(result, on_infinity);
    } else if (__builtin_sub_overflow(left, right, &time_us)) {
        expr_datum_undecided(result, on_version);
    } else {
        result->state = EXPR_DATUM_VALUE;
        result->scalar.interval = (expr_interval){.days = (int32_t)(time_us / EXPR_US_PER_DAY),
                                                  .time_us = time_us % EXPR_US_PER_DAY};
    }
}

static void at_utc_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                         expr_datum *result) {
    (void)node;
    (void)at;
    *result = arguments[0];
}

/* ---- Times of the day ---- */

static void clock_set(expr_datum *result, int64_t time_us) {
    time_us %= EXPR_US_PER_DAY;
    expr_datum_integer(result, time_us < 0 ? time_us + EXPR_US_PER_DAY : time_us);
}

static void clock_shift_apply(const expr_node *node, expr_evaluation *at,
                              const expr_datum *arguments, expr_datum *result) {
    int64_t clock_us = arguments[0].scalar.integer;
    int64_t by_us = arguments[1].scalar.interval.time_us;
    int64_t sum_us = 0;
    (void)at;
    bool overflows = node->option == '-' ? __builtin_sub_overflow(clock_us, by_us, &sum_us)
                                         : __builtin_add_overflow(clock_us, by_us, &sum_us);
    if (overflows)
        expr_datum_undecided(result, on_version);
    else
        clock_set(result, sum_us);
}

static void interval_of_us(expr_datum *result, int64_t time_us) {
    result->state = EXPR_DATUM_VALUE;
    result->scalar.interval = (expr_interval){.time_us = time_us};
}

static void clock_difference_apply(const expr_node *node, expr_evaluation *at,
                                   const expr_datum *arguments, expr_datum *result) {
    (void)node;
    (void)at;
    interval_of_us(result, arguments[0].scalar.integer - arguments[1].scalar.integer);
}

static void clock_to_interval(const expr_node *node, expr_evaluation *at,
                              const expr_datum *arguments, expr_datum *result) {
    (void)node;
    (void)at;
    interval_of_us(result, arguments[0].scalar.integer);
}

static void interval_to_clock(const expr_node *node, expr_evaluation *at,
                              const expr_datum *arguments, expr_datum *result) {
    (void)node;
    (void)at;
    clock_set(result, arguments[0].scalar.interval.time_us);
}

static void timestamp_to_clock(const expr_node *node, expr_evaluation *at,
                               const expr_datum *arguments, expr_datum *result) {
    (void)node;
    (void)at;
    if (expr_time_is_infinite(arguments[0].scalar.integer))
        expr_datum_null(result);
    else
        clock_set(result, arguments[0].scalar.integer);
}

const expr_operation expr_operation_date_shift = {
    .name = "date_shift", .raises = true, .apply = date_shift_apply};
const expr_operation expr_operation_date_difference = {
    .name = "date_difference", .raises = true, .apply = date_difference_apply};
const expr_operation expr_operation_date_to_start = {
    .name = "date_to_start", .raises = true, .apply = date_to_start};
const expr_operation expr_operation_date_time = {
    .name = "date_time", .raises = true, .apply = date_time_apply};
const expr_operation expr_operation_time_shift = {
    .name = "time_shift", .raises = true, .apply = time_shift_apply, .refuse = time_shift_refuse};
const expr_operation expr_operation_time_difference = {
    .name = "time_difference", .raises = true, .apply = time_difference_apply};
const expr_operation expr_operation_at_utc = {.name = "at_utc", .apply = at_utc_apply};
const expr_operation expr_operation_clock_shift = {
    .name = "clock_shift", .raises = true, .apply = clock_shift_apply};
const expr_operation expr_operation_clock_difference = {.name = "clock_difference",
                                                        .apply = clock_difference_apply};
const expr_operation expr_operation_clock_to_interval = {.name = "clock_to_interval",
                                                         .apply = clock_to_interval};
const expr_operation expr_operation_interval_to_clock = {.name = "interval_to_clock",
                                                         .apply = interval_to_clock};
const expr_operation expr_operation_timestamp_to_clock = {.name = "timestamp_to_clock",
                                                          .apply = timestamp_to_clock};
