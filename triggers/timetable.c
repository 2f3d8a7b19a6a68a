/* See timetable.h.
 *
 * A zone is a row of spans of one offset each. Within a span local times and moments run alike, so
 * the next moment is the next local time there, or else the first one of a later span. What the
 * clock's jump left out stands between where local time would have gone on and where the span
 * begins; what it repeats stands before where local time was already. */
#include "triggers/timetable.h"

#include "triggers/civil.h"

#include <stdlib.h>

#define MOMENT_FIRST_S INT64_C(-62135596800) /* 0001-01-01 */
#define MOMENT_LAST_S  INT64_C(253402300799) /* 9999-12-31T23:59:59 */

enum {
    YEARS_SEARCHED = 100,
};

struct triggers_timetable {
    triggers_cron cron;
    triggers_zone *zone;
};

triggers_timetable *triggers_timetable_new(core_slice expression, core_slice zone,
                                           const char *directory, core_error *error) {
    triggers_timetable *schedule = calloc(1, sizeof *schedule);
    if (schedule == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a schedule");
        return NULL;
    }
    if (triggers_cron_read(expression, &schedule->cron, error))
        schedule->zone =
            triggers_zone_open(directory, zone.length > 0 ? zone : core_slice_text("UTC"), error);
    if (schedule->zone != NULL)
        return schedule;
    free(schedule);
    return NULL;
}

void triggers_timetable_free(triggers_timetable *schedule) {
    if (schedule != NULL)
        triggers_zone_free(schedule->zone);
    free(schedule);
}

/* ---- The next moment ---- */

/* Local time goes on here when the span begins: where it stood before, or where the span puts it.
 */
static int64_t span_carried(const triggers_timetable *schedule, const triggers_zone_span *span) {
    if (span->start_s == INT64_MIN)
        return INT64_MIN;
    return span->start_s + triggers_zone_at(schedule->zone, span->start_s - 1).offset_s;
}

/* The first moment of the span at or behind `from_s`; NEVER: none. */
static int64_t span_next(const triggers_timetable *schedule, const triggers_zone_span *span,
                         int64_t from_s) {
    int64_t begin_s = from_s > span->start_s ? from_s : span->start_s;
    int64_t local_s = begin_s + span->offset_s;
    if (!schedule->cron.every_hour) {
        int64_t carried_s = span_carried(schedule, span);
        bool at_jump = from_s <= span->start_s && carried_s < local_s;
        if (at_jump && triggers_cron_next(&schedule->cron, carried_s) < local_s)
            return span->start_s;
        if (carried_s > local_s)
            local_s = carried_s;
    }
    int64_t found_s = triggers_cron_next(&schedule->cron, local_s);
    bool inside = found_s != TRIGGERS_CRON_NEVER && found_s - span->offset_s < span->end_s;
    return inside ? found_s - span->offset_s : TRIGGERS_TIMETABLE_NEVER;
}

int64_t triggers_timetable_next(const triggers_timetable *schedule, int64_t after_us) {
    int64_t from_s = triggers_floor_div(after_us, CORE_US_PER_S) + 1;
    if (from_s < MOMENT_FIRST_S)
        from_s = MOMENT_FIRST_S;
    int64_t last_s = from_s + YEARS_SEARCHED * 366 * TRIGGERS_DAY_S;
    for (int64_t at_s = from_s; at_s <= last_s && at_s <= MOMENT_LAST_S;) {
        triggers_zone_span span = triggers_zone_at(schedule->zone, at_s);
        int64_t found_s = span_next(schedule, &span, from_s);
        if (found_s != TRIGGERS_TIMETABLE_NEVER)
            return found_s <= MOMENT_LAST_S ? found_s * CORE_US_PER_S : TRIGGERS_TIMETABLE_NEVER;
        if (span.end_s == INT64_MAX)
            break;
        at_s = span.end_s;
    }
    return TRIGGERS_TIMETABLE_NEVER;
}

size_t triggers_timetable_between(const triggers_timetable *schedule, int64_t after_us,
                                  int64_t until_us, int64_t *moments, size_t capacity) {
    size_t count = 0;
    for (int64_t at_us = after_us; count < capacity;) {
        at_us = triggers_timetable_next(schedule, at_us);
        if (at_us == TRIGGERS_TIMETABLE_NEVER || at_us > until_us)
            break;
        moments[count++] = at_us;
    }
    return count;
}
