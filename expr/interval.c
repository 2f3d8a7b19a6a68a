/* Intervals by themselves: their order, their hash, their fields. */
#include "expr/interval.h"

#include "expr/calendar.h"
#include "expr/text.h"

#include <stdio.h>

#define DAYS_PER_MONTH  30
#define NUMBER_TEXT_MAX 32u

/* A month as 30 days and a day as 24 hours: whole days, and what is left of one. */
typedef struct {
    int64_t days;
    int64_t time_us;
} span;

static span span_of(const expr_interval *value) {
    int64_t time_us = value->time_us % EXPR_US_PER_DAY;
    return (span){
        .days =
            (int64_t)value->months * DAYS_PER_MONTH + value->days + expr_time_days(value->time_us),
        .time_us = time_us < 0 ? time_us + EXPR_US_PER_DAY : time_us,
    };
}

int expr_interval_compare(const expr_interval *left, const expr_interval *right) {
    span a = span_of(left), b = span_of(right);
    if (a.days != b.days)
        return a.days < b.days ? -1 : 1;
    return (a.time_us > b.time_us) - (a.time_us < b.time_us);
}

uint64_t expr_interval_hash(const expr_interval *value) {
    span whole = span_of(value);
    return core_slice_hash(core_slice_make(&whole, sizeof whole));
}

/* ---- Type modifiers ---- */

typedef struct {
    int64_t field;
    const char *unit;
    int64_t us; /* 0: of another kind than time */
} field_row;

/* The least first. */
static const field_row fields_known[] = {
    {EXPR_INTERVAL_SECOND, "seconds", 1},
    {EXPR_INTERVAL_MINUTE, "minutes", EXPR_US_PER_MINUTE},
    {EXPR_INTERVAL_HOUR, "hours", EXPR_US_PER_HOUR},
    {EXPR_INTERVAL_DAY, "days", 0},
    {EXPR_INTERVAL_MONTH, "months", 0},
    {EXPR_INTERVAL_YEAR, "years", 0},
};

static bool is_number(core_slice text) {
    if (!expr_text_take(&text, '-'))
        (void)expr_text_take(&text, '+');
    return text.length > 0 && expr_text_digits(&text).length > 0 && text.length == 0;
}

static void field_cut(const field_row *least, expr_interval *value) {
    if (least->us != 0) {
        value->time_us -= value->time_us % least->us;
        return;
    }
    value->time_us = 0;
    if (least->field == EXPR_INTERVAL_DAY)
        return;
    value->days = 0;
    if (least->field == EXPR_INTERVAL_YEAR)
        value->months -= value->months % 12;
}

bool expr_interval_parse_fields(core_slice text, int64_t fields, expr_interval *value) {
    char with_unit[NUMBER_TEXT_MAX];
    const field_row *least = fields_known;
    const field_row *end = fields_known + CORE_COUNT_OF(fields_known);
    while (least < end && (fields & least->field) == 0)
        least++;
    if (least == end)
        return false;
    text = expr_text_trim(text);
    if (is_number(text)) {
        int length =
            snprintf(with_unit, sizeof with_unit, "%.*s %s", CORE_SLICE_ARGS(text), least->unit);
        if (length < 0 || (size_t)length >= sizeof with_unit)
            return false;
        text = core_slice_text(with_unit);
    } else if (fields == (EXPR_INTERVAL_MINUTE | EXPR_INTERVAL_SECOND)) {
        return false; /* 1:02 is minutes and seconds there */
    }
    if (!expr_interval_parse(text, value))
        return false;
    field_cut(least, value);
    return true;
}
