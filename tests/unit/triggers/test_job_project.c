/* A project's share of a partition's jobs: what it sends beyond is over at once, and nobody else is
 * held up. */
#include "job_script.h"

static triggers_jobs_verdict add_for(fixture *f, uint32_t number, const char *project,
                                     const char *unique_key) {
    char digits[16];
    triggers_job job = job_with_callback(number, digits);
    job.project = core_slice_text(project);
    job.unique_key = core_slice_text(unique_key);
    return add(f, job, START);
}

static void a_project_has_its_share_and_no_more(void **state) {
    fixture *f = *state;
    triggers_jobs_free(f->jobs);
    f->jobs = machine_of(&(triggers_jobs_spec){.max_jobs = 8,
                                               .max_bytes = 1 << 20,
                                               .project_max_jobs = 3,
                                               .project_max_bytes = 1 << 19},
                         f);
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(add_for(f, i, "acme", i == 1 ? "once" : ""), TRIGGERS_JOBS_OK);
    for (uint32_t i = 4; i <= 40; i++) /* never FULL: they make room for one another */
        assert_int_equal(add_for(f, i, "acme", ""), TRIGGERS_JOBS_REFUSED);
    assert_int_equal(triggers_jobs_count(f->jobs).refused, 37);
    assert_int_equal(add_for(f, 41, "acme", "once"), TRIGGERS_JOBS_DUPLICATE);
    tick(f, START);
    tells(f, ""); /* what is refused has no callback, and a duplicate beyond the share has none */
    stands(f, 40, "cancelled");
    assert_true(core_slice_is(core_slice_make(status_of(f, 40)->error.data, 7), "refused"));
    for (uint32_t i = 51; i <= 53; i++)
        assert_int_equal(add_for(f, i, "other", ""), TRIGGERS_JOBS_OK);
    assert_int_equal(triggers_jobs_retry(f->jobs, core_slice_text("acme"), id_of(40), START),
                     TRIGGERS_JOBS_FULL);
    pull(f, 1, 2, START);
    assert_int_equal(triggers_jobs_fail(f->jobs, core_slice_text(""), id_of(2), 1,
                                        core_slice_text("x"), 0, true, START),
                     TRIGGERS_JOBS_OK);
    assert_int_equal(add_for(f, 61, "acme", ""), TRIGGERS_JOBS_REFUSED); /* dead ones count */
    assert_int_equal(triggers_jobs_cancel(f->jobs, core_slice_text("acme"), id_of(3), START),
                     TRIGGERS_JOBS_OK);
    tick(f, START);
    called(f, 3, TRIGGERS_JOBS_CALL_TAKEN, 0, START);
    assert_int_equal(add_for(f, 62, "acme", ""), TRIGGERS_JOBS_OK);
}

static void a_project_has_its_share_of_bytes(void **state) {
    fixture *f = *state;
    static char payload[65536];
    char digits[16];
    memset(payload, '7', sizeof payload);
    triggers_jobs_free(f->jobs);
    f->jobs = machine_of(&(triggers_jobs_spec){.max_jobs = 1000,
                                               .max_bytes = (size_t)1 << 20,
                                               .project_max_jobs = 1000,
                                               .project_max_bytes = (size_t)1 << 19},
                         f);
    uint32_t kept = 0;
    for (uint32_t i = 1; i <= 60; i++) {
        triggers_job job = job_sample(i, "mail", digits);
        job.payload = core_slice_make(payload, sizeof payload);
        triggers_jobs_verdict verdict = add(f, job, START);
        assert_true(verdict == TRIGGERS_JOBS_OK || verdict == TRIGGERS_JOBS_REFUSED);
        kept += verdict == TRIGGERS_JOBS_OK;
    }
    assert_int_equal(kept, 7);
    assert_int_equal(add_for(f, 61, "other", ""), TRIGGERS_JOBS_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_project_has_its_share_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(a_project_has_its_share_of_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
