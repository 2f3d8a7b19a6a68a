/* Dates of the Gregorian calendar as days since 1970-01-01, and local times as seconds since its
 * midnight, as if every place were in UTC.
 *
 * Pure arithmetic on whole numbers; for years 1 to 9999, which callers keep to. Private to the
 * room. */
#ifndef WALCAST_TRIGGERS_CIVIL_H
#define WALCAST_TRIGGERS_CIVIL_H

#include "core/core.h"

#define TRIGGERS_DAY_S INT64_C(86400)

typedef struct {
    int year;       /* 1 to 9999 */
    unsigned month; /* 1 to 12 */
    unsigned day;   /* 1 to 31 */
} triggers_date;

/* Towards minus infinity; `divisor` is positive. */
static inline int64_t triggers_floor_div(int64_t value, int64_t divisor) {
    return value / divisor - (value % divisor < 0);
}

static inline bool triggers_is_leap(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static inline unsigned triggers_month_days(int year, unsigned month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && triggers_is_leap(year));
}

/* Years are counted from March here, so that the leap day is a year's last; 146,097 days are the
 * calendar's period of 400 years, 719,468 those from 0000-03-01 to 1970-01-01. */
static inline int64_t triggers_days_of(triggers_date date) {
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = triggers_floor_div(year, 400);
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (int64_t)((date.month + 9) % 12) + 2) / 5 + date.day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static inline triggers_date triggers_date_of(int64_t days) {
    int64_t shifted = days + 719468;
    int64_t era = triggers_floor_div(shifted, 146097);
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* 0: March */
    return (triggers_date){
        .year = (int)(year + era * 400 + (month >= 10)),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
    };
}

/* 0: Sunday. 1970-01-01 was a Thursday. */
static inline unsigned triggers_weekday(int64_t days) {
    int64_t weekday = (days + 4) % 7;
    return (unsigned)(weekday < 0 ? weekday + 7 : weekday);
}

#endif
