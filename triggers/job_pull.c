/* Pulls: who waits for jobs of a queue, and gets them in the order in which they asked. See
 * job_queue.h. */
#include "triggers/job_table.h"

#include <stddef.h>
#include <stdlib.h>

static triggers_job_pull *pull_of(triggers_job_heap_entry *timer) {
    return (triggers_job_pull *)(void *)((char *)timer - offsetof(triggers_job_pull, timer));
}

/* ---- Life ---- */

static void pull_append(triggers_jobs *jobs, triggers_job_pull *pull) {
    triggers_job_line *line = pull->line;
    pull->before = line->last_pull;
    *(line->last_pull != NULL ? &line->last_pull->next : &line->first_pull) = pull;
    line->last_pull = pull;
    triggers_job_heap_push(&jobs->pull_timers, &pull->timer);
    jobs->figures.pulls++;
}

/* Its queue may be let go after. */
static void pull_remove(triggers_jobs *jobs, triggers_job_pull *pull) {
    triggers_job_line *line = pull->line;
    *(pull->before != NULL ? &pull->before->next : &line->first_pull) = pull->next;
    *(pull->next != NULL ? &pull->next->before : &line->last_pull) = pull->before;
    triggers_job_heap_remove(&jobs->pull_timers, &pull->timer);
    jobs->figures.pulls--;
    free(pull);
}

static void pull_end(triggers_jobs *jobs, triggers_job_pull *pull) {
    uint64_t token = pull->token;
    pull_remove(jobs, pull);
    jobs->spec.sink.pull_ended(jobs->spec.sink.context, token);
}

void triggers_job_pulls_free(triggers_jobs *jobs) {
    triggers_job_heap_entry *timer;
    while ((timer = triggers_job_heap_first(&jobs->pull_timers)) != NULL) {
        triggers_job_line *line = pull_of(timer)->line;
        pull_remove(jobs, pull_of(timer));
        triggers_job_line_let_go(jobs, line);
    }
}

/* ---- Handing out ---- */

/* False: no memory; the job stays where it is. */
static bool hand_out(triggers_jobs *jobs, triggers_job_entry *entry, const triggers_job_pull *pull,
                     int64_t now_us) {
    triggers_job_status status = entry->status;
    status.state = TRIGGERS_JOB_RUNNING;
    status.attempts++;
    status.lease++;
    status.started_us = now_us;
    if (!triggers_job_move(jobs, entry, &status))
        return false;
    triggers_job_time_attempt(jobs, entry, now_us);
    triggers_job_emit_status(jobs, entry);
    jobs->spec.sink.handed_out(jobs->spec.sink.context, pull->token, &entry->asked, &entry->status);
    return true;
}

/* Up to `max`, and as many bytes as one answer carries. */
static size_t pull_serve(triggers_jobs *jobs, const triggers_job_pull *pull, int64_t now_us) {
    size_t count = 0, bytes = 0;
    triggers_job_entry *entry;
    while (count < pull->max && (entry = triggers_job_line_next(pull->line)) != NULL) {
        bytes += entry->asked.payload.length;
        if ((count > 0 && bytes > TRIGGERS_JOBS_HANDOUT_BYTES) ||
            !hand_out(jobs, entry, pull, now_us))
            break;
        count++;
    }
    return count;
}

static void line_serve(triggers_jobs *jobs, triggers_job_line *line, int64_t now_us) {
    triggers_job_pull *pull;
    while ((pull = line->first_pull) != NULL && pull_serve(jobs, pull, now_us) > 0)
        pull_end(jobs, pull);
}

void triggers_job_pulls_serve(triggers_jobs *jobs, int64_t now_us) {
    triggers_job_line *line;
    while ((line = jobs->dirty) != NULL) {
        line_serve(jobs, line, now_us);
        jobs->dirty = line->next_dirty;
        line->dirty = false;
        triggers_job_line_let_go(jobs, line);
    }
}

/* ---- Asking ---- */

triggers_jobs_verdict triggers_jobs_pull(triggers_jobs *jobs, core_slice project, core_slice queue,
                                         size_t max, int64_t until_us, uint64_t token,
                                         int64_t now_us) {
    assert(max >= 1 && max <= TRIGGERS_JOBS_HANDOUT_MAX);
    triggers_job_line *line =
        jobs->figures.pulls < TRIGGERS_JOBS_PULLS_MAX &&
                triggers_job_heap_reserve(&jobs->pull_timers, jobs->figures.pulls + 1)
            ? triggers_job_line_get(jobs, project, queue)
            : NULL;
    triggers_job_pull *pull = line != NULL ? calloc(1, sizeof *pull) : NULL;
    if (pull == NULL) {
        if (line != NULL)
            triggers_job_line_let_go(jobs, line);
        return TRIGGERS_JOBS_FULL;
    }
    pull->line = line;
    pull->max = max;
    pull->until_us = until_us;
    pull->token = token;
    pull_append(jobs, pull);
    triggers_job_line_touch(jobs, line);
    triggers_job_pulls_serve(jobs, now_us);
    return TRIGGERS_JOBS_OK;
}

size_t triggers_job_pulls_expire(triggers_jobs *jobs, size_t max, int64_t now_us) {
    size_t count = 0;
    triggers_job_heap_entry *timer;
    while (count < max && (timer = triggers_job_heap_first(&jobs->pull_timers)) != NULL &&
           pull_of(timer)->until_us <= now_us) {
        triggers_job_line *line = pull_of(timer)->line;
        pull_end(jobs, pull_of(timer));
        triggers_job_line_let_go(jobs, line);
        count++;
    }
    return count;
}
