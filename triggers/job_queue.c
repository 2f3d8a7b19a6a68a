/* What happens to jobs; see job_queue.h. Each input finds its entry, makes the status that follows,
 * moves the entry there, emits the record, and answers the pulls that can be answered now. */
#include "triggers/job_table.h"

#include <stddef.h>
#include <stdlib.h>

#define JOBS_MAGIC        0x10b5a11eu
#define RECORDS_MAX       ((size_t)256 << 20) /* that wait; drivers stop long before */
#define CALLBACK_AGAIN_MS 5000                /* without memory */
#define NO_TEXT           core_slice_make(NULL, 0)

static const char *const verdict_names[] = {
    [TRIGGERS_JOBS_OK] = "ok",
    [TRIGGERS_JOBS_KNOWN] = "known",
    [TRIGGERS_JOBS_DUPLICATE] = "duplicate",
    [TRIGGERS_JOBS_REFUSED] = "refused",
    [TRIGGERS_JOBS_FULL] = "full",
    [TRIGGERS_JOBS_UNKNOWN] = "unknown",
    [TRIGGERS_JOBS_STALE] = "stale",
    [TRIGGERS_JOBS_CANCELS] = "cancels",
    [TRIGGERS_JOBS_OVER] = "over",
    [TRIGGERS_JOBS_TAKEN] = "taken",
};

const char *triggers_jobs_verdict_name(triggers_jobs_verdict verdict) {
    return verdict_names[verdict];
}

/* ---- Life ---- */

static triggers_job_entry *entry_of_timer(const triggers_job_heap_entry *timer) {
    return (triggers_job_entry *)(void *)((char *)(uintptr_t)timer -
                                          offsetof(triggers_job_entry, timer));
}

static bool timer_before(const triggers_job_heap_entry *a, const triggers_job_heap_entry *b) {
    const triggers_job_entry *one = entry_of_timer(a), *other = entry_of_timer(b);
    return one->timer_us != other->timer_us ? one->timer_us < other->timer_us
                                            : one->number < other->number;
}

static const triggers_job_pull *pull_of_timer(const triggers_job_heap_entry *timer) {
    return (const triggers_job_pull *)(const void *)((const char *)timer -
                                                     offsetof(triggers_job_pull, timer));
}

static bool pull_before(const triggers_job_heap_entry *a, const triggers_job_heap_entry *b) {
    return pull_of_timer(a)->until_us < pull_of_timer(b)->until_us;
}

triggers_jobs *triggers_jobs_new(const triggers_jobs_spec *spec, core_error *error) {
    triggers_jobs *jobs = calloc(1, sizeof *jobs);
    if (jobs == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for jobs");
        return NULL;
    }
    jobs->magic = JOBS_MAGIC;
    jobs->spec = *spec;
    triggers_job_heap_init(&jobs->timers, timer_before);
    triggers_job_heap_init(&jobs->over, timer_before);
    triggers_job_heap_init(&jobs->pull_timers, pull_before);
    core_buffer_init(&jobs->records, RECORDS_MAX);
    if (triggers_job_map_init(&jobs->ids) && triggers_job_map_init(&jobs->uniques) &&
        triggers_job_map_init(&jobs->lines) && triggers_job_map_init(&jobs->limits) &&
        triggers_job_map_init(&jobs->projects))
        return jobs;
    triggers_jobs_free(jobs);
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for jobs");
    return NULL;
}

void triggers_jobs_free(triggers_jobs *jobs) {
    if (jobs == NULL)
        return;
    CORE_MAGIC_CHECK(jobs, JOBS_MAGIC);
    triggers_job_pulls_free(jobs);
    while (jobs->newest != NULL)
        triggers_job_leave(jobs, jobs->newest);
    triggers_job_map_fini(&jobs->ids);
    triggers_job_map_fini(&jobs->uniques);
    triggers_job_map_fini(&jobs->lines);
    triggers_job_map_fini(&jobs->limits);
    triggers_job_map_fini(&jobs->projects);
    triggers_job_heap_fini(&jobs->timers);
    triggers_job_heap_fini(&jobs->over);
    triggers_job_heap_fini(&jobs->pull_timers);
    core_buffer_fini(&jobs->records);
    jobs->magic = 0;
    free(jobs);
}

/* ---- Moves ---- */

/* Moves and emits. False: no memory; nothing changed. */
static bool job_change(triggers_jobs *jobs, triggers_job_entry *entry,
                       const triggers_job_status *status) {
    assert(triggers_job_may_move(entry->status.state, status->state));
    if (!triggers_job_move(jobs, entry, status))
        return false;
    triggers_job_emit_status(jobs, entry);
    return true;
}

/* It is over: `text` is the result if it succeeded, else the error. */
static bool job_end(triggers_jobs *jobs, triggers_job_entry *entry, triggers_job_state state,
                    core_slice text, int64_t now_us) {
    triggers_job_status status = entry->status;
    status.state = state;
    status.cancels = false;
    status.finished_us = now_us;
    status.due_us = now_us;
    status.callback_due = entry->asked.callback_url.length > 0;
    status.callback_dead = false;
    status.callback_attempts = 0;
    status.callback_error = NO_TEXT;
    status.result = state == TRIGGERS_JOB_SUCCEEDED ? text : NO_TEXT;
    status.error = state == TRIGGERS_JOB_SUCCEEDED ? NO_TEXT : text;
    return job_change(jobs, entry, &status);
}

static bool job_ready(triggers_jobs *jobs, triggers_job_entry *entry, int64_t due_us) {
    triggers_job_status status = entry->status;
    status.state = TRIGGERS_JOB_READY;
    status.due_us = due_us;
    return job_change(jobs, entry, &status);
}

/* The running attempt has failed: again later, or never. */
static bool attempt_fail(triggers_jobs *jobs, triggers_job_entry *entry, core_slice error,
                         int64_t retry_ms, bool final, int64_t now_us) {
    const triggers_job *job = &entry->asked;
    if (entry->status.cancels)
        return job_end(jobs, entry, TRIGGERS_JOB_CANCELLED, error, now_us);
    if (retry_ms < 0)
        retry_ms = triggers_job_backoff_ms(job, entry->status.attempts);
    triggers_job_status status = entry->status;
    status.due_us = now_us + retry_ms * CORE_US_PER_MS;
    bool too_late = job->deadline_us > 0 && status.due_us >= job->deadline_us;
    if (final || too_late || entry->status.attempts >= job->max_attempts)
        return job_end(jobs, entry, TRIGGERS_JOB_DEAD, error, now_us);
    status.state = retry_ms > 0 ? TRIGGERS_JOB_SCHEDULED : TRIGGERS_JOB_READY;
    status.error = error;
    return job_change(jobs, entry, &status);
}

static core_slice cut(core_slice text, size_t max) {
    if (text.length <= max)
        return text;
    while (max > 0 && (text.data[max] & 0xC0) == 0x80) /* not within a character */
        max--;
    return core_slice_make(text.data, max);
}

/* ---- Jobs come ---- */

static void sequence_take(triggers_jobs *jobs, uint64_t sequence) {
    if (sequence <= jobs->taken)
        return;
    jobs->taken = sequence;
    triggers_job_emit_taken(jobs);
}

void triggers_jobs_pass(triggers_jobs *jobs, uint64_t sequence) {
    sequence_take(jobs, sequence);
}

static void job_drop(triggers_jobs *jobs, triggers_job_entry *entry) {
    triggers_job_emit_dropped(jobs, entry);
    triggers_job_leave(jobs, entry);
}

/* Room for so many bytes more, and jobs: those that are over go, the first to expire first. */
static bool room_make(triggers_jobs *jobs, size_t bytes, size_t count,
                      const triggers_job_entry *keep) {
    while (jobs->figures.bytes + bytes > jobs->spec.max_bytes ||
           jobs->figures.jobs + count > jobs->spec.max_jobs) {
        triggers_job_heap_entry *timer = triggers_job_heap_first(&jobs->over);
        if (timer == NULL || entry_of_timer(timer) == keep)
            return false;
        job_drop(jobs, entry_of_timer(timer));
        jobs->figures.evicted++;
    }
    return true;
}

triggers_jobs_verdict triggers_jobs_add(triggers_jobs *jobs, const triggers_job *job,
                                        uint64_t sequence, int64_t now_us) {
    triggers_job_status status;
    char other[TRIGGERS_JOB_ID_LENGTH + 1];
    if ((sequence > 0 && sequence <= jobs->taken) ||
        triggers_job_by_id(jobs, core_slice_text(job->id)) != NULL) {
        sequence_take(jobs, sequence);
        return TRIGGERS_JOBS_KNOWN;
    }
    if (!room_make(jobs, triggers_job_bytes(job), 1, NULL))
        return TRIGGERS_JOBS_FULL;
    triggers_jobs_verdict verdict = triggers_job_beginning(jobs, job, now_us, &status, other);
    const triggers_job_entry *entry = triggers_job_enter(jobs, job, &status);
    if (entry == NULL)
        return TRIGGERS_JOBS_FULL;
    jobs->figures.refused += verdict == TRIGGERS_JOBS_REFUSED;
    triggers_job_emit_added(jobs, entry);
    sequence_take(jobs, sequence);
    triggers_job_pulls_serve(jobs, now_us);
    return verdict;
}

/* ---- Workers report ---- */

static triggers_job_entry *entry_find(const triggers_jobs *jobs, core_slice project,
                                      core_slice id) {
    triggers_job_entry *entry = triggers_job_by_id(jobs, id);
    bool theirs =
        entry != NULL && (project.length == 0 || core_slice_equal(project, entry->asked.project));
    return theirs ? entry : NULL;
}

static bool attempt_runs(const triggers_job_entry *entry, uint32_t lease) {
    return entry->status.state == TRIGGERS_JOB_RUNNING && entry->status.lease == lease;
}

triggers_jobs_verdict triggers_jobs_progress(triggers_jobs *jobs, core_slice project, core_slice id,
                                             uint32_t lease, int64_t now_us) {
    triggers_job_entry *entry = entry_find(jobs, project, id);
    if (entry == NULL)
        return TRIGGERS_JOBS_UNKNOWN;
    if (!attempt_runs(entry, lease))
        return TRIGGERS_JOBS_STALE;
    triggers_job_time_attempt(jobs, entry, now_us);
    return entry->status.cancels ? TRIGGERS_JOBS_CANCELS : TRIGGERS_JOBS_OK;
}

triggers_jobs_verdict triggers_jobs_succeed(triggers_jobs *jobs, core_slice project, core_slice id,
                                            uint32_t lease, core_slice result, int64_t now_us) {
    assert(result.length <= TRIGGERS_JOB_RESULT_MAX);
    triggers_job_entry *entry = entry_find(jobs, project, id);
    if (entry == NULL)
        return TRIGGERS_JOBS_UNKNOWN;
    if (!attempt_runs(entry, lease))
        return entry->status.state == TRIGGERS_JOB_SUCCEEDED && entry->status.lease == lease
                   ? TRIGGERS_JOBS_KNOWN
                   : TRIGGERS_JOBS_STALE;
    if (!room_make(jobs, result.length, 0, entry) ||
        !job_end(jobs, entry, TRIGGERS_JOB_SUCCEEDED, result, now_us))
        return TRIGGERS_JOBS_FULL;
    triggers_job_pulls_serve(jobs, now_us);
    return TRIGGERS_JOBS_OK;
}

triggers_jobs_verdict triggers_jobs_fail(triggers_jobs *jobs, core_slice project, core_slice id,
                                         uint32_t lease, core_slice error, int64_t retry_ms,
                                         bool final, int64_t now_us) {
    triggers_job_entry *entry = entry_find(jobs, project, id);
    if (entry == NULL)
        return TRIGGERS_JOBS_UNKNOWN;
    if (!attempt_runs(entry, lease)) {
        bool said = entry->status.lease == lease && lease > 0 &&
                    entry->status.state != TRIGGERS_JOB_SUCCEEDED;
        return said ? TRIGGERS_JOBS_KNOWN : TRIGGERS_JOBS_STALE;
    }
    if (!attempt_fail(jobs, entry, cut(error, TRIGGERS_JOB_ERROR_MAX), retry_ms, final, now_us))
        return TRIGGERS_JOBS_FULL;
    triggers_job_pulls_serve(jobs, now_us);
    return TRIGGERS_JOBS_OK;
}

/* ---- Somebody decides ---- */

triggers_jobs_verdict triggers_jobs_cancel(triggers_jobs *jobs, core_slice project, core_slice id,
                                           int64_t now_us) {
    triggers_job_entry *entry = entry_find(jobs, project, id);
    if (entry == NULL)
        return TRIGGERS_JOBS_UNKNOWN;
    if (triggers_job_is_over(entry->status.state))
        return TRIGGERS_JOBS_OVER;
    if (entry->status.state != TRIGGERS_JOB_RUNNING) {
        if (!job_end(jobs, entry, TRIGGERS_JOB_CANCELLED, core_slice_text("cancelled"), now_us))
            return TRIGGERS_JOBS_FULL;
        triggers_job_pulls_serve(jobs, now_us);
        return TRIGGERS_JOBS_OK;
    }
    int64_t timer_us = entry->timer_us; /* being cancelled is no word from its worker */
    triggers_job_status status = entry->status;
    status.cancels = true;
    if (!job_change(jobs, entry, &status))
        return TRIGGERS_JOBS_FULL;
    triggers_job_time(jobs, entry, timer_us);
    return TRIGGERS_JOBS_CANCELS;
}

/* Only its callback: the job itself was done. */
static triggers_jobs_verdict callback_retry(triggers_jobs *jobs, triggers_job_entry *entry,
                                            int64_t now_us) {
    triggers_job_status status = entry->status;
    status.callback_dead = false;
    status.callback_due = true;
    status.callback_attempts = 0;
    status.due_us = now_us;
    return job_change(jobs, entry, &status) ? TRIGGERS_JOBS_OK : TRIGGERS_JOBS_FULL;
}

triggers_jobs_verdict triggers_jobs_retry(triggers_jobs *jobs, core_slice project, core_slice id,
                                          int64_t now_us) {
    triggers_job_entry *entry = entry_find(jobs, project, id);
    if (entry == NULL)
        return TRIGGERS_JOBS_UNKNOWN;
    if (entry->status.callback_dead &&
        !triggers_job_may_move(entry->status.state, TRIGGERS_JOB_READY))
        return callback_retry(jobs, entry, now_us);
    if (!triggers_job_is_over(entry->status.state) ||
        !triggers_job_may_move(entry->status.state, TRIGGERS_JOB_READY) ||
        (entry->asked.deadline_us > 0 && entry->asked.deadline_us <= now_us))
        return TRIGGERS_JOBS_OVER;
    if (entry->asked.unique_key.length > 0 && triggers_job_by_unique(jobs, &entry->asked) != NULL)
        return TRIGGERS_JOBS_TAKEN;
    if (entry->evictable &&
        !triggers_job_project_has_room(jobs, entry->asked.project, entry->bytes))
        return TRIGGERS_JOBS_FULL;
    triggers_job_status status = entry->status;
    status.state = TRIGGERS_JOB_READY;
    status.attempts = 0;
    status.due_us = now_us;
    status.finished_us = 0;
    status.callback_due = status.callback_dead = false;
    if (!job_change(jobs, entry, &status))
        return TRIGGERS_JOBS_FULL;
    triggers_job_pulls_serve(jobs, now_us);
    return TRIGGERS_JOBS_OK;
}

/* As deliveries of triggers are made again by default, each wait up to a quarter less. */
static int64_t callback_wait_ms(const triggers_job *job, uint32_t attempts) {
    static const int32_t waits_s[TRIGGERS_JOBS_CALLBACKS_MAX - 1] = {
        5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400};
    assert(attempts >= 1 && attempts < TRIGGERS_JOBS_CALLBACKS_MAX);
    int64_t wait_ms = waits_s[attempts - 1] * INT64_C(1000);
    uint64_t hash = core_slice_hash_more(core_slice_hash(core_slice_text(job->id)),
                                         core_slice_make(&attempts, sizeof attempts));
    return wait_ms - (int64_t)((hash >> 32) % (uint64_t)(wait_ms / 4));
}

static void callback_failed(const triggers_job *job, triggers_job_status *status,
                            const triggers_jobs_called_word *word, int64_t now_us) {
    status->callback_error = cut(word->reason, TRIGGERS_JOB_CALLED_MAX);
    status->callback_dead = word->call == TRIGGERS_JOBS_CALL_DEAD ||
                            status->callback_attempts >= TRIGGERS_JOBS_CALLBACKS_MAX;
    status->callback_due = !status->callback_dead;
    if (status->callback_dead)
        return;
    int64_t wait_ms = callback_wait_ms(job, status->callback_attempts);
    status->due_us = now_us + (word->wait_ms >= 0 ? word->wait_ms : wait_ms) * CORE_US_PER_MS;
}

void triggers_jobs_called(triggers_jobs *jobs, core_slice id, const triggers_jobs_called_word *word,
                          int64_t now_us) {
    triggers_job_entry *entry = triggers_job_by_id(jobs, id);
    if (entry == NULL || !entry->calls)
        return; /* retried since, or another owner's */
    entry->calls = false;
    if (word->call == TRIGGERS_JOBS_CALL_POSTPONED) {
        triggers_job_time(jobs, entry, now_us + word->wait_ms * CORE_US_PER_MS);
        return;
    }
    triggers_job_status status = entry->status;
    status.callback_attempts++;
    status.callback_due = false;
    status.callback_error = NO_TEXT;
    if (word->call != TRIGGERS_JOBS_CALL_TAKEN)
        callback_failed(&entry->asked, &status, word, now_us);
    if (!job_change(jobs, entry, &status)) /* no memory: it is told again */
        triggers_job_time(jobs, entry, now_us + CALLBACK_AGAIN_MS * CORE_US_PER_MS);
}

/* ---- Time passes ---- */

static void running_due(triggers_jobs *jobs, triggers_job_entry *entry, int64_t now_us) {
    bool dead = entry->asked.deadline_us > 0 && entry->asked.deadline_us <= now_us;
    char text[96];
    core_buffer error = core_buffer_over(text, sizeof text);
    if (dead)
        core_buffer_text(&error, "its deadline passed while it ran");
    else
        core_buffer_format(&error, "its worker said nothing for %lld ms",
                           (long long)entry->asked.timeout_ms);
    if (attempt_fail(jobs, entry, core_buffer_slice(&error), -1, dead, now_us))
        jobs->figures.expired++;
}

static void callback_start(triggers_jobs *jobs, triggers_job_entry *entry) {
    triggers_job_time(jobs, entry, INT64_MAX);
    entry->calls = true;
    jobs->spec.sink.callback(jobs->spec.sink.context, &entry->asked, &entry->status);
}

static void entry_due(triggers_jobs *jobs, triggers_job_entry *entry, int64_t now_us) {
    const triggers_job *job = &entry->asked;
    /* Out of memory leaves it as it is: it is looked at again in a while. */
    triggers_job_time(jobs, entry, now_us + CORE_US_PER_S);
    if (entry->status.state == TRIGGERS_JOB_RUNNING)
        running_due(jobs, entry, now_us);
    else if (triggers_job_is_over(entry->status.state) && entry->status.callback_due)
        callback_start(jobs, entry);
    else if (triggers_job_is_over(entry->status.state))
        job_drop(jobs, entry);
    else if (job->deadline_us > 0 && job->deadline_us <= now_us)
        (void)job_end(jobs, entry, TRIGGERS_JOB_DEAD,
                      core_slice_text("its deadline passed before it ran"), now_us);
    else if (entry->status.state == TRIGGERS_JOB_SCHEDULED)
        (void)job_ready(jobs, entry, entry->status.due_us);
}

static triggers_job_entry *due_next(const triggers_jobs *jobs) {
    const triggers_job_heap_entry *timer = triggers_job_heap_first(&jobs->timers);
    const triggers_job_heap_entry *over = triggers_job_heap_first(&jobs->over);
    if (timer == NULL || (over != NULL && timer_before(over, timer)))
        timer = over;
    return timer != NULL ? entry_of_timer(timer) : NULL;
}

bool triggers_jobs_tick(triggers_jobs *jobs, size_t max, int64_t now_us) {
    triggers_job_entry *entry;
    size_t done = 0;
    for (; done < max && (entry = due_next(jobs)) != NULL && entry->timer_us <= now_us; done++)
        entry_due(jobs, entry, now_us);
    triggers_job_pulls_serve(jobs, now_us);
    done += triggers_job_pulls_expire(jobs, max - done, now_us);
    return done == max;
}

int64_t triggers_jobs_next_us(const triggers_jobs *jobs) {
    const triggers_job_entry *entry = due_next(jobs);
    const triggers_job_heap_entry *pull = triggers_job_heap_first(&jobs->pull_timers);
    int64_t next_us = entry != NULL ? entry->timer_us : INT64_MAX;
    return pull != NULL && pull_of_timer(pull)->until_us < next_us ? pull_of_timer(pull)->until_us
                                                                   : next_us;
}

/* ---- What is ---- */

bool triggers_jobs_has_ready(triggers_jobs *jobs, core_slice project, core_slice queue) {
    triggers_job_line *line = triggers_job_line_find(jobs, project, queue);
    return line != NULL && triggers_job_line_next(line) != NULL;
}

const triggers_job *triggers_jobs_find(const triggers_jobs *jobs, core_slice project, core_slice id,
                                       const triggers_job_status **status) {
    const triggers_job_entry *entry = entry_find(jobs, project, id);
    *status = entry != NULL ? &entry->status : NULL;
    return entry != NULL ? &entry->asked : NULL;
}

void triggers_jobs_each(const triggers_jobs *jobs, triggers_jobs_handler take, void *context) {
    for (const triggers_job_entry *entry = jobs->newest; entry != NULL; entry = entry->older)
        if (!take(context, &entry->asked, &entry->status))
            return;
}

triggers_jobs_figures triggers_jobs_count(const triggers_jobs *jobs) {
    return jobs->figures;
}

uint64_t triggers_jobs_taken(const triggers_jobs *jobs) {
    return jobs->taken;
}

void triggers_jobs_resume(triggers_jobs *jobs, int64_t now_us) {
    for (triggers_job_entry *entry = jobs->oldest; entry != NULL; entry = entry->newer)
        if (entry->status.state == TRIGGERS_JOB_RUNNING)
            triggers_job_time_attempt(jobs, entry, now_us);
}
