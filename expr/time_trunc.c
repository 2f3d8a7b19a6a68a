/* date_trunc and age; see operations.h. As src/backend/utils/adt/timestamp.c has them. */
#include "expr/calendar.h"
#include "expr/operations.h"

/* ---- date_trunc ---- */

/* 0: the field is not below a day. */
static int64_t field_us(expr_field field) {
    switch (field) {
    case EXPR_FIELD_MICROSECONDS:
        return 1;
    case EXPR_FIELD_MILLISECONDS:
        return CORE_US_PER_S / 1000;
    case EXPR_FIELD_SECOND:
        return CORE_US_PER_S;
    case EXPR_FIELD_MINUTE:
        return EXPR_US_PER_MINUTE;
    case EXPR_FIELD_HOUR:
        return EXPR_US_PER_HOUR;
    default:
        return 0;
    }
}

/* The first of its centuries or millennia, which begin with the year 1. */
static int64_t age_begin(int64_t year, int64_t length) {
    return year > 0 ? (year + length - 1) / length * length - length + 1
                    : -((length - 1 - (year - 1)) / length) * length + 1;
}

static int64_t year_trunc(expr_field field, int64_t year) {
    switch (field) {
    case EXPR_FIELD_DECADE:
        return year > 0 ? year / 10 * 10 : -((8 - (year - 1)) / 10) * 10;
    case EXPR_FIELD_CENTURY:
        return age_begin(year, 100);
    case EXPR_FIELD_MILLENNIUM:
        return age_begin(age_begin(year, 1000), 100);
    default:
        return year;
    }
}

static int64_t days_trunc(expr_field field, int64_t days) {
    expr_day day = expr_calendar_day(days);
    switch (field) {
    case EXPR_FIELD_DAY:
        return days;
    case EXPR_FIELD_WEEK: /* 2000-01-01 is a Saturday; to the Monday */
        return days - ((days + 5) % 7 + 7) % 7;
    case EXPR_FIELD_MONTH:
        break;
    case EXPR_FIELD_QUARTER:
        day.month -= (day.month - 1) % 3;
        break;
    default:
        day.month = 1;
    }
    return expr_calendar_days((expr_day){year_trunc(field, day.year), day.month, 1});
}

static void timestamp_trunc(expr_field field, int64_t time_us, expr_datum *result) {
    int64_t days = expr_time_days(time_us);
    int64_t clock_us = time_us - days * EXPR_US_PER_DAY;
    int64_t unit_us = field_us(field);
    clock_us = unit_us != 0 ? clock_us - clock_us % unit_us : 0;
    days = unit_us != 0 ? days : days_trunc(field, days);
    if (days < EXPR_DATE_MIN)
        expr_datum_error(result, "timestamp out of range");
    else
        expr_datum_integer(result, days * EXPR_US_PER_DAY + clock_us);
}

static int32_t months_trunc(expr_field field, int32_t months) {
    int32_t unit = field == EXPR_FIELD_QUARTER      ? 3
                   : field == EXPR_FIELD_YEAR       ? 12
                   : field == EXPR_FIELD_DECADE     ? 120
                   : field == EXPR_FIELD_CENTURY    ? 1200
                   : field == EXPR_FIELD_MILLENNIUM ? 12000
                                                    : 1;
    return months / unit * unit;
}

static void interval_trunc(expr_field field, expr_interval value, expr_datum *result) {
    int64_t unit_us = field_us(field);
    if (value.time_us / EXPR_US_PER_HOUR > INT32_MAX ||
        value.time_us / EXPR_US_PER_HOUR < INT32_MIN) {
        expr_datum_undecided(result, "so many hours hang on the server's version");
        return;
    }
    value.time_us = unit_us != 0 ? value.time_us - value.time_us % unit_us : 0;
    if (unit_us == 0 && field != EXPR_FIELD_DAY) {
        value.days = 0;
        value.months = months_trunc(field, value.months);
    }
    result->state = EXPR_DATUM_VALUE;
    result->scalar.interval = value;
}

static void trunc_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                        expr_datum *result) {
    expr_field field = (expr_field)node->option;
    int64_t time_us = arguments[0].scalar.integer;
    (void)at;
    if (expr_type_is(node->type, EXPR_TYPE_INTERVAL))
        interval_trunc(field, arguments[0].scalar.interval, result);
    else if (expr_time_is_infinite(time_us))
        expr_datum_integer(result, time_us);
    else
        timestamp_trunc(field, time_us, result);
}

/* ---- age ---- */

typedef struct {
    int64_t months; /* of the calendar, from year 0 */
    int64_t day;
    int64_t clock_us;
    int64_t month_length;
} moment;

static moment moment_of(int64_t time_us) {
    int64_t days = expr_time_days(time_us);
    expr_day day = expr_calendar_day(days);
    return (moment){.months = day.year * 12 + day.month - 1,
                    .day = day.day,
                    .clock_us = time_us - days * EXPR_US_PER_DAY,
                    .month_length = expr_calendar_month_length(day.year, day.month)};
}

/* Field by field from the earlier to the later; days that are lacking are of the earlier one's
 * month. */
static expr_interval age_between(const moment *earlier, const moment *later) {
    int64_t months = later->months - earlier->months;
    int64_t days = later->day - earlier->day;
    int64_t clock_us = later->clock_us - earlier->clock_us;
    if (clock_us < 0) {
        clock_us += EXPR_US_PER_DAY;
        days--;
    }
    for (; days < 0; months--)
        days += earlier->month_length;
    return (expr_interval){.months = (int32_t)months, .days = (int32_t)days, .time_us = clock_us};
}

static void age_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                      expr_datum *result) {
    int64_t left = arguments[0].scalar.integer;
    int64_t right = arguments[1].scalar.integer;
    (void)node;
    (void)at;
    if (expr_time_is_infinite(left) || expr_time_is_infinite(right)) {
        expr_datum_undecided(result, "the age of infinite times hangs on the server's version");
        return;
    }
    moment of_left = moment_of(left), of_right = moment_of(right);
    expr_interval age =
        left < right ? age_between(&of_left, &of_right) : age_between(&of_right, &of_left);
    if (left < right)
        age = (expr_interval){.months = -age.months, .days = -age.days, .time_us = -age.time_us};
    result->state = EXPR_DATUM_VALUE;
    result->scalar.interval = age;
}

const expr_operation expr_operation_trunc = {.name = "trunc", .raises = true, .apply = trunc_apply};
const expr_operation expr_operation_age = {.name = "age", .raises = true, .apply = age_apply};
