/* Jobs and workers' words as JSON: what is read, what is refused by name, what is written. */
#include "job_samples.h"
#include "triggers/job_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static core_arena arena;

static int setup(void **state) {
    (void)state;
    core_arena_init(&arena, 4096, (size_t)1 << 20);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    core_arena_fini(&arena);
    return 0;
}

static void a_job_is_read_over_the_defaults(void **state) {
    (void)state;
    triggers_job job;
    core_error error = {0};
    const char *json =
        "{\"queue\":\"m\\u0061il\",\"payload\":{\"n\": 1.50, "
        "\"t\":[\"\\u00e4\"]},\"delay_ms\":1500,"
        "\"priority\":-3,\"unique_key\":\"u\",\"concurrency_key\":\"k\",\"concurrency\":4,"
        "\"deadline_ms\":1800000009000,\"backoff_ms\":7}";
    if (!triggers_job_read(core_slice_text(json), &arena, SAMPLE_START_US, &job, &error))
        fail_msg("%s", error.text);
    assert_true(core_slice_is(job.queue, "mail"));
    assert_true(core_slice_is(job.payload, "{\"n\": 1.50, \"t\":[\"\\u00e4\"]}"));
    assert_int_equal(job.run_at_us, SAMPLE_START_US + 1500 * CORE_US_PER_MS);
    assert_int_equal(job.created_us, SAMPLE_START_US);
    assert_int_equal(job.deadline_us, INT64_C(1800000009000000));
    assert_int_equal(job.priority, -3);
    assert_int_equal(job.concurrency, 4);
    assert_int_equal(job.backoff_first_ms, 7);
    assert_int_equal(job.max_attempts, triggers_job_defaults().max_attempts);
}

static void what_is_no_job_is_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *json, *named;
    } refused[] = {
        {"", "object"},
        {"[]", "object"},
        {"{\"queue\":1}", "queue"},
        {"{\"queue\":\"\\ud800\"}", "queue"},
        {"{\"priority\":1.5}", "priority"},
        {"{\"priority\":99999999999}", "priority"},
        {"{\"delay_ms\":-1}", "delay_ms"},
        {"{\"delay_ms\":9007199254740992}", "delay_ms"},
        {"{\"max_attempts\":-1}", "max_attempts"},
        {"{\"id\":\"x\"}", "id"},
        {"{\"callback\":7}", "callback"},
        {"{\"queue\":\"a\"", "malformed"},
        {"{\"queue\":\"a\"} x", "malformed"},
        {"{\"payload\":}", "malformed"},
        {"{\"queue\":\"\xff\"}", "object"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        triggers_job job;
        core_error error = {0};
        assert_false(triggers_job_read(core_slice_text(refused[i].json), &arena, SAMPLE_START_US,
                                       &job, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        if (strstr(error.text, refused[i].named) == NULL)
            fail_msg("%s: %s", refused[i].json, error.text);
    }
}

static void a_word_says_what_it_says(void **state) {
    (void)state;
    triggers_job_word word;
    core_error error = {0};
    assert_true(triggers_job_word_read(core_slice_text(""), &arena, &word, &error));
    assert_false(word.has_lease || word.has_error || word.final);
    assert_int_equal(word.retry_in_ms, -1);
    assert_true(triggers_job_word_read(
        core_slice_text(
            "{\"id\":\"x\",\"lease\":7,\"error\":\"\",\"retry_in_ms\":0,\"final\":true}"),
        &arena, &word, &error));
    assert_true(word.has_lease && word.has_error && word.final);
    assert_int_equal(word.lease, 7);
    assert_int_equal(word.retry_in_ms, 0);
    assert_true(triggers_job_word_read(
        core_slice_text("{\"lease\":1,\"result\":{\"a\":[1]},\"max\":5,\"state\":\"dead\"}"),
        &arena, &word, &error));
    assert_true(core_slice_is(word.result, "{\"a\":[1]}"));
    assert_int_equal(word.state, TRIGGERS_JOB_DEAD);
    assert_int_equal(word.max, 5);
    static const char *const refused[] = {"{\"lease\":-1}", "{\"lease\":4294967296}",
                                          "{\"state\":\"odd\"}", "{\"final\":1}", "null"};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        assert_false(triggers_job_word_read(core_slice_text(refused[i]), &arena, &word, &error));
}

static void a_result_is_bounded(void **state) {
    (void)state;
    triggers_job_word word;
    core_error error = {0};
    core_buffer json;
    core_buffer_init(&json, 1 << 20);
    core_buffer_text(&json, "{\"result\":\"");
    for (size_t i = 0; i < TRIGGERS_JOB_RESULT_MAX; i++)
        core_buffer_u8(&json, 'x');
    core_buffer_text(&json, "\"}");
    assert_false(triggers_job_word_read(core_buffer_slice(&json), &arena, &word, &error));
    assert_non_null(strstr(error.text, "result"));
    core_buffer_fini(&json);
}

static void what_is_written_is_json(void **state) {
    (void)state;
    char digits[16];
    triggers_job job = job_sample(7, "mail", digits);
    job.type = core_slice_text("say \"hi\"");
    job.unique_key = core_slice_text("\x01");
    job.callback_url = core_slice_text("https://example.com/\"");
    core_buffer out;
    core_buffer_init(&out, 1 << 20);
    for (unsigned s = TRIGGERS_JOB_SCHEDULED; s < TRIGGERS_JOB_STATES; s++) {
        triggers_job_status status = {.state = s,
                                      .lease = 3,
                                      .cancels = true,
                                      .callback_due = s % 2 == 0,
                                      .callback_dead = s % 3 == 0,
                                      .callback_error = core_slice_text("\"500\""),
                                      .due_us = 1,
                                      .error = core_slice_text("\"boom\"\n")};
        core_json_writer json = core_json_writer_make(&out);
        core_buffer_reset(&out);
        triggers_job_write(&json, &job, &status, true);
        assert_true(core_json_valid(core_buffer_slice(&out)));
        core_buffer_reset(&out);
        json = core_json_writer_make(&out);
        triggers_job_write_handout(&json, &job, &status);
        assert_true(core_json_valid(core_buffer_slice(&out)));
    }
    core_buffer_fini(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_job_is_read_over_the_defaults), TEST(what_is_no_job_is_refused_by_name),
        TEST(a_word_says_what_it_says),        TEST(a_result_is_bounded),
        TEST(what_is_written_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
