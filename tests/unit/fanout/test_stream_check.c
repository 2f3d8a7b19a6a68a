/* Which existing streams are ours, and which differences are updated. */
#include "fanout/stream_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const fanout_stream_spec spec = {
    .name = "WALCAST",
    .subjects = "atlasdb.*.*.*.*",
    .max_age_ms = 7000,
    .max_bytes = 1 << 20,
    .replicas = 1,
    .duplicate_window_ms = 100,
};

static jsStreamConfig ours(const char **subjects) {
    jsStreamConfig config;
    fanout_stream_config(&spec, subjects, &config);
    return config;
}

static void assert_refused(const jsStreamConfig *found, const char *word) {
    core_error error = {0};
    assert_false(fanout_stream_matches(&spec, found, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
    if (strstr(error.text, word) == NULL || strstr(error.text, "nats.stream") == NULL)
        fail_msg("expected '%s' in '%s'", word, error.text);
}

static void test_what_we_make_is_ours(void **state) {
    const char *subjects[2];
    core_error error = {0};
    jsStreamConfig config = ours(subjects);
    (void)state;
    assert_true(fanout_stream_matches(&spec, &config, &error));
    assert_false(fanout_stream_differs(&spec, &config));
    assert_true(config.DenyDelete && config.DenyPurge);
}

static void test_others_are_refused_by_name(void **state) {
    const char *subjects[2];
    jsStreamConfig config = ours(subjects);
    (void)state;
    subjects[0] = "orders.>";
    assert_refused(&config, "'orders.>', expected 'atlasdb.*.*.*.*'");
    subjects[0] = spec.subjects;
    subjects[1] = "more.*";
    config.SubjectsLen = 2;
    assert_refused(&config, "several subjects");
    config = ours(subjects);
    config.Storage = js_MemoryStorage;
    assert_refused(&config, "'memory', expected 'file'");
    config = ours(subjects);
    config.Discard = js_DiscardOld;
    assert_refused(&config, "'old', expected 'new'");
    config = ours(subjects);
    config.Retention = js_WorkQueuePolicy;
    assert_refused(&config, "retention");
    config = ours(subjects);
    config.MaxMsgsPerSubject = 1;
    assert_refused(&config, "limit by number");
    config = ours(subjects);
    config.NoAck = true;
    assert_refused(&config, "no_ack");
    config = ours(subjects);
    config.Sealed = true;
    assert_refused(&config, "sealed");
    config = ours(subjects);
    config.SubjectsLen = 0;
    assert_refused(&config, "(none)");
}

/* A history of broadcasts drops the oldest; the change stream made so would lose changes. */
static void test_which_discards_old_is_told_apart(void **state) {
    const char *subjects[2];
    jsStreamConfig config;
    core_error error = {0};
    fanout_stream_spec history = spec;
    (void)state;
    history.discards_old = true;
    fanout_stream_config(&history, subjects, &config);
    assert_int_equal(config.Discard, js_DiscardOld);
    assert_true(fanout_stream_matches(&history, &config, &error));
    assert_refused(&config, "'old', expected 'new'");
    config = ours(subjects);
    assert_false(fanout_stream_matches(&history, &config, &error));
    assert_non_null(strstr(error.text, "'new', expected 'old'"));
}

static void test_limits_that_differ_are_seen(void **state) {
    const char *subjects[2];
    (void)state;
    jsStreamConfig config = ours(subjects);
    config.MaxAge = 1;
    assert_true(fanout_stream_differs(&spec, &config));
    config = ours(subjects);
    config.MaxBytes = -1;
    assert_true(fanout_stream_differs(&spec, &config));
    config = ours(subjects);
    config.Duplicates = INT64_C(120000000000);
    assert_true(fanout_stream_differs(&spec, &config));
    config = ours(subjects);
    config.DenyPurge = false;
    assert_true(fanout_stream_differs(&spec, &config));
}

static void test_no_limit_is_no_limit(void **state) {
    const char *subjects[2];
    jsStreamConfig config;
    fanout_stream_spec unbounded = spec;
    (void)state;
    unbounded.max_bytes = 0;
    fanout_stream_config(&unbounded, subjects, &config);
    assert_int_equal(config.MaxBytes, -1);
    config.MaxBytes = 0; /* as some servers write it */
    assert_false(fanout_stream_differs(&unbounded, &config));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_we_make_is_ours),
        cmocka_unit_test(test_others_are_refused_by_name),
        cmocka_unit_test(test_which_discards_old_is_told_apart),
        cmocka_unit_test(test_limits_that_differ_are_seen),
        cmocka_unit_test(test_no_limit_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
