/* The machine of a partition's jobs, by scripts: each test is a life of a few jobs. */
#include "job_samples.h"
#include "triggers/job_queue.h"
#include "triggers/job_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define START  SAMPLE_START_US
#define SECOND CORE_US_PER_S

typedef struct {
    triggers_jobs *jobs;
    core_buffer told; /* "1>5#1 1. " : pull 1 got job 5 under lease 1; pull 1 is over */
} fixture;

static void told_handed_out(void *context, uint64_t token, const triggers_job *job,
                            const triggers_job_status *status) {
    fixture *f = context;
    core_buffer_format(&f->told, "%llu>%.*s#%u ", (unsigned long long)token,
                       CORE_SLICE_ARGS(job->payload), status->lease);
}

static void told_ended(void *context, uint64_t token) {
    fixture *f = context;
    core_buffer_format(&f->told, "%llu. ", (unsigned long long)token);
}

static void told_callback(void *context, const triggers_job *job,
                          const triggers_job_status *status) {
    fixture *f = context;
    core_buffer_format(&f->told, "@%.*s=%s ", CORE_SLICE_ARGS(job->payload),
                       triggers_job_state_name(status->state));
}

static triggers_jobs *machine_new(fixture *f, size_t max_jobs, size_t max_bytes) {
    const triggers_jobs_spec spec = {.max_jobs = max_jobs,
                                     .max_bytes = max_bytes,
                                     .dead_keep_ms = 1000 * 1000,
                                     .seed = 42,
                                     .sink = {.context = f,
                                              .handed_out = told_handed_out,
                                              .pull_ended = told_ended,
                                              .callback = told_callback}};
    core_error error = {0};
    triggers_jobs *jobs = triggers_jobs_new(&spec, &error);
    assert_non_null(jobs);
    return jobs;
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    core_buffer_init(&f->told, 1 << 20);
    f->jobs = machine_new(f, 200000, (size_t)256 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    triggers_jobs_free(f->jobs);
    core_buffer_fini(&f->told);
    free(f);
    return 0;
}

/* ---- The script's words ---- */

static triggers_jobs_verdict add(fixture *f, triggers_job job, int64_t now_us) {
    return triggers_jobs_add(f->jobs, &job, 0, now_us);
}

static void add_plain(fixture *f, uint32_t number) {
    char digits[16];
    assert_int_equal(add(f, job_sample(number, "mail", digits), START), TRIGGERS_JOBS_OK);
}

static void pull(fixture *f, uint64_t token, size_t max, int64_t now_us) {
    assert_int_equal(triggers_jobs_pull(f->jobs, core_slice_text("acme"), core_slice_text("mail"),
                                        max, now_us + 5 * SECOND, token, now_us),
                     TRIGGERS_JOBS_OK);
}

static void tells(fixture *f, const char *expected) {
    core_buffer_u8(&f->told, 0);
    assert_string_equal((const char *)f->told.data, expected);
    core_buffer_reset(&f->told);
}

static core_slice id_of(uint32_t number) {
    static char ids[4][TRIGGERS_JOB_ID_LENGTH + 1]; /* the last four stay valid */
    static size_t next;
    char digits[16], *id = ids[next++ % CORE_COUNT_OF(ids)];
    triggers_job job = job_sample(number, "mail", digits);
    memcpy(id, job.id, sizeof job.id);
    return core_slice_text(id);
}

static const triggers_job_status *status_of(fixture *f, uint32_t number) {
    const triggers_job_status *status;
    return triggers_jobs_find(f->jobs, core_slice_text("acme"), id_of(number), &status) != NULL
               ? status
               : NULL;
}

static void stands(fixture *f, uint32_t number, const char *expected) {
    const triggers_job_status *status = status_of(f, number);
    assert_string_equal(status != NULL ? triggers_job_state_name(status->state) : "gone", expected);
}

static triggers_jobs_verdict succeed(fixture *f, uint32_t number, uint32_t lease, int64_t now_us) {
    return triggers_jobs_succeed(f->jobs, core_slice_text("acme"), id_of(number), lease,
                                 core_slice_text("{\"ok\":true}"), now_us);
}

static triggers_jobs_verdict fails(fixture *f, uint32_t number, uint32_t lease, int64_t now_us) {
    return triggers_jobs_fail(f->jobs, core_slice_text("acme"), id_of(number), lease,
                              core_slice_text("boom"), -1, false, now_us);
}

static void tick(fixture *f, int64_t now_us) {
    while (triggers_jobs_tick(f->jobs, 10, now_us))
        continue;
}

/* ---- Lives ---- */

static void a_job_runs_once_and_is_kept_a_while(void **state) {
    fixture *f = *state;
    add_plain(f, 1);
    stands(f, 1, "ready");
    pull(f, 9, 1, START);
    tells(f, "9>1#1 9. ");
    stands(f, 1, "running");
    assert_int_equal(succeed(f, 1, 2, START), TRIGGERS_JOBS_STALE);
    assert_int_equal(succeed(f, 1, 1, START + SECOND), TRIGGERS_JOBS_OK);
    assert_int_equal(succeed(f, 1, 1, START + SECOND), TRIGGERS_JOBS_KNOWN);
    assert_int_equal(fails(f, 1, 1, START + SECOND), TRIGGERS_JOBS_STALE);
    assert_true(core_slice_is(status_of(f, 1)->result, "{\"ok\":true}"));
    int64_t end_us = START + SECOND + INT64_C(86400) * SECOND;
    assert_int_equal(triggers_jobs_next_us(f->jobs), end_us);
    tick(f, end_us - 1);
    stands(f, 1, "succeeded");
    tick(f, end_us);
    stands(f, 1, "gone");
    assert_int_equal(triggers_jobs_count(f->jobs).jobs, 0);
    assert_int_equal(triggers_jobs_count(f->jobs).bytes, 0);
    assert_int_equal(triggers_jobs_next_us(f->jobs), INT64_MAX);
}

static void another_project_does_not_see_it(void **state) {
    fixture *f = *state;
    const triggers_job_status *status;
    add_plain(f, 1);
    pull(f, 9, 1, START);
    const core_slice other = core_slice_text("evil");
    assert_null(triggers_jobs_find(f->jobs, other, id_of(1), &status));
    assert_int_equal(triggers_jobs_cancel(f->jobs, other, id_of(1), START), TRIGGERS_JOBS_UNKNOWN);
    assert_int_equal(triggers_jobs_progress(f->jobs, other, id_of(1), 1, START),
                     TRIGGERS_JOBS_UNKNOWN);
    assert_int_equal(
        triggers_jobs_succeed(f->jobs, other, id_of(1), 1, core_slice_text("1"), START),
        TRIGGERS_JOBS_UNKNOWN);
}

static void the_first_of_the_highest_priority_goes_first(void **state) {
    fixture *f = *state;
    static const struct {
        int priority;
        int64_t run_at_us;
    } asked[] = {{0, START - 5}, {5, START}, {5, START - 1}, {-3, START - 9}, {0, START - 5}};
    for (uint32_t i = 0; i < CORE_COUNT_OF(asked); i++) {
        char digits[16];
        triggers_job job = job_sample(i, "mail", digits);
        job.priority = asked[i].priority;
        job.run_at_us = job.created_us = asked[i].run_at_us;
        assert_int_equal(add(f, job, START), TRIGGERS_JOBS_OK);
    }
    pull(f, 1, 10, START);
    tells(f, "1>2#1 1>1#1 1>0#1 1>4#1 1>3#1 1. ");
}

static void a_delayed_job_waits_for_its_time(void **state) {
    fixture *f = *state;
    char digits[16];
    triggers_job job = job_sample(1, "mail", digits);
    job.run_at_us = START + 3 * SECOND;
    assert_int_equal(add(f, job, START), TRIGGERS_JOBS_OK);
    stands(f, 1, "scheduled");
    pull(f, 1, 1, START);
    tells(f, "");
    assert_int_equal(triggers_jobs_next_us(f->jobs), job.run_at_us);
    tick(f, job.run_at_us - 1);
    tells(f, "");
    tick(f, job.run_at_us);
    tells(f, "1>1#1 1. ");
}

static void pulls_are_answered_in_their_order_or_end(void **state) {
    fixture *f = *state;
    pull(f, 1, 1, START);
    pull(f, 2, 2, START + SECOND);
    pull(f, 3, 1, START + 2 * SECOND);
    assert_int_equal(triggers_jobs_count(f->jobs).pulls, 3);
    add_plain(f, 1);
    add_plain(f, 2);
    tells(f, "1>1#1 1. 2>2#1 2. ");
    tick(f, START + 7 * SECOND - 1);
    tells(f, "");
    tick(f, START + 7 * SECOND);
    tells(f, "3. ");
    assert_int_equal(triggers_jobs_count(f->jobs).pulls, 0);
}

static void a_failed_attempt_comes_again_and_at_last_is_dead(void **state) {
    fixture *f = *state;
    char digits[16];
    triggers_job job = job_sample(1, "mail", digits);
    job.max_attempts = 3;
    int64_t now_us = START;
    assert_int_equal(add(f, job, now_us), TRIGGERS_JOBS_OK);
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        pull(f, attempt, 1, now_us);
        assert_int_equal(fails(f, 1, attempt, now_us), TRIGGERS_JOBS_OK);
        assert_int_equal(fails(f, 1, attempt, now_us), TRIGGERS_JOBS_KNOWN);
        stands(f, 1, attempt < 3 ? "scheduled" : "dead");
        if (attempt < 3) {
            assert_int_equal(triggers_jobs_next_us(f->jobs),
                             now_us + triggers_job_backoff_ms(&job, attempt) * CORE_US_PER_MS);
            now_us = triggers_jobs_next_us(f->jobs);
            tick(f, now_us);
        }
    }
    tells(f, "1>1#1 1. 2>1#2 2. 3>1#3 3. ");
    assert_true(core_slice_is(status_of(f, 1)->error, "boom"));
    /* by hand, with all attempts again */
    assert_int_equal(triggers_jobs_retry(f->jobs, core_slice_text(""), id_of(1), now_us),
                     TRIGGERS_JOBS_OK);
    pull(f, 4, 1, now_us);
    tells(f, "4>1#4 4. ");
    assert_int_equal(fails(f, 1, 4, now_us), TRIGGERS_JOBS_OK);
    stands(f, 1, "scheduled");
    assert_int_equal(triggers_jobs_retry(f->jobs, core_slice_text(""), id_of(1), now_us),
                     TRIGGERS_JOBS_OVER);
}

static void a_worker_says_when_or_that_never(void **state) {
    fixture *f = *state;
    const core_slice acme = core_slice_text("acme"), text = core_slice_text("x");
    add_plain(f, 1);
    pull(f, 1, 1, START);
    assert_int_equal(triggers_jobs_fail(f->jobs, acme, id_of(1), 1, text, 90000, false, START),
                     TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_next_us(f->jobs), START + 90 * SECOND);
    tick(f, START + 90 * SECOND);
    pull(f, 2, 1, START + 90 * SECOND);
    assert_int_equal(triggers_jobs_fail(f->jobs, acme, id_of(1), 2, text, 0, false, START),
                     TRIGGERS_JOBS_OK);
    stands(f, 1, "ready");
    pull(f, 3, 1, START + 90 * SECOND);
    assert_int_equal(triggers_jobs_fail(f->jobs, acme, id_of(1), 3, text, -1, true, START),
                     TRIGGERS_JOBS_OK);
    stands(f, 1, "dead");
}

static void a_silent_worker_loses_its_attempt(void **state) {
    fixture *f = *state;
    const core_slice acme = core_slice_text("acme");
    add_plain(f, 1);
    pull(f, 1, 1, START);
    int64_t now_us = START + 9 * SECOND;
    assert_int_equal(triggers_jobs_progress(f->jobs, acme, id_of(1), 1, now_us), TRIGGERS_JOBS_OK);
    tick(f, now_us + 10 * SECOND - 1);
    stands(f, 1, "running");
    tick(f, now_us + 10 * SECOND);
    stands(f, 1, "scheduled");
    assert_int_equal(triggers_jobs_count(f->jobs).expired, 1);
    assert_int_equal(succeed(f, 1, 1, now_us + 11 * SECOND), TRIGGERS_JOBS_STALE);
    assert_int_equal(triggers_jobs_progress(f->jobs, acme, id_of(1), 1, now_us),
                     TRIGGERS_JOBS_STALE);
    tick(f, now_us + 20 * SECOND);
    pull(f, 2, 1, now_us + 20 * SECOND);
    tells(f, "1>1#1 1. 2>1#2 2. ");
    assert_int_equal(succeed(f, 1, 1, now_us + 21 * SECOND), TRIGGERS_JOBS_STALE);
    assert_int_equal(succeed(f, 1, 2, now_us + 21 * SECOND), TRIGGERS_JOBS_OK);
}

static void jobs_are_cancelled_before_and_while_they_run(void **state) {
    fixture *f = *state;
    const core_slice acme = core_slice_text("acme");
    for (uint32_t i = 1; i <= 4; i++)
        add_plain(f, i);
    assert_int_equal(triggers_jobs_cancel(f->jobs, acme, id_of(1), START), TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_cancel(f->jobs, acme, id_of(1), START), TRIGGERS_JOBS_OVER);
    pull(f, 1, 10, START);
    tells(f, "1>2#1 1>3#1 1>4#1 1. ");
    for (uint32_t i = 2; i <= 4; i++)
        assert_int_equal(triggers_jobs_cancel(f->jobs, acme, id_of(i), START + SECOND),
                         TRIGGERS_JOBS_CANCELS);
    assert_int_equal(triggers_jobs_progress(f->jobs, acme, id_of(2), 1, START + 2 * SECOND),
                     TRIGGERS_JOBS_CANCELS);
    assert_int_equal(fails(f, 2, 1, START), TRIGGERS_JOBS_OK); /* it gave up */
    stands(f, 2, "cancelled");
    assert_int_equal(succeed(f, 3, 1, START), TRIGGERS_JOBS_OK); /* it was done before it heard */
    stands(f, 3, "succeeded");
    tick(f, START + 10 * SECOND - 1);
    stands(f, 4, "running");
    tick(f, START + 10 * SECOND); /* it never said a word, so the cancel is no word either */
    stands(f, 4, "cancelled");
    assert_int_equal(triggers_jobs_retry(f->jobs, acme, id_of(4), START), TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_cancel(f->jobs, acme, core_slice_text("nothing"), START),
                     TRIGGERS_JOBS_UNKNOWN);
}

static void a_unique_key_holds_while_its_job_is_not_over(void **state) {
    fixture *f = *state;
    char digits[16];
    for (uint32_t i = 1; i <= 5; i++) {
        triggers_job job = job_sample(i, i == 4 ? "other" : "mail", digits);
        job.unique_key = core_slice_text(i == 3 ? "b" : "a");
        assert_int_equal(add(f, job, START),
                         i == 2 || i == 5 ? TRIGGERS_JOBS_DUPLICATE : TRIGGERS_JOBS_OK);
    }
    stands(f, 2, "duplicate");
    assert_true(core_slice_equal(status_of(f, 2)->error, id_of(1)));
    pull(f, 1, 10, START);
    tells(f, "1>1#1 1>3#1 1. ");
    assert_int_equal(fails(f, 1, 1, START), TRIGGERS_JOBS_OK); /* waits for its next attempt */
    triggers_job again = job_sample(6, "mail", digits);
    again.unique_key = core_slice_text("a");
    assert_int_equal(add(f, again, START), TRIGGERS_JOBS_DUPLICATE);
    assert_int_equal(triggers_jobs_cancel(f->jobs, core_slice_text("acme"), id_of(1), START),
                     TRIGGERS_JOBS_OK);
    triggers_job next = job_sample(7, "mail", digits);
    next.unique_key = core_slice_text("a");
    assert_int_equal(add(f, next, START), TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_retry(f->jobs, core_slice_text("acme"), id_of(1), START),
                     TRIGGERS_JOBS_TAKEN);
}

static void as_many_of_a_concurrency_key_run_as_it_says(void **state) {
    fixture *f = *state;
    char digits[16];
    for (uint32_t i = 1; i <= 6; i++) {
        triggers_job job = job_sample(i, "mail", digits);
        job.concurrency_key = core_slice_text(i == 5 ? "other" : "k");
        job.concurrency = 2;
        job.priority = i == 6 ? 1 : 0;
        assert_int_equal(add(f, job, START), TRIGGERS_JOBS_OK);
    }
    pull(f, 1, 10, START);
    tells(f, "1>6#1 1>1#1 1>5#1 1. ");
    pull(f, 2, 1, START);
    tells(f, "");
    assert_int_equal(succeed(f, 5, 1, START), TRIGGERS_JOBS_OK); /* another key's */
    tells(f, "");
    assert_int_equal(succeed(f, 6, 1, START), TRIGGERS_JOBS_OK);
    tells(f, "2>2#1 2. ");
    pull(f, 3, 5, START);
    tick(f, START + 10 * SECOND); /* both are silent; pull 3 has waited long enough */
    tells(f, "3>3#1 3>4#1 3. ");
    assert_int_equal(triggers_jobs_count(f->jobs).states[TRIGGERS_JOB_RUNNING], 2);
}

static void a_deadline_ends_what_has_not_run(void **state) {
    fixture *f = *state;
    char digits[16];
    for (uint32_t i = 1; i <= 4; i++) {
        triggers_job job = job_sample(i, i == 1 ? "idle" : "mail", digits);
        job.deadline_us = START + 4 * SECOND;
        job.backoff_first_ms = 8000;
        if (i == 2)
            job.run_at_us = START + 100 * SECOND;
        assert_int_equal(add(f, job, START), TRIGGERS_JOBS_OK);
    }
    pull(f, 1, 9, START);
    tells(f, "1>3#1 1>4#1 1. ");
    assert_int_equal(fails(f, 4, 1, START), TRIGGERS_JOBS_OK); /* its retry would be too late */
    stands(f, 4, "dead");
    assert_int_equal(
        triggers_jobs_progress(f->jobs, core_slice_text("acme"), id_of(3), 1, START + SECOND),
        TRIGGERS_JOBS_OK);
    tick(f, START + 4 * SECOND - 1);
    stands(f, 1, "ready");
    tick(f, START + 4 * SECOND);
    for (uint32_t i = 1; i <= 4; i++)
        stands(f, i, "dead");
    assert_int_equal(
        triggers_jobs_retry(f->jobs, core_slice_text("acme"), id_of(1), START + 5 * SECOND),
        TRIGGERS_JOBS_OVER);
}

static void a_callback_is_told_until_it_is_taken(void **state) {
    fixture *f = *state;
    char digits[16];
    triggers_job job = job_sample(1, "mail", digits);
    job.callback_url = core_slice_text("https://example.com/");
    job.keep_ms = 0;
    assert_int_equal(add(f, job, START), TRIGGERS_JOBS_OK);
    pull(f, 1, 1, START);
    assert_int_equal(succeed(f, 1, 1, START), TRIGGERS_JOBS_OK);
    tells(f, "1>1#1 1. ");
    tick(f, START);
    tells(f, "@1=succeeded ");
    tick(f, START + 3600 * SECOND); /* one at a time, and kept until it is told */
    tells(f, "");
    triggers_jobs_called(f->jobs, id_of(1), false, START);
    tick(f, START + 5 * SECOND);
    tells(f, "@1=succeeded ");
    triggers_jobs_called(f->jobs, id_of(1), true, START + 6 * SECOND);
    triggers_jobs_called(f->jobs, id_of(1), true, START + 6 * SECOND); /* nothing more happens */
    tick(f, START + 6 * SECOND);
    tells(f, "");
    stands(f, 1, "gone");
}

static void a_callback_is_given_up_after_its_attempts(void **state) {
    fixture *f = *state;
    char digits[16];
    triggers_job job = job_sample(1, "mail", digits);
    job.callback_url = core_slice_text("https://example.com/");
    assert_int_equal(add(f, job, START), TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_cancel(f->jobs, core_slice_text(""), id_of(1), START),
                     TRIGGERS_JOBS_OK);
    unsigned calls = 0;
    while (status_of(f, 1)->callback_due) {
        tick(f, triggers_jobs_next_us(f->jobs));
        triggers_jobs_called(f->jobs, id_of(1), false, START);
        calls++;
    }
    assert_int_equal(calls, TRIGGERS_JOBS_CALLBACKS_MAX);
    stands(f, 1, "cancelled");
}

static void what_is_over_makes_room_and_the_dead_do_not(void **state) {
    fixture *f = *state;
    triggers_jobs_free(f->jobs);
    f->jobs = machine_new(f, 3, 1 << 20);
    for (uint32_t i = 1; i <= 3; i++)
        add_plain(f, i);
    char digits[16];
    triggers_job job = job_sample(4, "mail", digits);
    assert_int_equal(triggers_jobs_add(f->jobs, &job, 17, START), TRIGGERS_JOBS_FULL);
    assert_int_equal(triggers_jobs_taken(f->jobs), 0);
    pull(f, 1, 2, START);
    assert_int_equal(triggers_jobs_fail(f->jobs, core_slice_text(""), id_of(2), 1,
                                        core_slice_text("x"), 0, true, START),
                     TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_add(f->jobs, &job, 17, START), TRIGGERS_JOBS_FULL);
    assert_int_equal(succeed(f, 1, 1, START), TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_add(f->jobs, &job, 17, START), TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_taken(f->jobs), 17);
    assert_int_equal(triggers_jobs_add(f->jobs, &job, 17, START), TRIGGERS_JOBS_KNOWN);
    stands(f, 1, "gone");
    stands(f, 2, "dead");
    assert_int_equal(triggers_jobs_count(f->jobs).evicted, 1);
}

static void bytes_are_bounded_too(void **state) {
    fixture *f = *state;
    static char payload[65536];
    memset(payload, '7', sizeof payload);
    triggers_jobs_free(f->jobs);
    f->jobs = machine_new(f, 1000, (size_t)1 << 20);
    char digits[16];
    uint32_t count = 0;
    for (triggers_jobs_verdict verdict = TRIGGERS_JOBS_OK; verdict == TRIGGERS_JOBS_OK; count++) {
        triggers_job job = job_sample(count, "mail", digits);
        job.payload = core_slice_make(payload, sizeof payload);
        verdict = add(f, job, START);
    }
    assert_in_range(count, 15, 16);
    assert_true(triggers_jobs_count(f->jobs).bytes <= (size_t)1 << 20);
}

static void too_many_pulls_are_refused(void **state) {
    fixture *f = *state;
    for (uint64_t i = 0; i < TRIGGERS_JOBS_PULLS_MAX; i++)
        pull(f, i, 1, START);
    assert_int_equal(triggers_jobs_pull(f->jobs, core_slice_text("acme"), core_slice_text("mail"),
                                        1, START, 1, START),
                     TRIGGERS_JOBS_FULL);
    tick(f, START + 5 * SECOND);
    assert_int_equal(triggers_jobs_count(f->jobs).pulls, 0);
}

/* ---- The log ---- */

static void refold(fixture *f, size_t max_bytes) {
    triggers_jobs *next = machine_new(f, 200000, (size_t)256 << 20);
    core_error error = {0};
    core_buffer message;
    core_buffer_init(&message, (size_t)64 << 20);
    while (triggers_jobs_records_wait(f->jobs) > 0) {
        core_buffer_reset(&message);
        assert_true(triggers_jobs_records_take(f->jobs, max_bytes, &message));
        if (!triggers_jobs_fold(next, core_buffer_slice(&message), &error))
            fail_msg("%s", error.text);
    }
    core_buffer_fini(&message);
    triggers_jobs_free(f->jobs);
    f->jobs = next;
}

static void the_next_owner_goes_on_where_the_last_one_was(void **state) {
    fixture *f = *state;
    const core_slice acme = core_slice_text("acme");
    for (uint32_t i = 1; i <= 5; i++)
        add_plain(f, i);
    triggers_jobs_pass(f->jobs, 12);
    pull(f, 1, 4, START);
    assert_int_equal(succeed(f, 1, 1, START), TRIGGERS_JOBS_OK);
    assert_int_equal(fails(f, 2, 1, START), TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_cancel(f->jobs, acme, id_of(3), START), TRIGGERS_JOBS_CANCELS);
    int64_t later_us = START + 3600 * SECOND;
    refold(f, 100);
    triggers_jobs_resume(f->jobs, later_us);
    assert_int_equal(triggers_jobs_taken(f->jobs), 12);
    stands(f, 1, "succeeded");
    stands(f, 2, "scheduled");
    stands(f, 3, "running");
    stands(f, 4, "running");
    stands(f, 5, "ready");
    assert_int_equal(succeed(f, 1, 1, later_us), TRIGGERS_JOBS_KNOWN);
    assert_int_equal(triggers_jobs_progress(f->jobs, acme, id_of(3), 1, later_us),
                     TRIGGERS_JOBS_CANCELS);
    core_buffer_reset(&f->told);
    tick(f, later_us + 10 * SECOND - 1); /* running attempts got their time anew */
    stands(f, 4, "running");
    assert_int_equal(succeed(f, 4, 1, later_us), TRIGGERS_JOBS_OK);
    pull(f, 2, 9, later_us);
    tells(f, "2>5#1 2>2#2 2. "); /* 2 was due later, for it failed once */
}

static void a_snapshot_alone_gives_the_state(void **state) {
    fixture *f = *state;
    core_buffer message;
    core_buffer_init(&message, (size_t)64 << 20);
    for (uint32_t i = 1; i <= 300; i++)
        add_plain(f, i);
    triggers_jobs_pass(f->jobs, 300);
    assert_true(triggers_jobs_records_take(f->jobs, SIZE_MAX, &message)); /* gone */
    triggers_jobs_snapshot_begin(f->jobs);
    uint32_t pieces = 0;
    for (bool done = false; !done; pieces++) {
        done = triggers_jobs_snapshot_next(f->jobs, 4096);
        /* meanwhile */
        pull(f, pieces, 3, START);
        add_plain(f, 1000 + pieces);
        (void)triggers_jobs_cancel(f->jobs, core_slice_text(""), id_of(300 - pieces), START);
        if (pieces == 3)
            assert_int_equal(succeed(f, 4, 1, START), TRIGGERS_JOBS_OK);
    }
    assert_true(pieces > 10);
    triggers_jobs_figures before = triggers_jobs_count(f->jobs);
    refold(f, 1000);
    triggers_jobs_figures after = triggers_jobs_count(f->jobs);
    assert_memory_equal(before.states, after.states, sizeof before.states);
    assert_int_equal(before.bytes, after.bytes);
    assert_int_equal(triggers_jobs_taken(f->jobs), 300);
    core_buffer_fini(&message);
}

static void what_is_no_log_is_refused(void **state) {
    fixture *f = *state;
    core_error error = {0};
    static const char *const wrong[] = {"x", "\x01\0\0\0\x05", "\x09\0\0\0\0",
                                        "\x04\0\0\0\x09"
                                        "123456789"};
    static const size_t lengths[] = {1, 5, 5, 14};
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++) {
        assert_false(triggers_jobs_fold(f->jobs, core_slice_make(wrong[i], lengths[i]), &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

static void only_allowed_transitions_are(void **state) {
    (void)state;
    /* row: from; column: to; in the order of the states */
    static const char *const table[TRIGGERS_JOB_STATES] = {
        /*              N S R R S D C D */
        [TRIGGERS_JOB_NONE] = "01100001",      [TRIGGERS_JOB_SCHEDULED] = "00100110",
        [TRIGGERS_JOB_READY] = "00010110",     [TRIGGERS_JOB_RUNNING] = "01111110",
        [TRIGGERS_JOB_SUCCEEDED] = "00001000", [TRIGGERS_JOB_DEAD] = "00100100",
        [TRIGGERS_JOB_CANCELLED] = "00100010", [TRIGGERS_JOB_DUPLICATE] = "00000000",
    };
    for (unsigned from = 0; from < TRIGGERS_JOB_STATES; from++)
        for (unsigned to = 0; to < TRIGGERS_JOB_STATES; to++)
            assert_int_equal(triggers_job_may_move(from, to), table[from][to] == '1');
}

/* ---- Many ---- */

static int64_t cpu_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * CORE_US_PER_S + now.tv_nsec / 1000;
}

static void a_hundred_thousand_scheduled_cost_nothing_until_due(void **state) {
    fixture *f = *state;
    enum { COUNT = 100000 };
    char digits[16];
    int64_t start_us = cpu_us();
    for (uint32_t i = 0; i < COUNT; i++) {
        triggers_job job = job_sample(i, "mail", digits);
        job.run_at_us = START + 3600 * SECOND + (int64_t)(i * UINT32_C(2654435761) % 1000000);
        assert_int_equal(add(f, job, START), TRIGGERS_JOBS_OK);
    }
    int64_t added_us = cpu_us();
    for (uint32_t i = 0; i < COUNT; i++)
        tick(f, START + i);
    int64_t ticked_us = cpu_us();
    tick(f, START + 3700 * SECOND);
    assert_int_equal(triggers_jobs_count(f->jobs).states[TRIGGERS_JOB_READY], COUNT);
    printf("100,000 jobs: added in %lld ms, %zu bytes each; 100,000 ticks with none due %lld ms; "
           "all due at once %lld ms\n",
           (long long)(added_us - start_us) / 1000, triggers_jobs_count(f->jobs).bytes / COUNT,
           (long long)(ticked_us - added_us) / 1000, (long long)(cpu_us() - ticked_us) / 1000);
    assert_true(ticked_us - added_us < 100000); /* a microsecond each: no scan */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_job_runs_once_and_is_kept_a_while),
        TEST(another_project_does_not_see_it),
        TEST(the_first_of_the_highest_priority_goes_first),
        TEST(a_delayed_job_waits_for_its_time),
        TEST(pulls_are_answered_in_their_order_or_end),
        TEST(a_failed_attempt_comes_again_and_at_last_is_dead),
        TEST(a_worker_says_when_or_that_never),
        TEST(a_silent_worker_loses_its_attempt),
        TEST(jobs_are_cancelled_before_and_while_they_run),
        TEST(a_unique_key_holds_while_its_job_is_not_over),
        TEST(as_many_of_a_concurrency_key_run_as_it_says),
        TEST(a_deadline_ends_what_has_not_run),
        TEST(a_callback_is_told_until_it_is_taken),
        TEST(a_callback_is_given_up_after_its_attempts),
        TEST(what_is_over_makes_room_and_the_dead_do_not),
        TEST(bytes_are_bounded_too),
        TEST(too_many_pulls_are_refused),
        TEST(the_next_owner_goes_on_where_the_last_one_was),
        TEST(a_snapshot_alone_gives_the_state),
        TEST(what_is_no_log_is_refused),
        TEST(only_allowed_transitions_are),
        TEST(a_hundred_thousand_scheduled_cost_nothing_until_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
