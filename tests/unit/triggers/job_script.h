/* The words in which tests of the jobs' machine are written. */
#ifndef WALCAST_TESTS_UNIT_TRIGGERS_JOB_SCRIPT_H
#define WALCAST_TESTS_UNIT_TRIGGERS_JOB_SCRIPT_H

#include "job_samples.h"
#include "triggers/job_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define START  SAMPLE_START_US
#define SECOND CORE_US_PER_S

typedef struct {
    triggers_jobs *jobs;
    core_buffer told; /* "1>5#1 1. " : pull 1 got job 5 under lease 1; pull 1 is over */
} fixture;

static inline void told_handed_out(void *context, uint64_t token, const triggers_job *job,
                                   const triggers_job_status *status) {
    fixture *f = context;
    core_buffer_format(&f->told, "%llu>%.*s#%u ", (unsigned long long)token,
                       CORE_SLICE_ARGS(job->payload), status->lease);
}

static inline void told_ended(void *context, uint64_t token) {
    fixture *f = context;
    core_buffer_format(&f->told, "%llu. ", (unsigned long long)token);
}

static inline void told_callback(void *context, const triggers_job *job,
                                 const triggers_job_status *status) {
    fixture *f = context;
    core_buffer_format(&f->told, "@%.*s=%s ", CORE_SLICE_ARGS(job->payload),
                       triggers_job_state_name(status->state));
}

/* With these bounds. */
static inline triggers_jobs *machine_of(const triggers_jobs_spec *bounds, fixture *f) {
    triggers_jobs_spec spec = *bounds;
    core_error error = {0};
    spec.dead_keep_ms = 1000 * 1000;
    spec.seed = 42;
    spec.sink = (triggers_jobs_sink){.context = f,
                                     .handed_out = told_handed_out,
                                     .pull_ended = told_ended,
                                     .callback = told_callback};
    triggers_jobs *jobs = triggers_jobs_new(&spec, &error);
    assert_non_null(jobs);
    return jobs;
}

static inline triggers_jobs *machine_new(fixture *f, size_t max_jobs, size_t max_bytes) {
    return machine_of(&(triggers_jobs_spec){.max_jobs = max_jobs, .max_bytes = max_bytes}, f);
}

static inline int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    core_buffer_init(&f->told, 1 << 20);
    f->jobs = machine_new(f, 200000, (size_t)256 << 20);
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    fixture *f = *state;
    triggers_jobs_free(f->jobs);
    core_buffer_fini(&f->told);
    free(f);
    return 0;
}

/* ---- The script's words ---- */

static inline triggers_jobs_verdict add(fixture *f, triggers_job job, int64_t now_us) {
    return triggers_jobs_add(f->jobs, &job, 0, now_us);
}

static inline void add_plain(fixture *f, uint32_t number) {
    char digits[16];
    assert_int_equal(add(f, job_sample(number, "mail", digits), START), TRIGGERS_JOBS_OK);
}

static inline void pull(fixture *f, uint64_t token, size_t max, int64_t now_us) {
    assert_int_equal(triggers_jobs_pull(f->jobs, core_slice_text("acme"), core_slice_text("mail"),
                                        max, now_us + 5 * SECOND, token, now_us),
                     TRIGGERS_JOBS_OK);
}

static inline void tells(fixture *f, const char *expected) {
    core_buffer_u8(&f->told, 0);
    assert_string_equal((const char *)f->told.data, expected);
    core_buffer_reset(&f->told);
}

static inline core_slice id_of(uint32_t number) {
    static char ids[4][TRIGGERS_JOB_ID_LENGTH + 1]; /* the last four stay valid */
    static size_t next;
    char digits[16], *id = ids[next++ % CORE_COUNT_OF(ids)];
    triggers_job job = job_sample(number, "mail", digits);
    memcpy(id, job.id, sizeof job.id);
    return core_slice_text(id);
}

static inline const triggers_job_status *status_of(fixture *f, uint32_t number) {
    const triggers_job_status *status;
    return triggers_jobs_find(f->jobs, core_slice_text("acme"), id_of(number), &status) != NULL
               ? status
               : NULL;
}

static inline void stands(fixture *f, uint32_t number, const char *expected) {
    const triggers_job_status *status = status_of(f, number);
    assert_string_equal(status != NULL ? triggers_job_state_name(status->state) : "gone", expected);
}

static inline triggers_jobs_verdict succeed(fixture *f, uint32_t number, uint32_t lease,
                                            int64_t now_us) {
    return triggers_jobs_succeed(f->jobs, core_slice_text("acme"), id_of(number), lease,
                                 core_slice_text("{\"ok\":true}"), now_us);
}

static inline triggers_jobs_verdict fails(fixture *f, uint32_t number, uint32_t lease,
                                          int64_t now_us) {
    return triggers_jobs_fail(f->jobs, core_slice_text("acme"), id_of(number), lease,
                              core_slice_text("boom"), -1, false, now_us);
}

static inline void tick(fixture *f, int64_t now_us) {
    while (triggers_jobs_tick(f->jobs, 10, now_us))
        continue;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static inline void called(fixture *f, uint32_t n, triggers_jobs_call call, int64_t wait_ms,
                          int64_t now_us) {
    const triggers_jobs_called_word word = {
        .call = call, .reason = core_slice_text("it answered 500"), .wait_ms = wait_ms};
    triggers_jobs_called(f->jobs, id_of(n), &word, now_us);
}

static inline triggers_job job_with_callback(uint32_t n, char digits[16]) {
    triggers_job job = job_sample(n, "mail", digits);
    job.callback_url = core_slice_text("https://example.com/");
    job.callback_secret = core_slice_text("S");
    return job;
}

#endif
