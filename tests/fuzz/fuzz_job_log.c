/* Records of a partition's log, where anybody may have written: whatever is folded, the machine
 * stays sound: it goes on, its snapshot is folded to the same counts, and it is freed. */
#include "triggers/job_queue.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void handed_out(void *context, uint64_t token, const triggers_job *job,
                       const triggers_job_status *status) {
    (void)context;
    (void)token;
    if (job->queue.length == 0 || status->state != TRIGGERS_JOB_RUNNING)
        abort();
}

static void ended(void *context, uint64_t token) {
    (void)context;
    (void)token;
}

static void callback(void *context, const triggers_job *job, const triggers_job_status *status) {
    (void)context;
    if (job->callback_url.length == 0 && !status->callback_due)
        abort();
}

static triggers_jobs *machine_new(void) {
    const triggers_jobs_spec spec = {
        .max_jobs = 1000,
        .max_bytes = 4 << 20,
        .dead_keep_ms = 1000,
        .sink = {.handed_out = handed_out, .pull_ended = ended, .callback = callback}};
    core_error error;
    triggers_jobs *jobs = triggers_jobs_new(&spec, &error);
    if (jobs == NULL)
        abort();
    return jobs;
}

static void snapshot_check(triggers_jobs *jobs) {
    core_buffer records;
    core_error error;
    core_buffer_init(&records, (size_t)64 << 20);
    if (!triggers_jobs_records_take(jobs, SIZE_MAX, &records))
        abort();
    core_buffer_reset(&records);
    triggers_jobs_snapshot_begin(jobs);
    while (!triggers_jobs_snapshot_next(jobs, 1000))
        continue;
    triggers_jobs *again = machine_new();
    if (!triggers_jobs_records_take(jobs, SIZE_MAX, &records) ||
        !triggers_jobs_fold(again, core_buffer_slice(&records), &error))
        abort();
    triggers_jobs_figures one = triggers_jobs_count(jobs), other = triggers_jobs_count(again);
    if (one.jobs != other.jobs || one.bytes != other.bytes ||
        memcmp(one.states, other.states, sizeof one.states) != 0)
        abort();
    triggers_jobs_free(again);
    core_buffer_fini(&records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    triggers_jobs *jobs = machine_new();
    core_error error;
    if (triggers_jobs_fold(jobs, core_slice_make(data, size), &error)) {
        triggers_jobs_resume(jobs, 1000);
        (void)triggers_jobs_pull(jobs, core_slice_text("acme"), core_slice_text("mail"), 3, 5000, 1,
                                 1000);
        (void)triggers_jobs_tick(jobs, 100, INT64_C(1900000000000000));
        snapshot_check(jobs);
    }
    triggers_jobs_free(jobs);
    return 0;
}
