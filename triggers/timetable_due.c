/* What of a schedule is due, after whatever pause; see timetable.h.
 *
 * Late moments are wanted from their end: windows before the present that grow until they hold
 * enough of them, or all. */
#include "triggers/timetable.h"

#include "triggers/civil.h"

#define LATE_MAX_US (400 * TRIGGERS_DAY_S * CORE_US_PER_S)

enum {
    WINDOW_FIRST_S = 60,
    WINDOW_GROWS = 4,
    LEFT_OUT_COUNTED = 10000,
};

static int64_t later_of(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The last `max` moments in (after, until], turned so that they are in order. */
static size_t last_between(const triggers_timetable *schedule, int64_t after_us, int64_t until_us,
                           int64_t *moments, size_t max) {
    size_t count = 0;
    int64_t ring[TRIGGERS_TIMETABLE_RUNS_MAX];
    for (int64_t at_us = after_us;; count++) {
        at_us = triggers_timetable_next(schedule, at_us);
        if (at_us == TRIGGERS_TIMETABLE_NEVER || at_us > until_us)
            break;
        ring[count % max] = at_us;
    }
    size_t kept = count < max ? count : max;
    for (size_t i = 0; i < kept; i++)
        moments[i] = ring[(count - kept + i) % max];
    return kept;
}

/* The same, without walking through all that is older. */
static size_t late_take(const triggers_timetable *schedule, int64_t after_us, int64_t until_us,
                        int64_t *moments, size_t max) {
    int64_t oldest_us = later_of(after_us, until_us - LATE_MAX_US);
    for (int64_t window_us = WINDOW_FIRST_S * CORE_US_PER_S;; window_us *= WINDOW_GROWS) {
        int64_t from_us = later_of(oldest_us, until_us - window_us);
        size_t count = last_between(schedule, from_us, until_us, moments, max);
        if (count == max || from_us == oldest_us)
            return count;
    }
}

/* How many of (after, until] will not happen. */
static void left_out_count(const triggers_timetable *schedule, int64_t after_us, int64_t until_us,
                           triggers_timetable_due *due) {
    for (int64_t at_us = after_us; due->left_out < LEFT_OUT_COUNTED; due->left_out++) {
        at_us = triggers_timetable_next(schedule, at_us);
        if (at_us == TRIGGERS_TIMETABLE_NEVER || at_us > until_us)
            return;
    }
    due->left_out_more = true;
}

static size_t late_wanted(const triggers_timetable_policy *policy, size_t on_time) {
    switch (policy->catch_up) {
    case TRIGGERS_CATCH_UP_NONE:
        return 0;
    case TRIGGERS_CATCH_UP_LAST:
        return on_time == 0;
    case TRIGGERS_CATCH_UP_ALL:
        return policy->max_runs < TRIGGERS_TIMETABLE_RUNS_MAX ? policy->max_runs
                                                              : TRIGGERS_TIMETABLE_RUNS_MAX;
    }
    return 0;
}

void triggers_timetable_due_at(const triggers_timetable *schedule,
                               const triggers_timetable_policy *policy, int64_t last_us,
                               int64_t now_us, triggers_timetable_due *due) {
    due->count = due->left_out = 0;
    due->left_out_more = false;
    due->covered_us = later_of(last_us, now_us);
    if (now_us <= last_us)
        return;
    int64_t on_time_us = later_of(last_us, now_us - policy->tolerance_us - 1);
    int64_t next_us = triggers_timetable_next(schedule, on_time_us);
    size_t wanted = late_wanted(policy, next_us <= now_us);
    if (wanted > 0 && on_time_us > last_us)
        due->count = late_take(schedule, last_us, on_time_us, due->moments, wanted);
    int64_t first_us = due->count > 0 ? due->moments[0] - 1 : on_time_us;
    if (first_us > last_us)
        left_out_count(schedule, last_us, first_us, due);
    size_t room = TRIGGERS_TIMETABLE_RUNS_MAX - due->count;
    size_t more =
        triggers_timetable_between(schedule, on_time_us, now_us, due->moments + due->count, room);
    due->count += more;
    if (more == room && due->count > 0)
        due->covered_us = due->moments[due->count - 1]; /* the rest comes with the next call */
}
