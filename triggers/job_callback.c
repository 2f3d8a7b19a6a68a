/* A job's end told to whoever asked for it; see job_runner_private.h and docs/JOBS.md.
 *
 * Happy path: the log has the job's end, its machine asks for the callback, and what the endpoint
 * answered goes back to the machine, which tries again, or gives it up.
 *
 * Failure: where no request can go out now the machine asks again later, and no attempt is counted.
 * What ends when the partition is another's is nobody's: the new owner asks for it too. */
#include "triggers/job_runner_private.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    TIMEOUT_MS = 15 * 1000,
    CONCURRENCY = 16, /* of one host and secret */
};

/* An endpoint for each host and secret of a project. */
typedef struct {
    char name[TRIGGERS_JOB_CALL_NAME_SIZE];
    char secret[TRIGGERS_JOB_SECRET_MAX + sizeof "${secret:}"];
    core_slice secrets[1];
    triggers_definition definition;
} callback_endpoint;

/* "https://host:port"; the whole where there is no path. */
static core_slice origin_of(core_slice url) {
    const uint8_t *host = memmem(url.data, url.length, "://", 3);
    size_t at = host != NULL ? (size_t)(host - url.data) + 3 : 0;
    while (at < url.length && url.data[at] != '/' && url.data[at] != '?' && url.data[at] != '#')
        at++;
    return core_slice_make(url.data, at);
}

static void endpoint_make(callback_endpoint *endpoint, const triggers_job *job) {
    core_slice origin = origin_of(job->callback_url);
    int name = snprintf(endpoint->name, sizeof endpoint->name, "%.*s %.*s", CORE_SLICE_ARGS(origin),
                        CORE_SLICE_ARGS(job->callback_secret));
    int secret = snprintf(endpoint->secret, sizeof endpoint->secret, "${secret:%.*s}",
                          CORE_SLICE_ARGS(job->callback_secret));
    endpoint->secrets[0] = core_slice_text(endpoint->secret);
    endpoint->definition =
        (triggers_definition){.name = core_slice_text(endpoint->name),
                              .project = job->project,
                              .revision = 1,
                              .action = TRIGGERS_DO_WEBHOOK,
                              .webhook = {.url = core_slice_text("callback"), /* each has its own */
                                          .secrets = endpoint->secrets,
                                          .secret_count = 1,
                                          .concurrency = CONCURRENCY}};
    assert(name > 0 && (size_t)name < sizeof endpoint->name && secret > 0 &&
           (size_t)secret < sizeof endpoint->secret); /* triggers_job_check */
}

static void body_write(core_buffer *out, const triggers_job *job,
                       const triggers_job_status *status) {
    char type[32], time[CORE_CLOCK_TEXT_SIZE];
    core_json_writer json = core_json_writer_make(out);
    (void)snprintf(type, sizeof type, "job.%s", triggers_job_state_name(status->state));
    core_clock_format(status->finished_us, time);
    core_json_object_open(&json);
    core_json_key_text(&json, "type");
    core_json_text(&json, type);
    core_json_key_text(&json, "timestamp");
    core_json_text(&json, time);
    core_json_key_text(&json, "data");
    triggers_job_write(&json, job, status, false);
    core_json_object_close(&json);
}

static triggers_jobs_called_word word_of(const triggers_job_call *call) {
    triggers_jobs_call what = TRIGGERS_JOBS_CALL_FAILED;
    if (call->reason[0] == '\0')
        what = TRIGGERS_JOBS_CALL_TAKEN;
    else if (call->outcome == NET_HTTP_REFUSED || call->status == 410)
        what = TRIGGERS_JOBS_CALL_DEAD;
    return (triggers_jobs_called_word){
        .call = what, .reason = core_slice_text(call->reason), .wait_ms = call->retry_after_ms};
}

static void outcome_count(const triggers_job_runner *runner, const triggers_job_call *call,
                          triggers_jobs_call what) {
    if (what == TRIGGERS_JOBS_CALL_DEAD)
        CORE_LOG(runner->spec.log, WARN, "triggers", "a job's callback is given up",
                 CORE_LOG_TEXT("job", call->job), CORE_LOG_TEXT("reason", call->reason));
    core_metrics_add(runner->spec.metrics,
                     what == TRIGGERS_JOBS_CALL_TAKEN ? CORE_METRIC_TRIGGERS_JOBS_CALLBACKS_TOLD
                                                      : CORE_METRIC_TRIGGERS_JOBS_CALLBACKS_FAILED,
                     1);
}

static void on_ended(void *context, triggers_job_call *call) {
    triggers_job_runner *runner = context;
    job_slot *slot = &runner->slots[call->slot];
    const triggers_jobs_called_word word = word_of(call);
    outcome_count(runner, call, word.call);
    if (job_slot_owns(slot))
        triggers_job_partition_called(slot->partition, core_slice_text(call->job), &word,
                                      core_clock_wall_us(runner->spec.clock));
}

static void postpone(job_slot *slot, const triggers_job *job, int64_t again_ms) {
    int64_t wait_ms = again_ms - core_clock_ms(slot->runner->spec.clock);
    const triggers_jobs_called_word word = {.call = TRIGGERS_JOBS_CALL_POSTPONED,
                                            .wait_ms = wait_ms > 1 ? wait_ms : 1};
    triggers_job_partition_called(slot->partition, core_slice_text(job->id), &word,
                                  core_clock_wall_us(slot->runner->spec.clock));
}

void job_callback(void *context, const triggers_job *job, const triggers_job_status *status) {
    job_slot *slot = context;
    callback_endpoint endpoint;
    int64_t again_ms;
    endpoint_make(&endpoint, job);
    triggers_job_call *call =
        triggers_job_call_new(slot->runner->caller, &endpoint.definition, &again_ms);
    if (call == NULL) {
        postpone(slot, job, again_ms);
        return;
    }
    memcpy(call->url, job->callback_url.data, job->callback_url.length); /* one that is checked */
    /* the same over attempts, and another one when the job is retried by hand */
    (void)snprintf(call->id, sizeof call->id, "end_%s_%" PRIu32, job->id, status->lease);
    memcpy(call->job, job->id, sizeof call->job);
    call->slot = slot->number;
    call->depth = job->depth;
    call->timeout_ms = TIMEOUT_MS;
    call->ended = on_ended;
    call->context = slot->runner;
    body_write(&call->body, job, status);
    triggers_job_call_send(call);
}
