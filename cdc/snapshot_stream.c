/* The streams of addressed snapshots: made when the first row is there, written by the same fenced
 * publisher as the change stream, in the same encoding; see snapshot_jobs.h.
 *
 * Failure modes: a broker that is away or a stream that is full is told to the worker, which tells
 * it in the record and tries again; a row that is too large for it fails the snapshot. */
#include "cdc/snapshot_jobs_private.h"

#include <poll.h>
#include <stdio.h>

enum { PUBLISH_WAIT_MS = 1000 };

static bool subject_make(const cdc_snapshot_jobs *jobs, const cdc_snapshot_job *job,
                         char subject[CORE_SUBJECT_MAX], core_error *error) {
    const core_subject_scope scope = core_subject_scope_of(jobs->config);
    return core_subject_snapshot(&scope, job->record.id, subject) ||
           core_error_set(error, CORE_ERROR_LIMIT, "the subject of snapshot %s is too long",
                          job->record.id);
}

/* `name` and `subject` are the spec's texts. */
static fanout_stream_spec spec_make(const cdc_snapshot_jobs *jobs, const cdc_snapshot_job *job,
                                    char name[FANOUT_NAME_MAX], const char *subject) {
    (void)snprintf(name, FANOUT_NAME_MAX, "%.*s", CORE_SLICE_ARGS(job->record.stream));
    return (fanout_stream_spec){
        .name = name,
        .subjects = subject,
        .max_age_ms = core_config_integer(jobs->config, "snapshot.stream_max_age"),
        .max_bytes = core_config_integer(jobs->config, "snapshot.stream_max_bytes"),
        .replicas = (int)core_config_integer(jobs->config, "nats.replicas"),
        .duplicate_window_ms = 100,
    };
}

/* ---- Opening ---- */

static bool stage_open(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job,
                       const cdc_snapshot_session *session, core_error *error) {
    bool is_json = strcmp(core_config_text(jobs->config, "nats.encoding"), "json") == 0;
    (void)snprintf(job->database, sizeof job->database, "%s", session->database);
    const core_event_json_source from = {
        .version = WALCAST_VERSION,
        .name = core_config_text(jobs->config, "nats.stream"),
        .database = job->database,
    };
    if (job->stage == NULL)
        job->stage = cdc_message_stage_new(is_json ? &from : NULL, session->limits.row_max,
                                           core_clock_system());
    if (job->stage == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for messages");
    cdc_message_stage_start(job->stage, session->limits.message_max);
    return true;
}

static bool job_publisher_open(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job,
                               const cdc_snapshot_session *session, const char *subject,
                               core_error *error) {
    char name[FANOUT_NAME_MAX];
    const fanout_tail *tail;
    if (job->publisher_open)
        return true;
    const fanout_stream_spec spec = spec_make(jobs, job, name, subject);
    if (job->publisher == NULL)
        job->publisher = fanout_publisher_new(jobs->config, &spec, jobs->log, jobs->metrics,
                                              core_clock_system(), error);
    job->publisher_open = job->publisher != NULL && stage_open(jobs, job, session, error) &&
                          fanout_publisher_open(job->publisher, &tail, error);
    return job->publisher_open ||
           core_error_wrap(error, "a stream of snapshot.stream_max_bytes (%lld)",
                           (long long)spec.max_bytes);
}

/* ---- Sending ---- */

/* A stream that is full, or that somebody wrote to, may be mended while the snapshot waits. */
static bool broker_refused(core_error *error) {
    error->code = CORE_ERROR_TRANSIENT;
    return false;
}

static bool publisher_wait(cdc_snapshot_job *job, core_error *error) {
    struct pollfd wake = {.fd = fanout_publisher_wake_fd(job->publisher), .events = POLLIN};
    if (fanout_publisher_sleep(job->publisher))
        (void)poll(&wake, 1, PUBLISH_WAIT_MS);
    fanout_publisher_wake_clear(job->publisher);
    return fanout_publisher_poll(job->publisher, &job->acked_sequence, error) ||
           broker_refused(error);
}

static bool message_send(cdc_snapshot_job *job, const cdc_run *message, core_error *error) {
    for (;;) {
        switch (fanout_publisher_send(job->publisher, message->subject, message->payload,
                                      &job->sent_sequence, error)) {
        case FANOUT_SENT:
            return true;
        case FANOUT_BROKEN:
            return broker_refused(error);
        case FANOUT_FULL:
            break;
        }
        if (!publisher_wait(job, error))
            return false;
    }
}

static bool run_send(cdc_snapshot_job *job, const cdc_run *run, core_error *error) {
    do {
        const cdc_run *message = cdc_message_stage_next(job->stage, run, error);
        if (message == NULL || !message_send(job, message, error))
            return false;
    } while (!cdc_message_stage_taken(job->stage));
    return true;
}

/* The mutex is not held while the broker is asked: only one worker at a time has an addressed
 * snapshot's only range. */
bool cdc_snapshot_jobs_publish(cdc_snapshot_jobs *jobs, const cdc_snapshot_work *work,
                               core_slice payload, uint32_t rows, core_error *error) {
    cdc_snapshot_job *job = work->job;
    char subject[CORE_SUBJECT_MAX];
    if (!subject_make(jobs, job, subject, error))
        return false;
    const cdc_run run = {.subject = subject,
                         .payload = payload,
                         .rows = rows,
                         .last_complete = true,
                         .holds_last = true};
    if (job_publisher_open(jobs, job, &work->session, subject, error) && run_send(job, &run, error))
        return true;
    job->publisher_open = false;
    return false;
}

bool cdc_snapshot_jobs_published(const cdc_snapshot_work *work, core_error *error) {
    cdc_snapshot_job *job = work->job;
    while (job->publisher_open && job->acked_sequence < job->sent_sequence)
        if (!publisher_wait(job, error)) {
            job->publisher_open = false;
            return false;
        }
    return true;
}
