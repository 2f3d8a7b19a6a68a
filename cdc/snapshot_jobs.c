/* See snapshot_jobs.h.
 *
 * Happy path: a look at the bucket finds a record in state `requested`; it is planned over an
 * ordinary connection; workers take pieces; what they report is stored twice a second; when every
 * range is done the record says so. Failure modes: the broker or the database away is waited for; a
 * record that somebody else wrote is read again before it is stored; after the source's session
 * ended everything in memory is forgotten, and the next session goes on from the records. */
#include "cdc/publication.h"
#include "cdc/snapshot_jobs_private.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TURN_EVERY_MS = 500,
    STORE_EVERY_MS = 500,
    SESSION_WAIT_MS = 1000,
    RETRY_AFTER_MS = 500,
    LOOK_EVERY_MS = 50, /* for what waits for its time */
    STUCK_AFTER_MS = 1000,
    WORK_WAIT_MS = 60000, /* whatever there is to do wakes who waits */
    MOVED_AT_ONCE = 200,
    WORK_ARENA_BYTES = 4096,
    WORK_ARENA_MAX = 4 << 20,
    SCRATCH_BYTES = 16 << 10,
};

/* ---- Life ---- */

cdc_snapshot_jobs *cdc_snapshot_jobs_new(const core_config *config, core_log *log,
                                         core_metrics *metrics, cdc_snapshot_gate *gate,
                                         core_error *error) {
    cdc_snapshot_jobs *jobs = calloc(1, sizeof *jobs);
    if (jobs == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for snapshots");
        return NULL;
    }
    jobs->magic = CDC_SNAPSHOT_JOBS_MAGIC;
    core_arena_init(&jobs->scratch, SCRATCH_BYTES, (size_t)1 << 20);
    jobs->config = config;
    jobs->log = log;
    jobs->metrics = metrics;
    jobs->gate = gate;
    jobs->live_share = core_config_integer(config, "snapshot.live_share");
    jobs->scope.publication = core_config_text(config, "postgres.publication");
    cdc_publication_inserts_name(jobs->scope.publication, jobs->inserts_publication);
    jobs->scope.inserts_publication = jobs->inserts_publication;
    (void)pthread_mutex_init(&jobs->mutex, NULL);
    core_condition_init(&jobs->changed);
    return jobs;
}

static void job_remove(cdc_snapshot_jobs *jobs, size_t at) {
    cdc_snapshot_job_free(jobs->jobs[at]);
    jobs->jobs[at] = jobs->jobs[--jobs->count];
    core_metrics_set(jobs->metrics, CORE_METRIC_CDC_SNAPSHOTS, (int64_t)jobs->count);
}

void cdc_snapshot_jobs_free(cdc_snapshot_jobs *jobs) {
    if (jobs == NULL)
        return;
    cdc_snapshot_records_unwatch(jobs);
    while (jobs->count > 0)
        job_remove(jobs, jobs->count - 1);
    fanout_bucket_free(jobs->bucket);
    fanout_connection_free(jobs->connection);
    pg_connection_free(jobs->database);
    core_arena_fini(&jobs->scratch);
    (void)pthread_cond_destroy(&jobs->changed);
    (void)pthread_mutex_destroy(&jobs->mutex);
    free(jobs);
}

void cdc_snapshot_jobs_stop(cdc_snapshot_jobs *jobs) {
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->stopping = true;
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
}

/* With the mutex held. */
static void changed_wait(cdc_snapshot_jobs *jobs, int64_t timeout_ms) {
    (void)core_condition_wait(&jobs->changed, &jobs->mutex, timeout_ms);
}

/* ---- Workers ---- */

static bool slice_keep(core_arena *arena, core_slice from, core_slice *to) {
    *to = from.length > 0 ? core_arena_copy(arena, from) : core_slice_make(NULL, 0);
    return from.length == 0 || to->data != NULL;
}

/* Copies, since the job's own texts change while the piece is read. */
static bool work_fill(const cdc_snapshot_job *job, cdc_snapshot_work *work) {
    const core_snapshot *record = &job->record;
    core_arena_init(&work->arena, WORK_ARENA_BYTES, WORK_ARENA_MAX);
    work->start_sequence = record->start_sequence;
    work->addressed = record->stream.length > 0;
    return slice_keep(&work->arena, core_slice_text(record->id), &work->id) &&
           slice_keep(&work->arena, record->filter, &work->filter) &&
           slice_keep(&work->arena, record->low, &work->low);
}

static bool range_fill(const cdc_snapshot_job *job, size_t at, cdc_snapshot_work *work) {
    const core_snapshot_range *range = &job->record.ranges[at];
    core_slice last = core_buffer_slice(&job->steps[at].last);
    work->range = at;
    return slice_keep(&work->arena, range->schema, &work->schema) &&
           slice_keep(&work->arena, range->table, &work->table) &&
           slice_keep(&work->arena, range->key, &work->range_key) &&
           slice_keep(&work->arena, last.length > 0 ? last : range->after, &work->after) &&
           slice_keep(&work->arena, range->up_to, &work->up_to);
}

static bool job_is_open(const cdc_snapshot_jobs *jobs, const cdc_snapshot_job *job) {
    bool fits = job->record.initial == (cdc_snapshot_session_is_initial(&jobs->session));
    bool alone = job->record.stream.length == 0 || job->taken == 0;
    return fits && alone && job->planned && job->checked && !job->restarts &&
           job->record.state == CORE_SNAPSHOT_RUNNING && job->record.wanted == CORE_SNAPSHOT_RUN;
}

/* Some of the rows that are read by themselves, of one table; the list only grows, and not while
 * they are read. */
static bool moved_fill(cdc_snapshot_job *job, cdc_snapshot_work *work) {
    const cdc_snapshot_moved *moved = &job->moved;
    size_t count = 0;
    const cdc_snapshot_moved_row *first = &moved->rows[job->moved_done];
    core_slice *keys =
        core_arena_array(&work->arena, MOVED_AT_ONCE * first->key_count, sizeof *keys);
    for (size_t i = job->moved_done; keys != NULL && i < moved->count && count < MOVED_AT_ONCE;
         i++) {
        const cdc_snapshot_moved_row *row = &moved->rows[i];
        if (!core_slice_equal(row->table, first->table) ||
            !core_slice_equal(row->schema, first->schema))
            break;
        memcpy(&keys[count++ * first->key_count], row->key, first->key_count * sizeof *keys);
    }
    work->keys = keys;
    work->key_count = count;
    for (size_t i = 0; i < job->record.range_count; i++)
        if (core_slice_equal(job->record.ranges[i].table, first->table) &&
            core_slice_equal(job->record.ranges[i].schema, first->schema) &&
            !slice_keep(&work->arena, job->record.ranges[i].key, &work->range_key))
            return false;
    return count > 0 && slice_keep(&work->arena, first->schema, &work->schema) &&
           slice_keep(&work->arena, first->table, &work->table);
}

static bool moved_waits(const cdc_snapshot_job *job) {
    return job->finishing && !job->looking && job->moved_given == 0 &&
           job->moved_done < job->moved.count &&
           job->moved_not_before_ms <= core_clock_ms(core_clock_system());
}

/* With the mutex held. */
static bool job_give(cdc_snapshot_job *job, cdc_snapshot_work *work) {
    int64_t now_ms = core_clock_ms(core_clock_system());
    size_t range = cdc_snapshot_job_range(job, now_ms);
    bool moved = range == SIZE_MAX && moved_waits(job); /* only once every range is done */
    if (range == SIZE_MAX && !moved)
        return false;
    if (!work_fill(job, work) || !(moved ? moved_fill(job, work) : range_fill(job, range, work))) {
        core_arena_fini(&work->arena);
        return false;
    }
    if (moved)
        job->moved_given = work->key_count;
    else
        job->steps[range].taken = true;
    job->taken++;
    return true;
}

static size_t jobs_taken(const cdc_snapshot_jobs *jobs) {
    size_t taken = 0;
    for (size_t i = 0; i < jobs->count; i++)
        taken += jobs->jobs[i]->taken;
    return taken;
}

/* While changes flow one piece is read after the other, with rests. One that is stuck (a lock, a
 * condition that no row passes) does not keep the others. */
static bool work_rests(const cdc_snapshot_jobs *jobs) {
    int64_t now_ms = core_clock_ms(core_clock_system());
    bool busy = jobs_taken(jobs) > 0 && now_ms - jobs->taken_at_ms < STUCK_AFTER_MS;
    return cdc_snapshot_gate_yields(jobs->gate) && (busy || now_ms < jobs->rest_until_ms);
}

static bool work_find(cdc_snapshot_jobs *jobs, cdc_snapshot_work *work) {
    if (work_rests(jobs))
        return false;
    for (size_t i = 0; jobs->has_session && i < jobs->count; i++) {
        cdc_snapshot_job *job = jobs->jobs[(jobs->next + i) % jobs->count];
        *work = (cdc_snapshot_work){.session = jobs->session, .job = job};
        if (!job_is_open(jobs, job) || !job_give(job, work))
            continue;
        jobs->next = (jobs->next + i + 1) % jobs->count;
        jobs->taken_at_ms = core_clock_ms(core_clock_system());
        return true;
    }
    return false;
}

static int64_t look_again_ms(const cdc_snapshot_jobs *jobs) {
    int64_t rest_ms = jobs->rest_until_ms - core_clock_ms(core_clock_system());
    return rest_ms > 0 && rest_ms < LOOK_EVERY_MS ? rest_ms : LOOK_EVERY_MS;
}

void cdc_snapshot_jobs_yield(const cdc_snapshot_jobs *jobs, cdc_snapshot_work *work) {
    work->yields = work->yields || cdc_snapshot_gate_yields(jobs->gate);
    if (work->yields && work->session.limits.run_bytes > CDC_FLOW_RUN_BYTES)
        work->session.limits.run_bytes = CDC_FLOW_RUN_BYTES;
}

bool cdc_snapshot_jobs_take(cdc_snapshot_jobs *jobs, cdc_snapshot_work *work) {
    bool found = false;
    (void)pthread_mutex_lock(&jobs->mutex);
    while (!jobs->stopping && !(found = work_find(jobs, work)))
        changed_wait(jobs, jobs->count > 0 ? look_again_ms(jobs) : WORK_WAIT_MS);
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (!found)
        return false;
    work->session.limits.epoch = work->session.epoch;
    cdc_snapshot_jobs_yield(jobs, work);
    return true;
}

static void piece_count(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job,
                        const cdc_snapshot_report *report) {
    job->record.rows += report->rows;
    job->record.bytes += report->bytes;
    job->record.chunks++;
    if (report->sequence > job->record.end_sequence)
        job->record.end_sequence = report->sequence;
    job->error[0] = '\0';
    job->changed = true;
    core_metrics_add(jobs->metrics, CORE_METRIC_CDC_SNAPSHOT_ROWS, (int64_t)report->rows);
}

/* Whatever the number of ranges: what was read must be paid for before more is. */
static void rate_keep(cdc_snapshot_job *job, uint64_t bytes) {
    int64_t now_ms = core_clock_ms(core_clock_system());
    if (job->record.rate_bytes == 0)
        return;
    if (job->rate_at_ms < now_ms)
        job->rate_at_ms = now_ms;
    job->rate_at_ms += (int64_t)(bytes * CORE_MS_PER_S / job->record.rate_bytes);
}

/* The piece is in the stream. */
static void range_done(cdc_snapshot_job *job, size_t at, const cdc_snapshot_report *report) {
    cdc_snapshot_step *step = &job->steps[at];
    if (report->last.length > 0) {
        core_buffer_reset(&step->last);
        core_buffer_slice_append(&step->last, report->last);
    }
    job->record.ranges[at].done = report->is_end;
    rate_keep(job, report->bytes);
}

void cdc_snapshot_jobs_fail(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job,
                            const core_error *error) {
    cdc_snapshot_job_move(job, CORE_SNAPSHOT_FAILED, error->text);
    CORE_LOG(jobs->log, ERROR, "cdc", "snapshot failed; `walcast snapshot resume` goes on with it",
             CORE_LOG_TEXT("snapshot", job->record.id), CORE_LOG_TEXT("error", error->text));
}

/* Gives the range, or the rows, back; not to be read again before the time. */
static void work_return(cdc_snapshot_job *job, const cdc_snapshot_work *work,
                        const cdc_snapshot_report *report) {
    bool done = report->result == CDC_PIECE_DONE;
    int64_t again_ms = core_clock_ms(core_clock_system()) + RETRY_AFTER_MS;
    job->taken--;
    if (work->key_count > 0) {
        job->moved_done += done ? job->moved_given : 0;
        job->moved_given = 0;
        job->moved_not_before_ms = done ? 0 : again_ms;
        return;
    }
    job->steps[work->range].taken = false;
    if (done)
        range_done(job, work->range, report);
    else
        job->steps[work->range].not_before_ms = again_ms;
}

void cdc_snapshot_jobs_report(cdc_snapshot_jobs *jobs, cdc_snapshot_work *work,
                              const cdc_snapshot_report *report) {
    cdc_snapshot_job *job = work->job;
    int64_t now_ms = core_clock_ms(core_clock_system());
    (void)pthread_mutex_lock(&jobs->mutex);
    work_return(job, work, report);
    jobs->rest_until_ms = now_ms + cdc_snapshot_flow_rest_ms(work->read_ms, jobs->live_share);
    switch (report->result) {
    case CDC_PIECE_DONE:
        piece_count(jobs, job, report);
        break;
    case CDC_PIECE_RETRY:
        (void)snprintf(job->error, sizeof job->error, "%s", report->error->text);
        job->changed = true;
        break;
    case CDC_PIECE_FAILED:
        cdc_snapshot_jobs_fail(jobs, job, report->error);
        break;
    case CDC_PIECE_RESTART:
        job->restarts = true;
        (void)snprintf(job->error, sizeof job->error, "%s", report->error->text);
        break;
    case CDC_PIECE_ABORTED:
        break;
    }
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
    core_arena_fini(&work->arena);
}

/* ---- One job's turn ---- */

/* What is to be done with it next, and whether it may leave the memory after. */
static bool job_turn(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, bool *leaves,
                     core_error *error) {
    (void)pthread_mutex_lock(&jobs->mutex);
    core_snapshot_wanted wanted = job->record.wanted;
    core_snapshot_state state = job->record.state;
    bool idle = job->taken == 0;
    bool whole = cdc_snapshot_job_is_whole(job) && job->moved_done == job->moved.count;
    bool due =
        job->changed && core_clock_ms(core_clock_system()) - job->stored_at_ms >= STORE_EVERY_MS;
    bool over = core_snapshot_is_over(&job->record);
    if (idle && job->restarts)
        cdc_snapshot_job_unplan(job);
    if (idle && !over && wanted != CORE_SNAPSHOT_RUN)
        cdc_snapshot_job_move(
            job, wanted == CORE_SNAPSHOT_PAUSE ? CORE_SNAPSHOT_PAUSED : CORE_SNAPSHOT_CANCELLED,
            "");
    (void)pthread_mutex_unlock(&jobs->mutex);
    *leaves = false;
    if (!over && wanted == CORE_SNAPSHOT_RUN &&
        (state != CORE_SNAPSHOT_RUNNING || !job->planned || !job->checked))
        return cdc_snapshot_job_begin(jobs, job, error);
    if (!over && wanted == CORE_SNAPSHOT_RUN && whole)
        return cdc_snapshot_job_finish(jobs, job, error);
    bool ends = idle && (over || wanted != CORE_SNAPSHOT_RUN);
    if ((due || ends) && !cdc_snapshot_record_store(jobs, job, error))
        return false;
    *leaves = ends && !job->changed;
    return true;
}

/* The job at `at`, or NULL. Only this thread takes jobs away; the watch adds some at the end. */
static cdc_snapshot_job *job_at(cdc_snapshot_jobs *jobs, size_t at) {
    (void)pthread_mutex_lock(&jobs->mutex);
    cdc_snapshot_job *job = at < jobs->count ? jobs->jobs[at] : NULL;
    (void)pthread_mutex_unlock(&jobs->mutex);
    return job;
}

/* One that has its own trouble does not keep the others; a server that is away does. */
static bool jobs_turn(cdc_snapshot_jobs *jobs, core_error *error) {
    cdc_snapshot_job *job;
    bool ok = true;
    for (size_t i = 0; (job = job_at(jobs, i)) != NULL;) {
        bool leaves = false;
        if (!job_turn(jobs, job, &leaves, error)) {
            ok = false;
            if (error->code == CORE_ERROR_TRANSIENT)
                break;
        }
        (void)pthread_mutex_lock(&jobs->mutex);
        if (leaves)
            job_remove(jobs, i);
        else
            i++;
        (void)pthread_mutex_unlock(&jobs->mutex);
    }
    return ok;
}

/* ---- The thread ---- */

/* With the mutex held: workers give back what they hold. */
static void workers_wait(cdc_snapshot_jobs *jobs) {
    while (jobs_taken(jobs) > 0)
        changed_wait(jobs, WORK_WAIT_MS);
}

/* What the records say until the next session: how far each snapshot is, and why it waits. When the
 * broker is away they stay as they were stored last. */
static void records_leave(cdc_snapshot_jobs *jobs) {
    char reason[CORE_ERROR_TEXT_MAX];
    core_error error = {0};
    cdc_snapshot_gate_reason(jobs->gate, jobs->session.number, reason);
    for (size_t i = 0; i < jobs->count && jobs->bucket != NULL; i++) {
        cdc_snapshot_job *job = jobs->jobs[i];
        if (core_snapshot_is_over(&job->record) && !job->changed)
            continue;
        (void)pthread_mutex_lock(&jobs->mutex);
        if (!core_snapshot_is_over(&job->record) && reason[0] != '\0')
            (void)snprintf(job->error, sizeof job->error, "the stream was interrupted: %.400s",
                           reason);
        (void)pthread_mutex_unlock(&jobs->mutex);
        if (!cdc_snapshot_record_store(jobs, job, &error))
            break;
    }
}

/* Then forgets everything. */
static void session_leave(cdc_snapshot_jobs *jobs) {
    cdc_snapshot_records_unwatch(jobs);
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->has_session = false;
    workers_wait(jobs);
    (void)pthread_mutex_unlock(&jobs->mutex);
    records_leave(jobs);
    (void)pthread_mutex_lock(&jobs->mutex);
    while (jobs->count > 0)
        job_remove(jobs, jobs->count - 1);
    (void)pthread_mutex_unlock(&jobs->mutex);
    jobs->initial_made = false;
}

static void session_enter(cdc_snapshot_jobs *jobs, const cdc_snapshot_session *session) {
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->session = *session;
    jobs->has_session = true;
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
}

/* Follows the source's sessions; true while there is one. */
static bool session_follow(cdc_snapshot_jobs *jobs) {
    cdc_snapshot_session session;
    bool has =
        cdc_snapshot_gate_session(jobs->gate, jobs->has_session ? 0 : SESSION_WAIT_MS, &session);
    if (jobs->has_session && (!has || session.number != jobs->session.number))
        session_leave(jobs);
    if (has && !jobs->has_session)
        session_enter(jobs, &session);
    return has;
}

/* The same error is told once. */
static void error_tell(cdc_snapshot_jobs *jobs, const core_error *error) {
    if (strcmp(jobs->told, error->text) == 0)
        return;
    (void)snprintf(jobs->told, sizeof jobs->told, "%s", error->text);
    CORE_LOG(jobs->log, WARN, "cdc", "snapshots wait; trying again",
             CORE_LOG_TEXT("error", error->text));
}

static bool initial_turn(cdc_snapshot_jobs *jobs, core_error *error) {
    jobs->initial_made = jobs->initial_made || cdc_snapshot_initial_make(jobs, error);
    return jobs->initial_made;
}

static void session_turn(cdc_snapshot_jobs *jobs) {
    core_error error = {0};
    bool ok = cdc_snapshot_records_open(jobs, &error) && initial_turn(jobs, &error) &&
              (cdc_snapshot_session_is_initial(&jobs->session) ||
               cdc_snapshot_records_watch(jobs, &error)) &&
              jobs_turn(jobs, &error);
    if (!ok || error.code != CORE_ERROR_NONE)
        error_tell(jobs, &error);
    else
        jobs->told[0] = '\0';
    if (ok && cdc_snapshot_session_is_initial(&jobs->session) && cdc_snapshot_initial_is_over(jobs))
        cdc_snapshot_gate_initial_end(jobs->gate);
}

/* Until something was reported or it is time to look. */
static void turn_wait(cdc_snapshot_jobs *jobs) {
    (void)pthread_mutex_lock(&jobs->mutex);
    if (!jobs->stopping)
        changed_wait(jobs, jobs->count > 0 ? TURN_EVERY_MS : SESSION_WAIT_MS);
    (void)pthread_mutex_unlock(&jobs->mutex);
}

static bool is_stopping(cdc_snapshot_jobs *jobs) {
    (void)pthread_mutex_lock(&jobs->mutex);
    bool stopping = jobs->stopping;
    (void)pthread_mutex_unlock(&jobs->mutex);
    return stopping;
}

void cdc_snapshot_jobs_run(cdc_snapshot_jobs *jobs) {
    while (!is_stopping(jobs)) {
        if (!session_follow(jobs))
            continue;
        session_turn(jobs);
        turn_wait(jobs);
    }
    session_leave(jobs);
}
