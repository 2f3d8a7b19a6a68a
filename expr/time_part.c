/* extract and date_part; see operations.h. As PostgreSQL's floats come out (timestamp_part,
 * interval_part, time_part in src/backend/utils/adt): the fields that it names by themselves. */
#include "expr/calendar.h"
#include "expr/operations.h"

#include <math.h>

#define EPOCH_US  INT64_C(-946684800000000) /* 1970, from 2000 */
#define S_PER_DAY 86400.0

/* One time of the day, or of an interval: then each may be below zero. */
typedef struct {
    int64_t hour;
    int64_t minute;
    int64_t second;
    int64_t us;
} clock_parts;

static clock_parts clock_of(int64_t time_us) {
    return (clock_parts){
        .hour = time_us / EXPR_US_PER_HOUR,
        .minute = time_us % EXPR_US_PER_HOUR / EXPR_US_PER_MINUTE,
        .second = time_us % EXPR_US_PER_MINUTE / CORE_US_PER_S,
        .us = time_us % CORE_US_PER_S,
    };
}

static double clock_part(expr_field field, int64_t time_us) {
    clock_parts parts = clock_of(time_us);
    switch (field) {
    case EXPR_FIELD_MICROSECONDS:
        return (double)(parts.second * CORE_US_PER_S + parts.us);
    case EXPR_FIELD_MILLISECONDS:
        return (double)parts.second * 1000.0 + (double)parts.us / 1000.0;
    case EXPR_FIELD_SECOND:
        return (double)parts.second + (double)parts.us / 1000000.0;
    case EXPR_FIELD_MINUTE:
        return (double)parts.minute;
    default:
        return (double)parts.hour;
    }
}

/* ---- Years ---- */

/* There is no year 0: 1 BC is -1. */
static int64_t year_named(int64_t year) {
    return year > 0 ? year : year - 1;
}

/* The one that a year belongs to: the first begins with the year 1. */
static int64_t age_of_year(int64_t year, int64_t length) {
    return year > 0 ? (year + length - 1) / length : -((length - 1 - (year - 1)) / length);
}

static int64_t decade_of(int64_t year) {
    return year >= 0 ? year / 10 : -((8 - (year - 1)) / 10);
}

/* 0 is Sunday. */
static int64_t weekday(int64_t days) {
    return ((days + 6) % 7 + 7) % 7;
}

/* The Thursday of the same week: it says which year the week is of. */
static int64_t thursday_of(int64_t days) {
    return days + 4 - (weekday(days) == 0 ? 7 : weekday(days));
}

static int64_t day_of_year(int64_t days) {
    return days - expr_calendar_days((expr_day){expr_calendar_day(days).year, 1, 1}) + 1;
}

static double day_part(expr_field field, int64_t days) {
    expr_day day = expr_calendar_day(days);
    switch (field) {
    case EXPR_FIELD_DAY:
        return (double)day.day;
    case EXPR_FIELD_WEEK:
        return (double)((day_of_year(thursday_of(days)) - 1) / 7 + 1);
    case EXPR_FIELD_MONTH:
        return (double)day.month;
    case EXPR_FIELD_QUARTER:
        return (double)((day.month - 1) / 3 + 1);
    case EXPR_FIELD_DECADE:
        return (double)decade_of(day.year);
    case EXPR_FIELD_CENTURY:
        return (double)age_of_year(day.year, 100);
    case EXPR_FIELD_MILLENNIUM:
        return (double)age_of_year(day.year, 1000);
    case EXPR_FIELD_DOW:
        return (double)weekday(days);
    case EXPR_FIELD_ISODOW:
        return weekday(days) == 0 ? 7.0 : (double)weekday(days);
    case EXPR_FIELD_DOY:
        return (double)day_of_year(days);
    case EXPR_FIELD_ISOYEAR:
        return (double)year_named(expr_calendar_day(thursday_of(days)).year);
    default:
        return (double)year_named(day.year);
    }
}

/* ---- Times ---- */

/* Of infinite times what only grows is infinite, the rest null. */
static void infinite_part(expr_field field, bool is_negative, expr_datum *result) {
    bool grows = field == EXPR_FIELD_EPOCH || field == EXPR_FIELD_YEAR ||
                 field == EXPR_FIELD_DECADE || field == EXPR_FIELD_CENTURY ||
                 field == EXPR_FIELD_MILLENNIUM || field == EXPR_FIELD_ISOYEAR;
    if (grows)
        expr_datum_real(result, is_negative ? -INFINITY : INFINITY);
    else
        expr_datum_null(result);
}

static double epoch_of(int64_t time_us) {
    if (time_us < INT64_MAX + EPOCH_US)
        return (double)(time_us - EPOCH_US) / 1000000.0;
    return ((double)time_us - (double)EPOCH_US) / 1000000.0;
}

static void timestamp_part(expr_field field, int64_t time_us, expr_datum *result) {
    int64_t days = expr_time_days(time_us);
    if (expr_time_is_infinite(time_us))
        infinite_part(field, time_us < 0, result);
    else if (field == EXPR_FIELD_EPOCH)
        expr_datum_real(result, epoch_of(time_us));
    else if (field <= EXPR_FIELD_HOUR)
        expr_datum_real(result, clock_part(field, time_us - days * EXPR_US_PER_DAY));
    else
        expr_datum_real(result, day_part(field, days));
}

static double interval_epoch(const expr_interval *value) {
    double epoch = (double)value->time_us / 1000000.0;
    epoch += 365.25 * S_PER_DAY * (value->months / 12);
    epoch += 30.0 * S_PER_DAY * (value->months % 12);
    return epoch + S_PER_DAY * value->days;
}

static void interval_part(expr_field field, const expr_interval *value, expr_datum *result) {
    int64_t hours = value->time_us / EXPR_US_PER_HOUR;
    if (field == EXPR_FIELD_EPOCH)
        expr_datum_real(result, interval_epoch(value));
    else if (hours > INT32_MAX || hours < INT32_MIN)
        expr_datum_undecided(result, "so many hours hang on the server's version");
    else if (field <= EXPR_FIELD_HOUR)
        expr_datum_real(result, clock_part(field, value->time_us));
    else
        expr_datum_real(result, field == EXPR_FIELD_DAY     ? value->days
                                : field == EXPR_FIELD_MONTH ? value->months % 12
                                                            : value->months / 12);
}

static void part_apply(const expr_node *node, expr_evaluation *at, const expr_datum *arguments,
                       expr_datum *result) {
    expr_field field = (expr_field)(node->option & ~(unsigned)EXPR_FIELD_EXTRACTED);
    expr_type type = node->arguments[0]->type;
    const expr_scalar *scalar = &arguments[0].scalar;
    (void)at;
    if (expr_type_is(type, EXPR_TYPE_INTERVAL))
        interval_part(field, &scalar->interval, result);
    else if (!expr_type_is(type, EXPR_TYPE_TIME))
        timestamp_part(field, scalar->integer, result);
    else if (field == EXPR_FIELD_EPOCH)
        expr_datum_real(result, (double)scalar->integer / 1000000.0);
    else
        expr_datum_real(result, clock_part(field, scalar->integer));
}

const expr_operation expr_operation_part = {.name = "part", .raises = true, .apply = part_apply};
