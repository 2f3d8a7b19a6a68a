/* See calendar.h. The two ways between days and dates are Howard Hinnant's ("chrono-compatible
 * low-level date algorithms"): years begin in March, and 400 of them are an era. */
#include "expr/calendar.h"

#define DAYS_PER_ERA   INT64_C(146097)
#define DAYS_BEFORE    INT64_C(730425) /* from 0000-03-01 to 2000-01-01 */
#define DAYS_PER_MONTH 153             /* of five from March on */

int64_t expr_calendar_days(expr_day day) {
    int64_t year = day.year - (day.month <= 2 ? 1 : 0);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month = day.month > 2 ? day.month - 3 : day.month + 9;
    int64_t day_of_year = (DAYS_PER_MONTH * month + 2) / 5 + day.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_BEFORE;
}

expr_day expr_calendar_day(int64_t days) {
    days += DAYS_BEFORE;
    int64_t era = (days >= 0 ? days : days - DAYS_PER_ERA + 1) / DAYS_PER_ERA;
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / DAYS_PER_MONTH; /* from March on */
    expr_day day = {.year = year_of_era + era * 400,
                    .month = month < 10 ? month + 3 : month - 9,
                    .day = day_of_year - (DAYS_PER_MONTH * month + 2) / 5 + 1};
    day.year += day.month <= 2 ? 1 : 0;
    return day;
}

int64_t expr_calendar_month_length(int64_t year, int64_t month) {
    static const int64_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return lengths[month - 1] + (month == 2 && is_leap ? 1 : 0);
}
