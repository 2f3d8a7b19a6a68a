/* A timetable: the moments that a cron expression names in a time zone.
 *
 * Where clocks are moved, as Vixie's cron, systemd and Kubernetes do, in words: a local time that
 * does not exist happens at the moment of the jump; one that is there twice happens the first time
 * only. An expression whose hour begins with a star follows elapsed time instead: it leaves out
 * what does not exist and happens both times. Two local times that fall on one moment are one.
 *
 * Pure; moments are microseconds since 1970, UTC, of the years 1 to 9999. Immutable, any thread.
 * Private to the room. */
#ifndef WALCAST_TRIGGERS_TIMETABLE_H
#define WALCAST_TRIGGERS_TIMETABLE_H

#include "triggers/cron.h"
#include "triggers/definition.h"
#include "triggers/zone.h"

#define TRIGGERS_TIMETABLE_NEVER    INT64_MAX
#define TRIGGERS_TIMETABLE_RUNS_MAX 1000

typedef struct triggers_timetable triggers_timetable;

/* `zone`: a name, or empty for UTC. Errors as cron.h and zone.h have them. */
CORE_MUST_CHECK triggers_timetable *triggers_timetable_new(core_slice expression, core_slice zone,
                                                           const char *directory,
                                                           core_error *error);
void triggers_timetable_free(triggers_timetable *schedule);

/* The first moment behind `after_us`; NEVER when none comes within 100 years. */
int64_t triggers_timetable_next(const triggers_timetable *schedule, int64_t after_us);
/* Those behind `after_us` up to and with `until_us`, in order: how many, at most `capacity`. */
size_t triggers_timetable_between(const triggers_timetable *schedule, int64_t after_us,
                                  int64_t until_us, int64_t *moments, size_t capacity);

/* ---- What is due ---- */

/* NONE: what is late is left out. LAST: of what is late the last one happens, unless one is on
 * time. ALL: the last `max_runs` of what is late happen, and what is on time. */
typedef struct {
    triggers_catch_up catch_up;
    int64_t tolerance_us; /* one that is no later than this is on time */
    size_t max_runs;      /* 1 to TRIGGERS_TIMETABLE_RUNS_MAX, of late ones */
} triggers_timetable_policy;

typedef struct {
    int64_t moments[TRIGGERS_TIMETABLE_RUNS_MAX]; /* which are to happen now, in order */
    size_t count;
    size_t left_out;    /* earlier ones that will not happen */
    bool left_out_more; /* it was not counted further */
    int64_t covered_us; /* all up to here is decided: the next `last_us` */
} triggers_timetable_due;

/* Of the moments behind `last_us`, the one decided last, up to `now_us`. What is older than 400
 * days is left out. A clock that went back gives nothing and leaves `last_us`. With more on time
 * than there is room for (RUNS_MAX) the rest comes with the next call. */
void triggers_timetable_due_at(const triggers_timetable *schedule,
                               const triggers_timetable_policy *policy, int64_t last_us,
                               int64_t now_us, triggers_timetable_due *due);

#endif
