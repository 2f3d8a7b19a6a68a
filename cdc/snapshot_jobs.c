/* See snapshot_jobs.h.
 *
 * Happy path: a look at the bucket finds a record in state `requested`; it is planned over an
 * ordinary connection; workers take pieces; what they report is stored twice a second; when every
 * range is done the record says so. Failure modes: the broker or the database away is waited for; a
 * record that somebody else wrote is read again before it is stored; after the source's session
 * ended everything in memory is forgotten, and the next session goes on from the records. */
#include "cdc/snapshot_jobs.h"

#include "cdc/publication.h"
#include "cdc/snapshot_job.h"
#include "cdc/snapshot_moment.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define JOBS_MAGIC UINT32_C(0x6a6f6273)

enum {
    TURN_EVERY_MS = 500,
    STORE_EVERY_MS = 500,
    SESSION_WAIT_MS = 1000,
    RETRY_AFTER_MS = 500,
    WORK_WAIT_MS = 1000,
    PUBLISH_WAIT_MS = 1000,
    WORK_ARENA_BYTES = 4096,
    WORK_ARENA_MAX = 4 << 20,
    CUT_TEXT_MAX = 16 << 10,
    PLAN_ARENA_BYTES = 64 << 10,
    PLAN_ARENA_MAX = 16 << 20,
};

struct cdc_snapshot_jobs {
    uint32_t magic;
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    cdc_snapshot_gate *gate;
    cdc_snapshot_scope scope;
    char inserts_publication[CDC_NAME_MAX];

    pthread_mutex_t mutex; /* guards all below, but for the thread's own */
    pthread_cond_t changed;
    bool stopping;
    cdc_snapshot_session session;
    bool has_session;
    cdc_snapshot_job *jobs[CDC_SNAPSHOT_JOBS_MAX];
    size_t count;
    size_t next; /* whose turn it is */
    bool watch_lost;

    /* The thread's own. */
    fanout_connection *connection;
    fanout_bucket *bucket;
    fanout_ordered *watch;
    pg_connection *database;
    core_arena scratch;
    bool initial_made; /* in this session */
    char told[CORE_ERROR_TEXT_MAX];
};

static int64_t now_ms(void) {
    return core_clock_ms(core_clock_system());
}

/* ---- Life ---- */

cdc_snapshot_jobs *cdc_snapshot_jobs_new(const core_config *config, core_log *log,
                                         core_metrics *metrics, cdc_snapshot_gate *gate,
                                         core_error *error) {
    cdc_snapshot_jobs *jobs = calloc(1, sizeof *jobs);
    if (jobs == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for snapshots");
        return NULL;
    }
    jobs->magic = JOBS_MAGIC;
    core_arena_init(&jobs->scratch, CUT_TEXT_MAX, (size_t)1 << 20);
    jobs->config = config;
    jobs->log = log;
    jobs->metrics = metrics;
    jobs->gate = gate;
    jobs->scope.publication = core_config_text(config, "postgres.publication");
    cdc_publication_inserts_name(jobs->scope.publication, jobs->inserts_publication);
    jobs->scope.inserts_publication = jobs->inserts_publication;
    (void)pthread_mutex_init(&jobs->mutex, NULL);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&jobs->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return jobs;
}

static void job_remove(cdc_snapshot_jobs *jobs, size_t at) {
    cdc_snapshot_job_free(jobs->jobs[at]);
    jobs->jobs[at] = jobs->jobs[--jobs->count];
    core_metrics_set(jobs->metrics, CORE_METRIC_CDC_SNAPSHOTS, (int64_t)jobs->count);
}

static void records_unwatch(cdc_snapshot_jobs *jobs) {
    fanout_ordered_free(jobs->watch);
    jobs->watch = NULL;
    jobs->watch_lost = false;
}

void cdc_snapshot_jobs_free(cdc_snapshot_jobs *jobs) {
    if (jobs == NULL)
        return;
    records_unwatch(jobs);
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
    const core_clock *clock = core_clock_system();
    int64_t until_ns = clock->monotonic_ns(clock) + timeout_ms * CORE_NS_PER_MS;
    const struct timespec until = {.tv_sec = until_ns / (1000 * CORE_NS_PER_MS),
                                   .tv_nsec = until_ns % (1000 * CORE_NS_PER_MS)};
    (void)pthread_cond_timedwait(&jobs->changed, &jobs->mutex, &until);
}

/* ---- Workers ---- */

static bool slice_keep(core_arena *arena, core_slice from, core_slice *to) {
    *to = from.length > 0 ? core_arena_copy(arena, from) : core_slice_make(NULL, 0);
    return from.length == 0 || to->data != NULL;
}

/* Copies, since the job's own texts change while the piece is read. */
static bool work_fill(const cdc_snapshot_job *job, size_t at, cdc_snapshot_work *work) {
    const core_snapshot *record = &job->record;
    const core_snapshot_range *range = &record->ranges[at];
    core_slice last = core_buffer_slice(&job->steps[at].last);
    core_arena_init(&work->arena, WORK_ARENA_BYTES, WORK_ARENA_MAX);
    work->start_sequence = record->start_sequence;
    work->rate_bytes = record->rate_bytes;
    work->addressed = record->stream.length > 0;
    return slice_keep(&work->arena, core_slice_text(record->id), &work->id) &&
           slice_keep(&work->arena, range->schema, &work->schema) &&
           slice_keep(&work->arena, range->table, &work->table) &&
           slice_keep(&work->arena, last.length > 0 ? last : range->after, &work->after) &&
           slice_keep(&work->arena, range->up_to, &work->up_to) &&
           slice_keep(&work->arena, record->filter, &work->filter) &&
           slice_keep(&work->arena, record->low, &work->low);
}

static bool job_is_open(const cdc_snapshot_jobs *jobs, const cdc_snapshot_job *job) {
    bool fits = job->record.initial == (jobs->session.exported != NULL);
    bool alone = job->record.stream.length == 0 || job->taken == 0;
    return fits && alone && job->planned && job->record.state == CORE_SNAPSHOT_RUNNING &&
           job->record.wanted == CORE_SNAPSHOT_RUN;
}

/* With the mutex held. */
static bool work_find(cdc_snapshot_jobs *jobs, cdc_snapshot_work *work) {
    for (size_t i = 0; jobs->has_session && i < jobs->count; i++) {
        cdc_snapshot_job *job = jobs->jobs[(jobs->next + i) % jobs->count];
        size_t range = job_is_open(jobs, job) ? cdc_snapshot_job_range(job, now_ms()) : SIZE_MAX;
        if (range == SIZE_MAX)
            continue;
        *work = (cdc_snapshot_work){.session = jobs->session, .job = job, .range = range};
        if (!work_fill(job, range, work)) {
            core_arena_fini(&work->arena);
            continue;
        }
        job->steps[range].taken = true;
        job->taken++;
        jobs->next = (jobs->next + i + 1) % jobs->count;
        return true;
    }
    return false;
}

bool cdc_snapshot_jobs_take(cdc_snapshot_jobs *jobs, cdc_snapshot_work *work) {
    bool found = false;
    (void)pthread_mutex_lock(&jobs->mutex);
    while (!jobs->stopping && !(found = work_find(jobs, work)))
        changed_wait(jobs, jobs->count > 0 ? RETRY_AFTER_MS / 10 : WORK_WAIT_MS);
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (found)
        work->session.limits.epoch = work->session.epoch;
    return found;
}

/* The piece is in the stream. */
static void piece_done(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, size_t at,
                       const cdc_snapshot_report *report) {
    cdc_snapshot_step *step = &job->steps[at];
    if (report->last.length > 0) {
        core_buffer_reset(&step->last);
        core_buffer_slice_append(&step->last, report->last);
    }
    job->record.ranges[at].done = report->is_end;
    job->record.rows += report->rows;
    job->record.bytes += report->bytes;
    job->record.chunks++;
    job->error[0] = '\0';
    job->changed = true;
    if (job->record.rate_bytes > 0)
        step->not_before_ms =
            now_ms() + (int64_t)(report->bytes * CORE_MS_PER_S / job->record.rate_bytes);
    core_metrics_add(jobs->metrics, CORE_METRIC_CDC_SNAPSHOT_ROWS, (int64_t)report->rows);
}

static void job_fail(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, const core_error *error) {
    cdc_snapshot_job_move(job, CORE_SNAPSHOT_FAILED, error->text);
    CORE_LOG(jobs->log, ERROR, "cdc", "snapshot failed; `walcast snapshot resume` goes on with it",
             CORE_LOG_TEXT("snapshot", job->record.id), CORE_LOG_TEXT("error", error->text));
}

void cdc_snapshot_jobs_report(cdc_snapshot_jobs *jobs, cdc_snapshot_work *work,
                              const cdc_snapshot_report *report) {
    cdc_snapshot_job *job = work->job;
    (void)pthread_mutex_lock(&jobs->mutex);
    job->steps[work->range].taken = false;
    job->taken--;
    switch (report->result) {
    case CDC_PIECE_DONE:
        piece_done(jobs, job, work->range, report);
        break;
    case CDC_PIECE_RETRY:
        job->steps[work->range].not_before_ms = now_ms() + RETRY_AFTER_MS;
        (void)snprintf(job->error, sizeof job->error, "%s", report->error->text);
        job->changed = true;
        break;
    case CDC_PIECE_FAILED:
        job_fail(jobs, job, report->error);
        break;
    case CDC_PIECE_ABORTED:
        job->steps[work->range].not_before_ms = now_ms() + RETRY_AFTER_MS;
        break;
    }
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
    core_arena_fini(&work->arena);
}

/* ---- Streams of addressed snapshots ---- */

static bool subject_make(const cdc_snapshot_jobs *jobs, const cdc_snapshot_job *job,
                         char subject[CORE_SUBJECT_MAX], core_error *error) {
    const core_subject_scope scope = {.prefix = core_config_text(jobs->config, "nats.prefix"),
                                      .project = core_config_text(jobs->config, "project")};
    return core_subject_snapshot(&scope, job->record.id, subject) ||
           core_error_set(error, CORE_ERROR_LIMIT, "the subject of snapshot %s is too long",
                          job->record.id);
}

static bool job_publisher_open(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    char stream[FANOUT_NAME_MAX];
    char subject[CORE_SUBJECT_MAX];
    const fanout_tail *tail;
    if (job->publisher_open)
        return true;
    (void)snprintf(stream, sizeof stream, "%.*s", CORE_SLICE_ARGS(job->record.stream));
    if (!subject_make(jobs, job, subject, error))
        return false;
    if (job->publisher == NULL) {
        const fanout_stream_spec spec = {
            .name = stream,
            .subjects = subject,
            .max_age_ms = core_config_integer(jobs->config, "snapshot.stream_max_age"),
            .max_bytes = core_config_integer(jobs->config, "snapshot.stream_max_bytes"),
            .replicas = (int)core_config_integer(jobs->config, "nats.replicas"),
            .duplicate_window_ms = 100,
        };
        job->publisher = fanout_publisher_new(jobs->config, &spec, jobs->log, jobs->metrics,
                                              core_clock_system(), error);
    }
    job->publisher_open =
        job->publisher != NULL && fanout_publisher_open(job->publisher, &tail, error);
    return job->publisher_open;
}

static bool publisher_wait(fanout_publisher *publisher, uint64_t *acked, core_error *error) {
    struct pollfd wake = {.fd = fanout_publisher_wake_fd(publisher), .events = POLLIN};
    if (fanout_publisher_sleep(publisher))
        (void)poll(&wake, 1, PUBLISH_WAIT_MS);
    fanout_publisher_wake_clear(publisher);
    return fanout_publisher_poll(publisher, acked, error);
}

static bool run_publish(fanout_publisher *publisher, const char *subject, core_slice payload,
                        core_error *error) {
    uint64_t sequence = 0;
    uint64_t acked = 0;
    for (;;) {
        fanout_send_result sent =
            fanout_publisher_send(publisher, subject, payload, &sequence, error);
        if (sent == FANOUT_BROKEN || !publisher_wait(publisher, &acked, error))
            return false;
        if (sent == FANOUT_SENT)
            break;
    }
    while (acked < sequence)
        if (!publisher_wait(publisher, &acked, error))
            return false;
    return true;
}

/* The mutex is not held while the broker is asked: only one worker at a time has an addressed
 * snapshot's only range. */
bool cdc_snapshot_jobs_publish(cdc_snapshot_jobs *jobs, const cdc_snapshot_work *work,
                               core_slice payload, core_error *error) {
    cdc_snapshot_job *job = work->job;
    char subject[CORE_SUBJECT_MAX];
    if (subject_make(jobs, job, subject, error) && job_publisher_open(jobs, job, error) &&
        run_publish(job->publisher, subject, payload, error))
        return true;
    job->publisher_open = false;
    return false;
}

/* ---- Records ---- */

static bool bucket_open(cdc_snapshot_jobs *jobs, core_error *error) {
    if (jobs->connection == NULL)
        jobs->connection = fanout_connection_new(jobs->config, "walcast snapshots", jobs->log,
                                                 jobs->metrics, error);
    if (jobs->connection != NULL && jobs->bucket == NULL)
        jobs->bucket = fanout_bucket_new(jobs->connection, jobs->config, "state", error);
    return jobs->bucket != NULL;
}

/* With the mutex held. */
static cdc_snapshot_job *job_find(cdc_snapshot_jobs *jobs, const char *id) {
    for (size_t i = 0; i < jobs->count; i++)
        if (strcmp(jobs->jobs[i]->record.id, id) == 0)
            return jobs->jobs[i];
    return NULL;
}

/* Somebody else wrote the record: what they may change is what is wanted. */
static void job_meet(cdc_snapshot_job *job, cdc_snapshot_job *found) {
    job->record.wanted = found->record.wanted;
    job->revision = found->revision;
    cdc_snapshot_job_free(found);
}

/* A record that this session has to carry out; takes it or frees it. */
static void job_adopt(cdc_snapshot_jobs *jobs, cdc_snapshot_job *found) {
    const core_snapshot *record = &found->record;
    bool rests = record->state == CORE_SNAPSHOT_PAUSED && record->wanted == CORE_SNAPSHOT_PAUSE;
    if (core_snapshot_is_over(record) || rests || jobs->count == CDC_SNAPSHOT_JOBS_MAX) {
        cdc_snapshot_job_free(found);
        return;
    }
    /* What the slot's exported snapshot was cut in goes on as any other, and what was read into a
     * history that is no more is read again: from the start. */
    bool same_epoch =
        record->epoch.length == 0 || core_slice_is(record->epoch, jobs->session.epoch);
    if (record->initial || !same_epoch)
        cdc_snapshot_job_unplan(found);
    found->record.initial = false;
    jobs->jobs[jobs->count++] = found;
    core_metrics_set(jobs->metrics, CORE_METRIC_CDC_SNAPSHOTS, (int64_t)jobs->count);
}

/* On the consumer's thread: a record as it stands, or was changed. A deleted one has no value. */
static void record_on_message(void *context, const fanout_message *message) {
    cdc_snapshot_jobs *jobs = context;
    core_error unreadable = {0};
    CORE_MAGIC_CHECK(jobs, JOBS_MAGIC);
    if (message->payload.length == 0)
        return;
    cdc_snapshot_job *found =
        cdc_snapshot_job_read(message->payload, message->sequence, &unreadable);
    if (found == NULL) {
        CORE_LOG(jobs->log, WARN, "cdc", "a snapshot's record cannot be read; it is left alone",
                 CORE_LOG_TEXT("key", message->subject), CORE_LOG_TEXT("error", unreadable.text));
        return;
    }
    (void)pthread_mutex_lock(&jobs->mutex);
    cdc_snapshot_job *known = job_find(jobs, found->record.id);
    if (known == NULL)
        job_adopt(jobs, found);
    else if (known->revision < found->revision)
        job_meet(known, found);
    else
        cdc_snapshot_job_free(found);
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
}

static void record_on_lost(void *context, const core_error *reason) {
    cdc_snapshot_jobs *jobs = context;
    CORE_MAGIC_CHECK(jobs, JOBS_MAGIC);
    CORE_LOG(jobs->log, DEBUG, "cdc", "looking at the snapshots' records anew",
             CORE_LOG_TEXT("reason", reason->text));
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->watch_lost = true;
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
}

/* Every record comes once, then each that is written. */
static bool records_watch(cdc_snapshot_jobs *jobs, core_error *error) {
    (void)pthread_mutex_lock(&jobs->mutex);
    bool lost = jobs->watch_lost;
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (lost)
        records_unwatch(jobs);
    if (jobs->watch != NULL)
        return true;
    char stream[FANOUT_NAME_MAX];
    char filter[CORE_SUBJECT_MAX];
    const char *name = core_config_text(jobs->config, "nats.stream");
    (void)snprintf(stream, sizeof stream, "KV_%s_state", name);
    (void)snprintf(filter, sizeof filter, "$KV.%s_state." CORE_SNAPSHOT_TOKEN ".*", name);
    const fanout_ordered_spec spec = {.stream = stream,
                                      .filter = filter,
                                      .from = FANOUT_FROM_FIRST,
                                      .on_message = record_on_message,
                                      .on_lost = record_on_lost,
                                      .context = jobs};
    jobs->watch = fanout_ordered_new(jobs->connection, &spec, jobs->log, error);
    return jobs->watch != NULL;
}

/* Stores one job's record; a conflict is left to the next look. */
static bool job_store(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    char key[CORE_SNAPSHOT_ID_SIZE + 16];
    core_buffer json;
    core_buffer_init(&json, CORE_SNAPSHOT_JSON_MAX);
    (void)pthread_mutex_lock(&jobs->mutex);
    cdc_snapshot_job_write(job, &json);
    job->changed = false;
    uint64_t revision = job->revision;
    core_snapshot_key(job->record.id, key);
    (void)pthread_mutex_unlock(&jobs->mutex);
    core_error reason = {0};
    bool ok =
        core_buffer_ok(&json) && fanout_bucket_set(jobs->bucket, key, core_buffer_slice(&json),
                                                   revision, &revision, &reason);
    (void)pthread_mutex_lock(&jobs->mutex);
    job->stored_at_ms = now_ms();
    if (ok)
        job->revision = revision;
    else
        job->changed = true;
    (void)pthread_mutex_unlock(&jobs->mutex);
    core_buffer_fini(&json);
    if (ok || reason.code == CORE_ERROR_CONFLICT)
        return true;
    *error = reason;
    return false;
}

/* ---- Planning ---- */

static bool database_open(cdc_snapshot_jobs *jobs, core_error *error) {
    if (jobs->database != NULL && pg_connection_alive(jobs->database))
        return true;
    pg_connection_free(jobs->database);
    pg_connection_spec spec = {
        .url = core_config_text(jobs->config, "postgres.url"),
        .application_name = "walcast snapshots",
        .timeout_ms = core_config_integer(jobs->config, "postgres.connect_timeout"),
        .cancel_fd = -1,
    };
    jobs->database = pg_connection_new(&spec, error);
    pg_result *result = jobs->database != NULL
                            ? pg_query(jobs->database, "SET row_security = off", NULL, 0, error)
                            : NULL;
    pg_result_free(result);
    return result != NULL;
}

static bool stream_name_check(const cdc_snapshot_jobs *jobs, const cdc_snapshot_job *job,
                              core_error *error) {
    char expected[FANOUT_NAME_MAX];
    (void)snprintf(expected, sizeof expected, "%s_SNAPSHOT_%s",
                   core_config_text(jobs->config, "nats.stream"), job->record.id);
    if (job->record.stream.length == 0 || core_slice_is(job->record.stream, expected))
        return true;
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "an addressed snapshot's stream is \"%.*s\", expected \"%s\"",
                          CORE_SLICE_ARGS(job->record.stream), expected);
}

/* An addressed one is read in one range: what it gives is in the key's order. */
static void plan_join(cdc_snapshot_plan *plan) {
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        bool same = kept > 0 &&
                    core_slice_equal(plan->ranges[kept - 1].table, plan->ranges[i].table) &&
                    core_slice_equal(plan->ranges[kept - 1].schema, plan->ranges[i].schema);
        if (same)
            plan->ranges[kept - 1].up_to = plan->ranges[i].up_to;
        else
            plan->ranges[kept++] = plan->ranges[i];
    }
    plan->count = kept;
}

/* The database's snapshot and, of the stream, where it ends that holds just what that sees. */
typedef struct {
    char snapshot[CUT_TEXT_MAX];
    uint64_t sequence;
} stream_cut;

static bool cut_moment(cdc_snapshot_jobs *jobs, cdc_snapshot_ticket *ticket, stream_cut *cut,
                       core_error *error) {
    core_slice text;
    core_arena_reset(&jobs->scratch);
    if (!cdc_snapshot_moment_take(jobs->database, &ticket->visibility, &ticket->high_lsn, &text,
                                  &jobs->scratch, error))
        return false;
    return core_slice_to_text(text, cut->snapshot, sizeof cut->snapshot) ||
           core_error_set(error, CORE_ERROR_TRANSIENT,
                          "more transactions are open than a snapshot's record holds");
}

static bool cut_take(cdc_snapshot_jobs *jobs, stream_cut *cut, core_error *error) {
    cdc_snapshot_ticket *ticket = cdc_snapshot_gate_ticket(jobs->gate, CDC_SNAPSHOT_CUT_TICKET);
    uint64_t session = jobs->session.number;
    ticket->cut = true;
    if (cdc_snapshot_gate_pass(jobs->gate, ticket, CDC_TICKET_ASKED, session) != CDC_TICKET_OPEN)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "the stream was interrupted");
    if (!cut_moment(jobs, ticket, cut, error)) {
        cdc_snapshot_gate_leave(jobs->gate, ticket);
        return false;
    }
    switch (cdc_snapshot_gate_pass(jobs->gate, ticket, CDC_TICKET_READ, session)) {
    case CDC_TICKET_PLACED:
        cut->sequence = ticket->after_sequence;
        return true;
    case CDC_TICKET_AGAIN:
        return core_error_set(error, CORE_ERROR_TRANSIENT, "%s", ticket->reason);
    default:
        return core_error_set(error, CORE_ERROR_TRANSIENT, "the stream was interrupted");
    }
}

/* The initial snapshot's is the slot's own. */
static bool cut_make(cdc_snapshot_jobs *jobs, stream_cut *cut, core_error *error) {
    *cut = (stream_cut){.sequence = jobs->session.start_sequence};
    return jobs->session.exported != NULL || cut_take(jobs, cut, error);
}

static bool plan_keep(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, const stream_cut *cut,
                      cdc_snapshot_plan *plan, core_error *error) {
    if (job->record.stream.length > 0)
        plan_join(plan);
    (void)pthread_mutex_lock(&jobs->mutex);
    bool ok = cdc_snapshot_job_plan(job, plan);
    job->record.start_sequence = cut->sequence;
    job->record.low = core_arena_copy(&job->arena, core_slice_text(cut->snapshot));
    job->record.epoch = core_arena_copy(&job->arena, core_slice_text(jobs->session.epoch));
    (void)pthread_mutex_unlock(&jobs->mutex);
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a plan");
}

static bool job_plan(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    cdc_snapshot_plan plan;
    stream_cut cut;
    core_arena arena;
    core_arena_init(&arena, PLAN_ARENA_BYTES, PLAN_ARENA_MAX);
    bool ok = stream_name_check(jobs, job, error) && database_open(jobs, error) &&
              cut_make(jobs, &cut, error) &&
              cdc_snapshot_plan_make(jobs->database, &jobs->scope, job->record.schema,
                                     job->record.table, job->record.filter, &arena, &plan, error) &&
              plan_keep(jobs, job, &cut, &plan, error);
    core_arena_fini(&arena);
    return ok;
}

/* What a person must mend ends it; the rest is tried again. */
static bool job_begin(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    core_error reason = {0};
    bool ok = job->planned || job_plan(jobs, job, &reason);
    bool heals = !ok && reason.code == CORE_ERROR_TRANSIENT;
    (void)pthread_mutex_lock(&jobs->mutex);
    if (heals)
        (void)snprintf(job->error, sizeof job->error, "%s", reason.text);
    else if (ok)
        cdc_snapshot_job_move(job, CORE_SNAPSHOT_RUNNING, "");
    else
        job_fail(jobs, job, &reason);
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (ok)
        CORE_LOG(jobs->log, INFO, "cdc", "snapshot begins",
                 CORE_LOG_TEXT("snapshot", job->record.id),
                 CORE_LOG_NUMBER("ranges", job->record.range_count));
    return job_store(jobs, job, error);
}

/* ---- One job's turn ---- */

static bool job_finish(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    fanout_stream_info info;
    char stream[FANOUT_NAME_MAX];
    core_slice name = job->record.stream.length > 0
                          ? job->record.stream
                          : core_slice_text(core_config_text(jobs->config, "nats.stream"));
    (void)snprintf(stream, sizeof stream, "%.*s", CORE_SLICE_ARGS(name));
    /* A table without rows has made no stream of its own. */
    if (job->record.rows > 0 && !fanout_stream_inspect(jobs->connection, stream, &info, error))
        return false;
    (void)pthread_mutex_lock(&jobs->mutex);
    job->record.end_sequence = job->record.rows > 0 ? info.last_sequence : 0;
    cdc_snapshot_job_move(job, CORE_SNAPSHOT_DONE, "");
    (void)pthread_mutex_unlock(&jobs->mutex);
    CORE_LOG(jobs->log, INFO, "cdc", "snapshot is done", CORE_LOG_TEXT("snapshot", job->record.id),
             CORE_LOG_NUMBER("rows", job->record.rows));
    return job_store(jobs, job, error);
}

/* What is to be done with it next, and whether it may leave the memory after. */
static bool job_turn(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, bool *leaves,
                     core_error *error) {
    (void)pthread_mutex_lock(&jobs->mutex);
    core_snapshot_wanted wanted = job->record.wanted;
    core_snapshot_state state = job->record.state;
    bool idle = job->taken == 0;
    bool whole = cdc_snapshot_job_is_whole(job);
    bool due = job->changed && now_ms() - job->stored_at_ms >= STORE_EVERY_MS;
    bool over = core_snapshot_is_over(&job->record);
    if (idle && !over && wanted != CORE_SNAPSHOT_RUN)
        cdc_snapshot_job_move(
            job, wanted == CORE_SNAPSHOT_PAUSE ? CORE_SNAPSHOT_PAUSED : CORE_SNAPSHOT_CANCELLED,
            "");
    (void)pthread_mutex_unlock(&jobs->mutex);
    *leaves = false;
    if (!over && wanted == CORE_SNAPSHOT_RUN && (state != CORE_SNAPSHOT_RUNNING || !job->planned))
        return job_begin(jobs, job, error);
    if (!over && wanted == CORE_SNAPSHOT_RUN && whole)
        return job_finish(jobs, job, error);
    bool ends = idle && (over || wanted != CORE_SNAPSHOT_RUN);
    if ((due || ends) && !job_store(jobs, job, error))
        return false;
    *leaves = ends && !job->changed;
    return true;
}

static bool jobs_turn(cdc_snapshot_jobs *jobs, core_error *error) {
    for (size_t i = 0; i < jobs->count;) {
        bool leaves = false;
        if (!job_turn(jobs, jobs->jobs[i], &leaves, error))
            return false;
        (void)pthread_mutex_lock(&jobs->mutex);
        if (leaves)
            job_remove(jobs, i);
        else
            i++;
        (void)pthread_mutex_unlock(&jobs->mutex);
    }
    return true;
}

/* ---- The initial snapshot ---- */

/* $1, $2: patterns; $3, $4: publications. */
static const char initial_sql[] =
    "WITH pattern AS (SELECT * FROM unnest($1::text[], $2::text[]) AS p(s, t))"
    "SELECT DISTINCT p.schemaname, p.tablename FROM pg_publication_tables p"
    " WHERE p.pubname IN ($3, $4) AND EXISTS (SELECT FROM pattern WHERE"
    "  coalesce(s = p.schemaname, true) AND coalesce(t = p.tablename, true)) ORDER BY 1, 2";

static bool initial_job_make(cdc_snapshot_jobs *jobs, const char *schema, const char *table,
                             core_error *error) {
    core_snapshot record = {.schema = core_slice_text(schema),
                            .table = core_slice_text(table),
                            .initial = true,
                            .requested_us = core_clock_wall_us(core_clock_system())};
    core_buffer json;
    core_buffer_init(&json, CORE_SNAPSHOT_JSON_MAX);
    bool ok = core_snapshot_id_make(record.id, error);
    core_snapshot_encode(&record, &json);
    cdc_snapshot_job *job = ok ? cdc_snapshot_job_read(core_buffer_slice(&json), 0, error) : NULL;
    core_buffer_fini(&json);
    if (job == NULL)
        return false;
    (void)pthread_mutex_lock(&jobs->mutex);
    bool room = jobs->count < CDC_SNAPSHOT_JOBS_MAX;
    if (room)
        jobs->jobs[jobs->count++] = job;
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (!room)
        cdc_snapshot_job_free(job);
    return room || core_error_set(error, CORE_ERROR_LIMIT,
                                  "the initial snapshot has more than %d tables; name fewer in "
                                  "snapshot.initial and start the others by hand",
                                  CDC_SNAPSHOT_JOBS_MAX);
}

static bool initial_make(cdc_snapshot_jobs *jobs, core_error *error) {
    core_buffer schemas;
    core_buffer tables;
    core_buffer_init(&schemas, (size_t)1 << 20);
    core_buffer_init(&tables, (size_t)1 << 20);
    bool ok = database_open(jobs, error) &&
              cdc_table_patterns_write(jobs->config, "snapshot.initial", &schemas, &tables, error);
    const char *const parameters[] = {(const char *)schemas.data, (const char *)tables.data,
                                      jobs->scope.publication, jobs->scope.inserts_publication};
    pg_result *result = ok ? pg_query(jobs->database, initial_sql, parameters, 4, error) : NULL;
    for (size_t i = 0; result != NULL && ok && i < pg_result_rows(result); i++)
        ok = initial_job_make(jobs, pg_result_value(result, i, 0), pg_result_value(result, i, 1),
                              error);
    ok = ok && result != NULL;
    pg_result_free(result);
    core_buffer_fini(&schemas);
    core_buffer_fini(&tables);
    return ok;
}

static bool initial_is_over(cdc_snapshot_jobs *jobs) {
    bool over = true;
    (void)pthread_mutex_lock(&jobs->mutex);
    for (size_t i = 0; i < jobs->count; i++)
        over = over && !jobs->jobs[i]->record.initial;
    (void)pthread_mutex_unlock(&jobs->mutex);
    return over;
}

/* ---- The thread ---- */

/* Waits for workers to give back what they hold, then forgets everything. */
static void session_leave(cdc_snapshot_jobs *jobs) {
    records_unwatch(jobs);
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->has_session = false;
    for (;;) {
        size_t taken = 0;
        for (size_t i = 0; i < jobs->count; i++)
            taken += jobs->jobs[i]->taken;
        if (taken == 0)
            break;
        changed_wait(jobs, WORK_WAIT_MS);
    }
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

/* What cannot be begun at all is left to be started by hand: the stream must not wait for it. */
static bool initial_turn(cdc_snapshot_jobs *jobs, core_error *error) {
    if (jobs->session.exported == NULL)
        return true;
    if (!jobs->initial_made && !initial_make(jobs, error) && error->code == CORE_ERROR_TRANSIENT)
        return false;
    jobs->initial_made = true;
    return true;
}

static void session_turn(cdc_snapshot_jobs *jobs) {
    core_error error = {0};
    bool ok = bucket_open(jobs, &error) && initial_turn(jobs, &error) &&
              (jobs->session.exported != NULL || records_watch(jobs, &error)) &&
              jobs_turn(jobs, &error);
    if (!ok || error.code != CORE_ERROR_NONE)
        error_tell(jobs, &error);
    else
        jobs->told[0] = '\0';
    if (ok && jobs->session.exported != NULL && initial_is_over(jobs))
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
