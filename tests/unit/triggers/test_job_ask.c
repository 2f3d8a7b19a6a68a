/* What is asked of a job that has not come to its partition yet: whoever got its id a moment ago
 * may ask at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "triggers/job_partition.h"

#include "job_samples.h"

enum { ASKS_MAX = 4, WAITS_MS = 1500 };

/* A partition, whose log stores at once, and the last answer to each asker, which is a number. */
typedef struct {
    triggers_job_partition *partition;
    char answers[ASKS_MAX][2048];
    int64_t now_us;
    uint64_t stored;
} table;

static triggers_job_asker *asker(uintptr_t number) {
    return (triggers_job_asker *)number;
}

static void on_answer(void *context, triggers_job_asker *who, core_slice json) {
    table *t = context;
    assert_true(core_slice_to_text(json, t->answers[(uintptr_t)who], sizeof t->answers[0]));
}

static void on_forget(void *context, triggers_job_asker *who) {
    (void)context;
    (void)who;
}

static void on_callback(void *context, const triggers_job *job, const triggers_job_status *status) {
    (void)context;
    (void)job;
    (void)status;
}

static void tick(table *t, int64_t ms) {
    core_error error;
    core_buffer message;
    uint64_t unneeded;
    t->now_us += ms * CORE_US_PER_MS;
    (void)triggers_job_partition_tick(t->partition, t->now_us);
    core_buffer_init(&message, TRIGGERS_JOB_MESSAGE_MAX);
    assert_true(triggers_job_partition_append(t->partition, &message, &error));
    if (message.length > 0)
        triggers_job_partition_appended(t->partition, ++t->stored, t->now_us, &unneeded);
    core_buffer_fini(&message);
}

static void table_open(table *t) {
    core_error error;
    core_buffer first;
    const triggers_job_partition_spec spec = {
        .max_jobs = 100,
        .max_bytes = 1 << 20,
        .dead_keep_ms = 60000,
        .seed = 1,
        .driver = {
            .context = t, .answer = on_answer, .forget = on_forget, .callback = on_callback}};
    *t = (table){.now_us = SAMPLE_START_US, .stored = 1};
    t->partition = triggers_job_partition_new(&spec, &error);
    assert_non_null(t->partition);
    core_buffer_init(&first, TRIGGERS_JOB_MESSAGE_MAX);
    triggers_job_partition_first(&first);
    assert_true(triggers_job_partition_fold(t->partition, core_buffer_slice(&first), &error));
    core_buffer_fini(&first);
    triggers_job_partition_begin(t->partition, t->now_us);
}

static void ask(table *t, triggers_job_ask what, const triggers_job *job, uintptr_t number) {
    const triggers_job_word word = {.project = job->project, .id = core_slice_text(job->id)};
    t->answers[number][0] = '\0';
    triggers_job_partition_ask(t->partition, what, &word, asker(number), t->now_us);
    tick(t, 0);
}

static void come(table *t, const triggers_job *job, uint64_t sequence) {
    core_buffer message;
    core_buffer_init(&message, TRIGGERS_JOB_MESSAGE_MAX);
    triggers_job_encode(job, &message);
    assert_true(triggers_job_partition_take(t->partition, sequence, core_buffer_slice(&message),
                                            t->now_us));
    core_buffer_fini(&message);
    tick(t, 1);
}

static bool says(const table *t, uintptr_t number, const char *text) {
    return strstr(t->answers[number], text) != NULL;
}

static void what_is_asked_of_a_job_waits_until_it_has_come(void **state) {
    table t;
    char digits[16];
    const triggers_job job = job_sample(1, "mail", digits);
    (void)state;
    table_open(&t);
    ask(&t, TRIGGERS_JOB_ASK_GET, &job, 0);
    ask(&t, TRIGGERS_JOB_ASK_CANCEL, &job, 1);
    tick(&t, WAITS_MS / 2);
    assert_string_equal(t.answers[0], "");
    assert_string_equal(t.answers[1], "");
    come(&t, &job, 1);
    assert_true(says(&t, 0, "\"status\":\"ok\"") && says(&t, 0, "\"id\""));
    assert_true(says(&t, 1, "\"status\":\"ok\"") && says(&t, 1, "\"cancelled\""));
    ask(&t, TRIGGERS_JOB_ASK_CANCEL, &job, 2);
    assert_true(says(&t, 2, "\"status\":\"over\""));
    triggers_job_partition_free(t.partition);
}

static void one_that_does_not_come_is_not_waited_for_longer(void **state) {
    table t;
    char digits[16];
    const triggers_job job = job_sample(1, "mail", digits);
    static const triggers_job_ask asks[] = {TRIGGERS_JOB_ASK_GET, TRIGGERS_JOB_ASK_CANCEL,
                                            TRIGGERS_JOB_ASK_RETRY};
    (void)state;
    table_open(&t);
    for (uintptr_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
        ask(&t, asks[i], &job, i);
    tick(&t, WAITS_MS - 1);
    assert_string_equal(t.answers[1], "");
    tick(&t, 1);
    for (uintptr_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
        assert_string_equal(t.answers[i], "{\"status\":\"unknown\"}");
    tick(&t, 60000);
    ask(&t, TRIGGERS_JOB_ASK_CANCEL, &job, 3); /* its id is old */
    assert_string_equal(t.answers[3], "{\"status\":\"unknown\"}");
    triggers_job_partition_free(t.partition);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_of_a_job_waits_until_it_has_come),
        cmocka_unit_test(one_that_does_not_come_is_not_waited_for_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
