/* The machine of a partition's jobs, by scripts: each test is a life of a few jobs. */
#include "job_script.h"
#include "triggers/job_table.h"

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

/* When its worker could not be heard, the attempt begins its time again, but no later deadline. */
static void who_could_not_be_heard_was_not_silent(void **state) {
    fixture *f = *state;
    char digits[16];
    triggers_job late = job_sample(2, "mail", digits);
    late.deadline_us = START + 25 * SECOND;
    add_plain(f, 1);
    assert_int_equal(add(f, late, START), TRIGGERS_JOBS_OK);
    pull(f, 1, 2, START);
    triggers_jobs_resume(f->jobs, START + 20 * SECOND);
    tick(f, START + 20 * SECOND);
    stands(f, 1, "running");
    tick(f, START + 25 * SECOND);
    stands(f, 1, "running");
    stands(f, 2, "dead");
    assert_int_equal(succeed(f, 1, 1, START + 29 * SECOND), TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_count(f->jobs).expired, 1);
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
    triggers_job job = job_with_callback(1, digits);
    job.keep_ms = 0;
    assert_int_equal(add(f, job, START), TRIGGERS_JOBS_OK);
    pull(f, 1, 1, START);
    assert_int_equal(succeed(f, 1, 1, START), TRIGGERS_JOBS_OK);
    tells(f, "1>1#1 1. ");
    tick(f, START);
    tells(f, "@1=succeeded ");
    tick(f, START + 3600 * SECOND); /* one at a time, and kept until it is told */
    tells(f, "");
    called(f, 1, TRIGGERS_JOBS_CALL_FAILED, -1, START);
    assert_true(core_slice_is(status_of(f, 1)->callback_error, "it answered 500"));
    tick(f, START + 5 * SECOND);
    tells(f, "@1=succeeded ");
    called(f, 1, TRIGGERS_JOBS_CALL_FAILED, 90 * 1000, START + 5 * SECOND);
    tick(f, START + 94 * SECOND); /* it was asked to wait */
    tells(f, "");
    tick(f, START + 95 * SECOND);
    tells(f, "@1=succeeded ");
    called(f, 1, TRIGGERS_JOBS_CALL_POSTPONED, 1000, START + 95 * SECOND);
    tick(f, START + 96 * SECOND);
    tells(f, "@1=succeeded ");
    assert_int_equal(status_of(f, 1)->callback_attempts, 2);
    called(f, 1, TRIGGERS_JOBS_CALL_TAKEN, 0, START + 96 * SECOND);
    called(f, 1, TRIGGERS_JOBS_CALL_TAKEN, 0, START + 96 * SECOND); /* nothing more happens */
    tick(f, START + 96 * SECOND);
    tells(f, "");
    stands(f, 1, "gone");
}

/* Over about three days, as deliveries are; then it is kept as the dead are, and can be retried. */
static void a_callback_is_given_up_after_its_attempts(void **state) {
    fixture *f = *state;
    char digits[16];
    triggers_job job = job_with_callback(1, digits);
    job.keep_ms = 0;
    assert_int_equal(add(f, job, START), TRIGGERS_JOBS_OK);
    pull(f, 1, 1, START);
    assert_int_equal(succeed(f, 1, 1, START), TRIGGERS_JOBS_OK);
    unsigned calls = 0;
    int64_t now_us = START;
    while (status_of(f, 1)->callback_due) {
        now_us = triggers_jobs_next_us(f->jobs);
        tick(f, now_us);
        called(f, 1, TRIGGERS_JOBS_CALL_FAILED, -1, now_us);
        calls++;
    }
    assert_int_equal(calls, TRIGGERS_JOBS_CALLBACKS_MAX);
    assert_in_range(now_us - START, 55 * 3600 * SECOND, 76 * 3600 * SECOND);
    assert_true(status_of(f, 1)->callback_dead);
    stands(f, 1, "succeeded");
    f->told.length = 0;
    assert_int_equal(triggers_jobs_retry(f->jobs, core_slice_text(""), id_of(1), now_us),
                     TRIGGERS_JOBS_OK);
    tick(f, now_us);
    tells(f, "@1=succeeded ");
    called(f, 1, TRIGGERS_JOBS_CALL_DEAD, 0, now_us);
    assert_true(status_of(f, 1)->callback_dead);
    assert_int_equal(triggers_jobs_retry(f->jobs, core_slice_text(""), id_of(1), now_us),
                     TRIGGERS_JOBS_OK);
    tick(f, now_us);
    called(f, 1, TRIGGERS_JOBS_CALL_TAKEN, 0, now_us);
    assert_int_equal(triggers_jobs_retry(f->jobs, core_slice_text(""), id_of(1), now_us),
                     TRIGGERS_JOBS_OVER);
}

static void a_duplicate_is_told_too(void **state) {
    fixture *f = *state;
    char digits[16];
    triggers_job first = job_sample(1, "mail", digits);
    first.unique_key = core_slice_text("one");
    assert_int_equal(add(f, first, START), TRIGGERS_JOBS_OK);
    triggers_job second = job_with_callback(2, digits);
    second.unique_key = core_slice_text("one");
    assert_int_equal(add(f, second, START), TRIGGERS_JOBS_DUPLICATE);
    tick(f, START);
    tells(f, "@2=duplicate ");
    called(f, 2, TRIGGERS_JOBS_CALL_TAKEN, 0, START);
    stands(f, 2, "duplicate");
}

static void a_pull_would_get_a_job(void **state) {
    fixture *f = *state;
    char digits[16];
    const core_slice project = core_slice_text("acme"), queue = core_slice_text("mail");
    assert_false(triggers_jobs_has_ready(f->jobs, project, queue));
    for (uint32_t i = 1; i <= 2; i++) {
        triggers_job job = job_sample(i, "mail", digits);
        job.concurrency_key = core_slice_text("one");
        assert_int_equal(add(f, job, START), TRIGGERS_JOBS_OK);
    }
    assert_true(triggers_jobs_has_ready(f->jobs, project, queue));
    assert_false(triggers_jobs_has_ready(f->jobs, core_slice_text("other"), queue));
    pull(f, 1, 1, START);
    assert_false(triggers_jobs_has_ready(f->jobs, project, queue)); /* its key is taken */
    assert_int_equal(succeed(f, 1, 1, START), TRIGGERS_JOBS_OK);
    assert_true(triggers_jobs_has_ready(f->jobs, project, queue));
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

static void only_allowed_transitions_are(void **state) {
    (void)state;
    /* row: from; column: to; in the order of the states */
    static const char *const table[TRIGGERS_JOB_STATES] = {
        /*              N S R R S D C D */
        [TRIGGERS_JOB_NONE] = "01100011",      [TRIGGERS_JOB_SCHEDULED] = "00100110",
        [TRIGGERS_JOB_READY] = "00010110",     [TRIGGERS_JOB_RUNNING] = "01111110",
        [TRIGGERS_JOB_SUCCEEDED] = "00001000", [TRIGGERS_JOB_DEAD] = "00100100",
        [TRIGGERS_JOB_CANCELLED] = "00100010", [TRIGGERS_JOB_DUPLICATE] = "00000001",
    };
    for (unsigned from = 0; from < TRIGGERS_JOB_STATES; from++)
        for (unsigned to = 0; to < TRIGGERS_JOB_STATES; to++)
            assert_int_equal(triggers_job_may_move(from, to), table[from][to] == '1');
}

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
        TEST(who_could_not_be_heard_was_not_silent),
        TEST(jobs_are_cancelled_before_and_while_they_run),
        TEST(a_unique_key_holds_while_its_job_is_not_over),
        TEST(as_many_of_a_concurrency_key_run_as_it_says),
        TEST(a_deadline_ends_what_has_not_run),
        TEST(a_callback_is_told_until_it_is_taken),
        TEST(a_callback_is_given_up_after_its_attempts),
        TEST(a_duplicate_is_told_too),
        TEST(a_pull_would_get_a_job),
        TEST(what_is_over_makes_room_and_the_dead_do_not),
        TEST(bytes_are_bounded_too),
        TEST(too_many_pulls_are_refused),
        TEST(only_allowed_transitions_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
