/* A job's ids, bounds, backoff and wire form. */
#include "job_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static char digits[16];

static void ids_sort_by_time_and_name_their_partition(void **state) {
    (void)state;
    char last[TRIGGERS_JOB_ID_LENGTH + 1] = "";
    for (unsigned i = 0; i < 64; i++) {
        char id[TRIGGERS_JOB_ID_LENGTH + 1];
        core_error error = {0};
        unsigned partition = 99;
        assert_true(triggers_job_id_make(i % TRIGGERS_JOB_PARTITIONS,
                                         SAMPLE_START_US + i * CORE_US_PER_S, id, &error));
        assert_true(triggers_job_id_partition(core_slice_text(id), &partition));
        assert_int_equal(partition, i % TRIGGERS_JOB_PARTITIONS);
        assert_true(strcmp(last, id) < 0);
        memcpy(last, id, sizeof last);
    }
}

static void what_is_no_id_is_refused(void **state) {
    (void)state;
    unsigned partition;
    triggers_job job = job_sample(1, "mail", digits);
    assert_true(triggers_job_id_partition(core_slice_text(job.id), &partition));
    char other[TRIGGERS_JOB_ID_LENGTH + 1];
    static const struct {
        size_t at;
        char letter;
    } wrong[] = {{0, 'i'}, {5, 'u'}, {10, '1'}, {11, 'g'}, {27, 'L'}, {12, '-'}};
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++) {
        memcpy(other, job.id, sizeof other);
        other[wrong[i].at] = wrong[i].letter;
        assert_false(triggers_job_id_partition(core_slice_text(other), &partition));
    }
    assert_false(triggers_job_id_partition(core_slice_make(job.id, 27), &partition));
    assert_false(triggers_job_id_partition(core_slice_make(NULL, 0), &partition));
}

static void queues_spread_over_the_partitions(void **state) {
    (void)state;
    unsigned counts[TRIGGERS_JOB_PARTITIONS] = {0};
    for (unsigned i = 0; i < 1600; i++) {
        char queue[16];
        core_buffer text = core_buffer_over(queue, sizeof queue);
        core_buffer_format(&text, "q%u", i);
        counts[triggers_job_partition_of(core_slice_text("acme"), core_buffer_slice(&text))]++;
    }
    for (unsigned i = 0; i < TRIGGERS_JOB_PARTITIONS; i++)
        assert_in_range(counts[i], 50, 150);
    /* "a" + "bc" is not "ab" + "c" */
    assert_int_equal(triggers_job_partition_of(core_slice_text("a"), core_slice_text("bc")),
                     triggers_job_partition_of(core_slice_text("a"), core_slice_text("bc")));
}

static void each_bound_is_told_by_name(void **state) {
    (void)state;
    static char big[TRIGGERS_JOB_PAYLOAD_MAX + 1];
    memset(big, '1', sizeof big);
    const core_slice long_key = core_slice_make(big, TRIGGERS_JOB_KEY_MAX + 1);
    triggers_job sound = job_sample(1, "mail", digits);
    core_error error = {0};
    if (!triggers_job_check(&sound, &error))
        fail_msg("%s", error.text);
#define REFUSED(assignment, name)                                                                  \
    {                                                                                              \
        triggers_job job = sound;                                                                  \
        job.assignment;                                                                            \
        assert_false(triggers_job_check(&job, &error));                                            \
        assert_int_equal(error.code, CORE_ERROR_INPUT);                                            \
        if (strstr(error.text, name) == NULL)                                                      \
            fail_msg("%s is not told: %s", name, error.text);                                      \
    }
    REFUSED(id[3] = 'u', "id")
    REFUSED(project = core_slice_text(""), "project")
    REFUSED(queue = core_slice_text(""), "queue")
    REFUSED(queue = core_slice_text("a.b"), "queue")
    REFUSED(queue = core_slice_text("a b"), "queue")
    REFUSED(queue = core_slice_text("a*"), "queue")
    REFUSED(type = long_key, "type")
    REFUSED(payload = core_slice_make(big, sizeof big), "payload")
    REFUSED(payload = core_slice_text("{"), "payload")
    REFUSED(payload = core_slice_text(""), "payload")
    REFUSED(payload = core_slice_text("\"\xff\""), "payload")
    REFUSED(unique_key = long_key, "unique_key")
    REFUSED(concurrency_key = long_key, "concurrency_key")
    REFUSED(concurrency_key = core_slice_text("\xc3"), "concurrency_key")
    REFUSED(callback_url = core_slice_make(big, TRIGGERS_JOB_URL_MAX + 1), "callback")
    REFUSED(callback_url = core_slice_text("ftp://h/"), "callback: expected a URL")
    REFUSED(callback_url = core_slice_make("http://h\0x/", 11), "callback: a URL has no NUL")
    REFUSED(callback_url = core_slice_text("http://h/"), "callback_secret: expected a secret")
    REFUSED(callback_secret = core_slice_text("S"), "callback_secret: goes with")
    REFUSED(concurrency = 0, "concurrency")
    REFUSED(priority = 101, "priority")
    REFUSED(priority = -101, "priority")
    REFUSED(max_attempts = 0, "max_attempts")
    REFUSED(backoff_first_ms = -1, "backoff_first_ms")
    REFUSED(backoff_max_ms = INT64_MAX, "backoff_max_ms")
    REFUSED(timeout_ms = 999, "timeout_ms")
    REFUSED(keep_ms = INT64_MAX, "keep_ms")
    REFUSED(run_at_us = -1, "run_at")
    REFUSED(deadline_us = INT64_MAX, "deadline")
#undef REFUSED
}

static void backoff_doubles_to_its_maximum(void **state) {
    (void)state;
    triggers_job job = job_sample(1, "mail", digits);
    job.backoff_first_ms = 1000;
    job.backoff_max_ms = 60000;
    for (uint32_t attempt = 1; attempt < 40; attempt++) {
        int64_t whole_ms = attempt < 7 ? INT64_C(1000) << (attempt - 1) : 60000;
        int64_t wait_ms = triggers_job_backoff_ms(&job, attempt);
        assert_in_range(wait_ms, whole_ms - whole_ms / 4, whole_ms);
        assert_int_equal(wait_ms, triggers_job_backoff_ms(&job, attempt));
    }
    job.backoff_first_ms = 0;
    assert_int_equal(triggers_job_backoff_ms(&job, 30), 0);
}

static void states_have_names(void **state) {
    (void)state;
    for (triggers_job_state s = TRIGGERS_JOB_SCHEDULED; s < TRIGGERS_JOB_STATES; s++)
        assert_int_equal(triggers_job_state_parse(core_slice_text(triggers_job_state_name(s))), s);
    assert_int_equal(triggers_job_state_parse(core_slice_text("none")), TRIGGERS_JOB_NONE);
    assert_int_equal(triggers_job_state_parse(core_slice_text("Ready")), TRIGGERS_JOB_NONE);
}

static triggers_job full_job(void) {
    triggers_job job = job_sample(77, "mail-2_x", digits);
    job.type = core_slice_text("welcome");
    job.payload = core_slice_text("{\"to\":\"a@b\",\"n\":1.50}");
    job.unique_key = core_slice_text("u\x01\xc3\xa4");
    job.concurrency_key = core_slice_text("k");
    job.callback_url = core_slice_text("https://example.com/x?y=z");
    job.callback_secret = core_slice_text("S");
    job.concurrency = 3;
    job.priority = -100;
    job.depth = 17;
    job.deadline_us = SAMPLE_START_US + 5;
    return job;
}

static void a_job_comes_back_as_it_was(void **state) {
    (void)state;
    triggers_job out = full_job(), in;
    core_buffer wire, again;
    core_buffer_init(&wire, TRIGGERS_JOB_WIRE_MAX);
    core_buffer_init(&again, TRIGGERS_JOB_WIRE_MAX);
    triggers_job_encode(&out, &wire);
    core_cursor cursor = core_cursor_make(core_buffer_slice(&wire));
    assert_true(triggers_job_decode(&cursor, &in));
    assert_true(core_cursor_done(&cursor));
    triggers_job_encode(&in, &again);
    assert_true(core_slice_equal(core_buffer_slice(&wire), core_buffer_slice(&again)));
    assert_string_equal(in.id, out.id);
    assert_int_equal(in.priority, -100);
    assert_int_equal(in.depth, 17);
    assert_int_equal(in.deadline_us, out.deadline_us);
    assert_true(core_slice_equal(in.unique_key, out.unique_key));
    for (size_t length = 0; length < wire.length; length++) { /* any cut is refused */
        cursor = core_cursor_make(core_slice_make(wire.data, length));
        assert_false(triggers_job_decode(&cursor, &in));
    }
    wire.data[0]++; /* another version */
    cursor = core_cursor_make(core_buffer_slice(&wire));
    assert_false(triggers_job_decode(&cursor, &in));
    core_buffer_fini(&wire);
    core_buffer_fini(&again);
}

static void a_status_comes_back_as_it_was(void **state) {
    (void)state;
    triggers_job_status out = {.state = TRIGGERS_JOB_DEAD,
                               .attempts = 3,
                               .lease = 9,
                               .cancels = true,
                               .callback_attempts = 2,
                               .callback_due = true,
                               .callback_dead = true,
                               .callback_error = core_slice_text("500"),
                               .due_us = 1,
                               .started_us = 2,
                               .finished_us = 3,
                               .result = core_slice_text("[1]"),
                               .error = core_slice_text("no")};
    triggers_job_status in;
    core_buffer wire, again;
    core_buffer_init(&wire, TRIGGERS_JOB_STATUS_WIRE_MAX);
    core_buffer_init(&again, TRIGGERS_JOB_STATUS_WIRE_MAX);
    triggers_job_status_encode(&out, &wire);
    core_cursor cursor = core_cursor_make(core_buffer_slice(&wire));
    assert_true(triggers_job_status_decode(&cursor, &in));
    triggers_job_status_encode(&in, &again);
    assert_true(core_slice_equal(core_buffer_slice(&wire), core_buffer_slice(&again)));
    assert_true(core_slice_is(in.error, "no"));
    for (size_t length = 0; length < wire.length; length++) {
        cursor = core_cursor_make(core_slice_make(wire.data, length));
        assert_false(triggers_job_status_decode(&cursor, &in));
    }
    wire.data[0]--; /* the version before, which said less */
    cursor = core_cursor_make(core_buffer_slice(&wire));
    assert_false(triggers_job_status_decode(&cursor, &in));
    wire.data[0]++;
    static const uint8_t states[] = {0, TRIGGERS_JOB_STATES, 255};
    for (size_t i = 0; i < CORE_COUNT_OF(states); i++) {
        wire.data[1] = states[i];
        cursor = core_cursor_make(core_buffer_slice(&wire));
        assert_false(triggers_job_status_decode(&cursor, &in));
    }
    core_buffer_fini(&wire);
    core_buffer_fini(&again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_sort_by_time_and_name_their_partition),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(queues_spread_over_the_partitions),
        cmocka_unit_test(each_bound_is_told_by_name),
        cmocka_unit_test(backoff_doubles_to_its_maximum),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(a_job_comes_back_as_it_was),
        cmocka_unit_test(a_status_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
