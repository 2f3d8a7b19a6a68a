/* Dates, timestamps and times of the day in ISO 8601, as PostgreSQL prints them under DateStyle ISO
 * and as programs write them: "2024-02-29", "2024-02-29T12:30:00.5Z", "0044-03-15 12:00:00+00 BC";
 * see scalar.h.
 */
#include "expr/calendar.h"
#include "expr/scalar.h"
#include "expr/text.h"

#define S_PER_DAY     INT64_C(86400)
#define YEAR_MAX      INT64_C(5874897) /* of a date */
#define TIMESTAMP_MAX INT64_C(294276)  /* year */
#define YEAR_MIN      INT64_C(-4713)   /* 4714 BC: where PostgreSQL's Julian days begin */

/* Exactly `count` digits. */
static bool field_take(core_slice *text, size_t count, int64_t *value) {
    core_slice field = core_slice_make(text->data, text->length < count ? text->length : count);
    if (field.length != count)
        return false;
    *value = 0;
    for (size_t i = 0; i < count; i++) {
        if (!expr_text_is_digit(field.data[i]))
            return false;
        *value = *value * 10 + (field.data[i] - '0');
    }
    *text = expr_text_after(*text, count);
    return true;
}

static bool day_exists(expr_day day) {
    return day.month >= 1 && day.month <= 12 && day.day >= 1 &&
           day.day <= expr_calendar_month_length(day.year, day.month);
}

/* " BC" at the end, which is cut off. */
static bool bc_take(core_slice *text) {
    if (text->length < 3)
        return false;
    core_slice end = expr_text_after(*text, text->length - 3);
    if (!expr_text_is_word(end, " bc"))
        return false;
    text->length -= 3;
    return true;
}

static bool year_take(core_slice *text, bool bc, int64_t *year) {
    uint64_t number = 0;
    core_slice digits = expr_text_digits(text);
    if (digits.length < 4 || digits.length > 7 || !core_slice_to_u64(digits, &number))
        return false;
    *year = bc ? 1 - (int64_t)number : (int64_t)number;
    return number != 0 && *year >= YEAR_MIN && *year <= YEAR_MAX;
}

static bool day_take(core_slice *text, bool bc, int64_t year_max, int64_t *days) {
    expr_day day = {.year = 0};
    if (!year_take(text, bc, &day.year) || !expr_text_take(text, '-') ||
        !field_take(text, 2, &day.month) || !expr_text_take(text, '-') ||
        !field_take(text, 2, &day.day) || day.year > year_max || !day_exists(day))
        return false;
    *days = expr_calendar_days(day);
    return true;
}

static bool infinity_take(core_slice text, int64_t *value) {
    if (expr_text_is_word(text, "infinity"))
        *value = INT64_MAX;
    else if (expr_text_is_word(text, "-infinity"))
        *value = INT64_MIN;
    else
        return false;
    return true;
}

bool expr_date_parse(core_slice text, int64_t *days) {
    text = expr_text_trim(text);
    if (infinity_take(text, days))
        return true;
    bool bc = bc_take(&text);
    return day_take(&text, bc, YEAR_MAX, days) && text.length == 0;
}

/* The digits behind the point in microseconds, rounded half to even as rint(3) does. */
static bool fraction_take(core_slice *text, int64_t *us) {
    core_slice digits = expr_text_digits(text);
    *us = 0;
    for (size_t i = 0; i < 6; i++)
        *us = *us * 10 + (i < digits.length ? digits.data[i] - '0' : 0);
    bool beyond_half = false;
    for (size_t i = 7; i < digits.length; i++)
        beyond_half = beyond_half || digits.data[i] != '0';
    int seventh = digits.length > 6 ? digits.data[6] - '0' : 0;
    if (seventh > 5 || (seventh == 5 && (beyond_half || *us % 2 == 1)))
        (*us)++;
    return digits.length > 0;
}

static bool clock_take(core_slice *text, int64_t *us) {
    int64_t hours = 0;
    int64_t minutes = 0;
    int64_t seconds = 0;
    int64_t fraction = 0;
    if (!field_take(text, 2, &hours) || !expr_text_take(text, ':') ||
        !field_take(text, 2, &minutes))
        return false;
    if (expr_text_take(text, ':') && !field_take(text, 2, &seconds))
        return false;
    if (expr_text_take(text, '.') && !fraction_take(text, &fraction))
        return false;
    *us = ((hours * 60 + minutes) * 60 + seconds) * CORE_US_PER_S + fraction;
    return minutes <= 59 && seconds <= 60 && *us <= S_PER_DAY * CORE_US_PER_S;
}

/* Z, UTC, +HH, +HHMM, +HH:MM, +HH:MM:SS, or nothing: seconds east of UTC. */
static bool zone_take(core_slice *text, int64_t *east_s) {
    int64_t parts[3] = {0, 0, 0};
    *east_s = 0;
    while (expr_text_take(text, ' '))
        ;
    if (text->length == 0 || expr_text_is_word(*text, "z") || expr_text_is_word(*text, "utc")) {
        *text = core_slice_make(text->data, 0);
        return true;
    }
    bool west = expr_text_take(text, '-');
    if ((!west && !expr_text_take(text, '+')) || !field_take(text, 2, &parts[0]))
        return false;
    for (size_t i = 1; i < CORE_COUNT_OF(parts) && text->length > 0; i++) {
        (void)expr_text_take(text, ':');
        if (!field_take(text, 2, &parts[i]))
            return false;
    }
    *east_s = (parts[0] * 60 + parts[1]) * 60 + parts[2];
    *east_s = west ? -*east_s : *east_s;
    return parts[0] < 16 && parts[1] < 60 && parts[2] < 60;
}

bool expr_timestamp_parse(core_slice text, bool with_zone, int64_t *time_us) {
    text = expr_text_trim(text);
    if (infinity_take(text, time_us))
        return true;
    int64_t days = 0;
    int64_t clock_us = 0;
    int64_t east_s = 0;
    bool bc = bc_take(&text);
    if (!day_take(&text, bc, TIMESTAMP_MAX, &days))
        return false;
    bool has_clock = expr_text_take(&text, 'T') || expr_text_take(&text, 't');
    has_clock = has_clock ||
                (text.length > 1 && expr_text_is_digit(text.data[1]) && expr_text_take(&text, ' '));
    if (has_clock && (!clock_take(&text, &clock_us) || !zone_take(&text, &east_s)))
        return false;
    *time_us =
        days * S_PER_DAY * CORE_US_PER_S + clock_us - (with_zone ? east_s * CORE_US_PER_S : 0);
    return text.length == 0;
}

bool expr_clock_parse(core_slice text, int64_t *time_us) {
    text = expr_text_trim(text);
    return clock_take(&text, time_us) && text.length == 0;
}
