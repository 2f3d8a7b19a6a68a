/* Which local times a cron expression names; see cron.h. The search steps over months, days, hours
 * and minutes that do not fit, so it costs by fields and not by seconds. */
#include "triggers/cron.h"

#include "triggers/civil.h"

enum {
    MONTHS_SEARCHED = 100 * 12,
    YEAR_FIRST = 1,
    YEAR_LAST = 9999,
    SATURDAY = 6,
    SUNDAY = 0,
    HOUR_S = 3600,
    MINUTE_S = 60,
};

/* ---- Days of one month ---- */

typedef struct {
    unsigned last;          /* its number of days */
    unsigned first_weekday; /* of its first day */
} cron_month;

static unsigned month_weekday(cron_month month, unsigned day) {
    return (month.first_weekday + day - 1) % 7;
}

/* The day from Monday to Friday nearest to `day` that is in the same month. */
static unsigned month_nearest(cron_month month, unsigned day) {
    switch (month_weekday(month, day)) {
    case SATURDAY:
        return day > 1 ? day - 1 : day + 2;
    case SUNDAY:
        return day < month.last ? day + 1 : day - 2;
    default:
        return day;
    }
}

static bool month_day_fits(const triggers_cron *cron, cron_month month, unsigned day) {
    if ((cron->days >> day & 1) != 0 || (cron->days_before_last >> (month.last - day) & 1) != 0)
        return true;
    if (cron->last_weekday && month_nearest(month, month.last) == day)
        return true;
    for (unsigned near = day > 2 ? day - 2 : 1; near <= day + 2 && near <= month.last; near++)
        if ((cron->nearest_weekdays >> near & 1) != 0 && month_nearest(month, near) == day)
            return true;
    return false;
}

static bool month_weekday_fits(const triggers_cron *cron, cron_month month, unsigned day) {
    unsigned weekday = month_weekday(month, day);
    return (cron->weekdays >> weekday & 1) != 0 ||
           ((cron->last_weekdays >> weekday & 1) != 0 && day + 7 > month.last) ||
           (cron->nth_weekdays[(day - 1) / 7] >> weekday & 1) != 0;
}

/* Bit N: day N fits. */
static uint32_t month_days(const triggers_cron *cron, int year, unsigned number) {
    const triggers_date first = {.year = year, .month = number, .day = 1};
    const cron_month month = {.last = triggers_month_days(year, number),
                              .first_weekday = triggers_weekday(triggers_days_of(first))};
    uint32_t days = 0;
    for (unsigned day = 1; day <= month.last; day++) {
        bool day_fits = month_day_fits(cron, month, day);
        bool weekday_fits = month_weekday_fits(cron, month, day);
        bool fits = cron->either_day ? day_fits || weekday_fits : day_fits && weekday_fits;
        days |= (uint32_t)fits << day;
    }
    return days;
}

/* ---- Time of day ---- */

/* The lowest bit at or above `from`; -1: none. */
static int bit_from(uint64_t set, unsigned from) {
    uint64_t left = from < 64 ? set >> from : 0;
    return left != 0 ? (int)from + __builtin_ctzll(left) : -1;
}

/* The first second at or behind `from` within the hour; -1: none. */
static int hour_next(const triggers_cron *cron, unsigned from) {
    int minute = bit_from(cron->minutes, from / MINUTE_S);
    if (minute == (int)(from / MINUTE_S)) {
        int second = bit_from(cron->seconds, from % MINUTE_S);
        if (second >= 0)
            return minute * MINUTE_S + second;
        minute = bit_from(cron->minutes, from / MINUTE_S + 1);
    }
    return minute >= 0 ? minute * MINUTE_S + bit_from(cron->seconds, 0) : -1;
}

/* The same within the day. */
static int day_next(const triggers_cron *cron, unsigned from) {
    int hour = bit_from(cron->hours, from / HOUR_S);
    if (hour == (int)(from / HOUR_S)) {
        int second = hour_next(cron, from % HOUR_S);
        if (second >= 0)
            return hour * HOUR_S + second;
        hour = bit_from(cron->hours, from / HOUR_S + 1);
    }
    return hour >= 0 ? hour * HOUR_S + hour_next(cron, 0) : -1;
}

/* ---- All of it ---- */

/* The first fitting second of the month of `date` at or behind `second` of that day. */
static int64_t month_next(const triggers_cron *cron, triggers_date date, unsigned second) {
    if ((cron->months >> date.month & 1) == 0)
        return TRIGGERS_CRON_NEVER;
    uint32_t days = month_days(cron, date.year, date.month);
    for (int day = bit_from(days, date.day); day > 0; day = bit_from(days, (unsigned)day + 1)) {
        int found = day_next(cron, (unsigned)day == date.day ? second : 0);
        const triggers_date at = {.year = date.year, .month = date.month, .day = (unsigned)day};
        if (found >= 0)
            return triggers_days_of(at) * TRIGGERS_DAY_S + found;
    }
    return TRIGGERS_CRON_NEVER;
}

int64_t triggers_cron_next(const triggers_cron *cron, int64_t from_s) {
    int64_t days = triggers_floor_div(from_s, TRIGGERS_DAY_S);
    triggers_date date = triggers_date_of(days);
    unsigned second = (unsigned)(from_s - days * TRIGGERS_DAY_S);
    for (unsigned i = 0; i <= MONTHS_SEARCHED; i++) {
        if (date.year < YEAR_FIRST || date.year > YEAR_LAST)
            return TRIGGERS_CRON_NEVER;
        int64_t found = month_next(cron, date, second);
        if (found != TRIGGERS_CRON_NEVER)
            return found;
        date.day = 1;
        second = 0;
        date.year += date.month == 12;
        date.month = date.month % 12 + 1;
    }
    return TRIGGERS_CRON_NEVER;
}
