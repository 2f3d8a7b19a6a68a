/* See zone_rule.h. The spans around a time are found among the changes of its year and of both
 * years beside it. */
#include "triggers/zone_rule.h"

#include "triggers/civil.h"

enum {
    NAME_MIN = 3,
    OFFSET_HOURS_MAX = 24,
    TIME_HOURS_MAX = 167,
    HOUR_S = 3600,
    MINUTE_S = 60,
    DEFAULT_TIME_S = 2 * HOUR_S,
    YEARS = 3, /* looked at */
};

/* ---- Reading ---- */

static bool byte_take(core_cursor *at, uint8_t byte) {
    if (core_cursor_left(at) == 0 || *at->at != byte)
        return false;
    (void)core_cursor_u8(at);
    return true;
}

static bool byte_is_letter(uint8_t byte) {
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

/* Three letters or more, or anything between angle brackets. */
static void name_skip(core_cursor *at) {
    size_t length = 0;
    if (byte_take(at, '<')) {
        while (core_cursor_left(at) > 0 && *at->at != '>')
            (void)core_cursor_u8(at);
        if (!byte_take(at, '>'))
            core_cursor_fail(at);
        return;
    }
    for (; core_cursor_left(at) > 0 && byte_is_letter(*at->at); length++)
        (void)core_cursor_u8(at);
    if (length < NAME_MIN)
        core_cursor_fail(at);
}

static unsigned number_take(core_cursor *at, unsigned min, unsigned max) {
    unsigned number = 0, digits = 0;
    for (; core_cursor_left(at) > 0 && *at->at >= '0' && *at->at <= '9' && digits < 4; digits++)
        number = number * 10 + (core_cursor_u8(at) - '0');
    if (digits == 0 || number < min || number > max) {
        core_cursor_fail(at);
        return min;
    }
    return number;
}

/* [+-]hh[:mm[:ss]] */
static int32_t time_take(core_cursor *at, unsigned hours_max) {
    int32_t sign = byte_take(at, '-') ? -1 : 1;
    if (sign > 0)
        (void)byte_take(at, '+');
    int32_t seconds = (int32_t)number_take(at, 0, hours_max) * HOUR_S;
    if (byte_take(at, ':'))
        seconds += (int32_t)number_take(at, 0, 59) * MINUTE_S;
    if (byte_take(at, ':'))
        seconds += (int32_t)number_take(at, 0, 59);
    return sign * seconds;
}

static triggers_rule_day day_take(core_cursor *at) {
    triggers_rule_day day = {.time_s = DEFAULT_TIME_S};
    if (!byte_take(at, ','))
        core_cursor_fail(at);
    if (byte_take(at, 'M')) {
        day.kind = TRIGGERS_RULE_WEEKDAY;
        day.month = number_take(at, 1, 12);
        bool dot = byte_take(at, '.');
        day.week = number_take(at, 1, 5);
        dot = byte_take(at, '.') && dot;
        day.weekday = number_take(at, 0, 6);
        if (!dot)
            core_cursor_fail(at);
    } else if (byte_take(at, 'J')) {
        day.kind = TRIGGERS_RULE_COMMON_DAY;
        day.day = number_take(at, 1, 365);
    } else {
        day.kind = TRIGGERS_RULE_DAY;
        day.day = number_take(at, 0, 365);
    }
    if (byte_take(at, '/'))
        day.time_s = time_take(at, TIME_HOURS_MAX);
    return day;
}

bool triggers_zone_rule_read(core_slice text, triggers_zone_rule *rule, core_error *error) {
    core_cursor at = core_cursor_make(text);
    *rule = (triggers_zone_rule){.has_saving = false};
    name_skip(&at);
    rule->standard_s = -time_take(&at, OFFSET_HOURS_MAX); /* POSIX counts west of UTC */
    rule->has_saving = core_cursor_left(&at) > 0;
    if (rule->has_saving) {
        name_skip(&at);
        bool same = core_cursor_left(&at) > 0 && *at.at == ',';
        rule->saving_s = same ? rule->standard_s + HOUR_S : -time_take(&at, OFFSET_HOURS_MAX);
        rule->start = day_take(&at);
        rule->end = day_take(&at);
    }
    return core_cursor_done(&at) ||
           core_error_set(
               error, CORE_ERROR_INPUT,
               "the rule \"%.*s\" at a tzfile's end is none that POSIX and RFC 8536 know",
               (int)(text.length < 100 ? text.length : 100), (const char *)text.data);
}

/* ---- Spans ---- */

static int64_t day_in_year(const triggers_rule_day *day, int year) {
    int64_t first = triggers_days_of((triggers_date){.year = year, .month = 1, .day = 1});
    if (day->kind == TRIGGERS_RULE_DAY)
        return first + day->day;
    if (day->kind == TRIGGERS_RULE_COMMON_DAY)
        return first + day->day - 1 + (triggers_is_leap(year) && day->day >= 60);
    const triggers_date month = {.year = year, .month = day->month, .day = 1};
    int64_t start = triggers_days_of(month);
    int64_t found = start + (day->weekday + 7 - triggers_weekday(start)) % 7 + (day->week - 1) * 7;
    return found < start + triggers_month_days(year, day->month) ? found : found - 7;
}

/* The local time of day is that of the offset before the change. */
static int64_t change_utc(const triggers_rule_day *day, int year, int32_t offset_before_s) {
    return day_in_year(day, year) * TRIGGERS_DAY_S + day->time_s - offset_before_s;
}

typedef struct {
    int64_t utc_s;
    int32_t offset_s; /* from then on */
} rule_change;

/* Of two at the same moment the later one stays behind, so that saving all year never ends. */
static void changes_sort(rule_change changes[], size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t at = i; at > 0 && changes[at - 1].utc_s > changes[at].utc_s; at--) {
            const rule_change later = changes[at - 1];
            changes[at - 1] = changes[at];
            changes[at] = later;
        }
}

triggers_zone_span triggers_zone_rule_span(const triggers_zone_rule *rule, int64_t utc_s) {
    triggers_zone_span span = {
        .start_s = INT64_MIN, .end_s = INT64_MAX, .offset_s = rule->standard_s};
    if (!rule->has_saving)
        return span;
    rule_change changes[2 * YEARS];
    int year = triggers_date_of(triggers_floor_div(utc_s + rule->standard_s, TRIGGERS_DAY_S)).year;
    for (int i = 0; i < YEARS; i++) {
        int of = year - 1 + i;
        changes[2 * i] =
            (rule_change){change_utc(&rule->end, of, rule->saving_s), rule->standard_s};
        changes[2 * i + 1] =
            (rule_change){change_utc(&rule->start, of, rule->standard_s), rule->saving_s};
    }
    changes_sort(changes, CORE_COUNT_OF(changes));
    for (size_t i = 0; i < CORE_COUNT_OF(changes); i++) {
        if (changes[i].utc_s > utc_s) {
            span.end_s = changes[i].utc_s;
            break;
        }
        span.start_s = changes[i].utc_s;
        span.offset_s = changes[i].offset_s;
    }
    return span;
}
