/* What the machine of a partition's jobs writes into its log, and what is made of it; and how it
 * bears many jobs. */
#include "job_script.h"

#include <stdio.h>
#include <time.h>

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
    static const char short_end[] = "\x04\0\0\0\x09"
                                    "123456789";
    static const char *const wrong[] = {"x", "\x01\0\0\0\x05", "\x09\0\0\0\0", short_end};
    static const size_t lengths[] = {1, 5, 5, 14};
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++) {
        assert_false(triggers_jobs_fold(f->jobs, core_slice_make(wrong[i], lengths[i]), &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
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

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_next_owner_goes_on_where_the_last_one_was),
        TEST(a_snapshot_alone_gives_the_state),
        TEST(what_is_no_log_is_refused),
        TEST(a_hundred_thousand_scheduled_cost_nothing_until_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
