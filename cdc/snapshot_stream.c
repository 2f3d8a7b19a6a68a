/* The streams of addressed snapshots: made when the first row is there, written by the same fenced
 * publisher as the change stream; see snapshot_jobs.h. */
#include "cdc/snapshot_jobs_private.h"

#include <poll.h>
#include <stdio.h>

enum { PUBLISH_WAIT_MS = 1000 };

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
