/* A cron expression: which local times it names.
 *
 * Five fields (minute, hour, day of month, month, day of week), or six with seconds before them;
 * or @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly. A field is `*` or a list of
 * values, ranges (`1-5`) and steps (a star or a range before a slash, `10/5`); months and weekdays
 * have names too; weekdays count from 0, Sunday, which 7 is as well. As Quartz has them: `?` for
 * `*` in both day fields, `L`, `L-3`, `LW`, `15W` in days of the month, `5L` (the last Friday) and
 * `5#2` (the second one) in days of the week. As crontab(5) has it: where neither day field begins
 * with a star a day that fits either one fits.
 *
 * Pure; knows nothing of time zones. Private to the room. */
#ifndef WALCAST_TRIGGERS_CRON_H
#define WALCAST_TRIGGERS_CRON_H

#include "core/core.h"

#define TRIGGERS_CRON_TEXT_MAX 256

/* Bit N of a set: value N. */
typedef struct {
    uint64_t seconds, minutes;
    uint32_t hours;
    uint32_t months;           /* 1 to 12 */
    uint32_t days;             /* 1 to 31 */
    uint32_t days_before_last; /* 0: the last itself, to 30 */
    uint32_t nearest_weekdays; /* Monday to Friday nearest to day N */
    bool last_weekday;         /* the month's last day from Monday to Friday */
    uint8_t weekdays;          /* 0 to 6 */
    uint8_t last_weekdays;     /* the month's last one of each */
    uint8_t nth_weekdays[5];   /* the month's first to fifth */
    bool either_day;           /* days of month and of week: one suffices */
    bool every_hour;           /* the hour's field begins with a star */
} triggers_cron;

/* Copies all; INPUT error that names the field, and what it should be. An expression that names no
 * day that ever comes (30 February) is refused too. */
CORE_MUST_CHECK bool triggers_cron_read(core_slice text, triggers_cron *cron, core_error *error);

#define TRIGGERS_CRON_NEVER INT64_MAX
/* The first local second at or behind `from_s` that the expression names (civil.h); NEVER when none
 * of the next 100 years is, or they pass the year 9999. */
int64_t triggers_cron_next(const triggers_cron *cron, int64_t from_s);

#endif
