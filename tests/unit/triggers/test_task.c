/* A task comes back as it was written, and nothing else is taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/task.h"

#include <stdio.h>
#include <string.h>

static triggers_task sample(void) {
    return (triggers_task){
        .project = core_slice_text("default"),
        .trigger = core_slice_text("order-paid"),
        .revision = 42,
        .event_id = core_slice_text("0kq1-17.3"),
        .event_time_us = 1732752000000000,
        .key = core_slice_text("customer 7"),
        .key_hash = 77,
        .depth = 3,
        .position = {.turn = 12,
                     .input = TRIGGERS_INPUT_EVENTS,
                     .places = {[TRIGGERS_INPUT_EVENTS] = {.at = {.epoch = "5f0",
                                                                  .sequence = 11}}}},
        .arguments = core_slice_make("\002\000\000\000\001"
                                     "7",
                                     6),
        .body = core_slice_text("{\"type\":\"public.orders.update\"}"),
    };
}

static void test_comes_back_as_it_was(void **state) {
    core_buffer out;
    core_error error = {0};
    triggers_task task = sample(), back;
    (void)state;
    core_buffer_init(&out, 4096);
    triggers_task_write(&task, &out);
    assert_true(triggers_task_read(core_buffer_slice(&out), &back, &error));
    assert_true(core_slice_equal(back.project, task.project));
    assert_true(core_slice_equal(back.trigger, task.trigger));
    assert_true(core_slice_equal(back.event_id, task.event_id));
    assert_true(core_slice_equal(back.key, task.key));
    assert_true(core_slice_equal(back.arguments, task.arguments));
    assert_true(core_slice_equal(back.body, task.body));
    assert_true(triggers_position_equal(&back.position, &task.position));
    assert_int_equal(back.revision, 42);
    assert_int_equal(back.key_hash, 77);
    assert_int_equal(back.depth, 3);
    assert_int_equal(back.event_time_us, task.event_time_us);
    core_buffer_fini(&out);
}

static void test_a_long_key_is_cut(void **state) {
    char key[TRIGGERS_KEY_MAX + 50];
    core_buffer out;
    core_error error = {0};
    triggers_task task = sample(), back;
    (void)state;
    memset(key, 'k', sizeof key);
    task.key = core_slice_make(key, sizeof key);
    core_buffer_init(&out, 4096);
    triggers_task_write(&task, &out);
    assert_true(triggers_task_read(core_buffer_slice(&out), &back, &error));
    assert_int_equal(back.key.length, TRIGGERS_KEY_MAX);
    assert_true(core_slice_equal(back.body, task.body));
    core_buffer_fini(&out);
}

static void test_every_cut_and_another_version_is_refused(void **state) {
    core_buffer out;
    core_error error = {0};
    triggers_task task = sample(), back;
    (void)state;
    core_buffer_init(&out, 4096);
    triggers_task_write(&task, &out);
    for (size_t length = 0; length < out.length - task.body.length; length++)
        assert_false(triggers_task_read(core_slice_make(out.data, length), &back, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    out.data[0] = 3;
    assert_false(triggers_task_read(core_buffer_slice(&out), &back, &error));
    assert_non_null(strstr(error.text, "written by a newer one"));
    core_buffer_fini(&out);
}

/* Only a batch is of version 2: what stood in the streams before there were batches is read. */
static void test_versions(void **state) {
    core_buffer out;
    core_error error = {0};
    triggers_task task = sample(), back;
    (void)state;
    core_buffer_init(&out, 4096);
    triggers_task_write(&task, &out);
    assert_int_equal(out.data[0], 1);
    size_t plain = out.length;
    assert_memory_equal(out.data + plain - task.body.length, task.body.data, task.body.length);
    assert_memory_equal(out.data + plain - task.body.length - 6, task.arguments.data, 6);
    core_buffer_reset(&out);
    task.batch = core_slice_text("ids");
    triggers_task_write(&task, &out);
    assert_int_equal(out.data[0], 2);
    assert_int_equal(out.length, plain + 4 + 3);
    assert_true(triggers_task_read(core_buffer_slice(&out), &back, &error));
    assert_true(core_slice_is(back.batch, "ids"));
    assert_true(core_slice_equal(back.body, task.body));
    memset(out.data + plain - task.body.length, 0, 4); /* a batch of none */
    assert_false(triggers_task_read(core_buffer_slice(&out), &back, &error));
    core_buffer_fini(&out);
}

static void test_a_parked_one_carries_the_task(void **state) {
    core_buffer out;
    core_error error = {0};
    triggers_parked parked = {.sequence = 9,
                              .previous = 4,
                              .parked_ms = 6,
                              .task = core_slice_text("task")},
                    back;
    (void)state;
    core_buffer_init(&out, 4096);
    triggers_parked_write(&parked, &out);
    assert_true(triggers_parked_read(core_buffer_slice(&out), &back, &error));
    assert_int_equal(back.sequence, 9);
    assert_int_equal(back.previous, 4);
    assert_int_equal(back.parked_ms, 6);
    assert_int_equal(back.chain, 0);
    assert_true(core_slice_is(back.task, "task"));
    size_t length = out.length;
    core_buffer_reset(&out);
    parked.chain = UINT64_MAX - 1;
    triggers_parked_write(&parked, &out);
    assert_true(triggers_parked_read(core_buffer_slice(&out), &back, &error));
    assert_int_equal(back.chain, UINT64_MAX - 1);
    assert_true(core_slice_is(back.task, "task"));
    memset(out.data + length - 4, 0, 8); /* a chain without a number */
    assert_false(triggers_parked_read(core_buffer_slice(&out), &back, &error));
    core_buffer_reset(&out);
    parked.previous = 9; /* itself */
    triggers_parked_write(&parked, &out);
    assert_false(triggers_parked_read(core_buffer_slice(&out), &back, &error));
    core_buffer_fini(&out);
}

static void test_ids_and_keys_differ_where_they_should(void **state) {
    char one[TRIGGERS_WEBHOOK_ID_MAX], two[TRIGGERS_WEBHOOK_ID_MAX];
    triggers_task task = sample();
    unsigned counts[TRIGGERS_PARTITIONS] = {0};
    (void)state;
    triggers_webhook_id(&task, one);
    task.body = core_slice_text("another");
    triggers_webhook_id(&task, two);
    assert_string_equal(one, two);
    assert_int_equal(strlen(one), 36);
    assert_null(strchr(one, '.'));
    task.event_id = core_slice_text("0kq1-17.4");
    triggers_webhook_id(&task, two);
    assert_string_not_equal(one, two);
    /* Where one text ends and the next begins counts. */
    core_slice ab = core_slice_text("ab"), a = core_slice_text("a"), b = core_slice_text("b"),
               none = core_slice_text("");
    assert_true(triggers_key_hash(ab, none, a) != triggers_key_hash(a, b, a));
    assert_true(triggers_key_hash(a, ab, none) != triggers_key_hash(a, a, b));
    /* Logs and subjects know it: SHA-256 as task.c states, its first 64 bits. */
    assert_true(triggers_key_hash(core_slice_text("p"), core_slice_text("t"),
                                  core_slice_text("42")) == UINT64_C(0xb5ecdacd01d4799d));
    for (int i = 0; i < 1600; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "%d", i);
        counts[triggers_key_partition(triggers_key_hash(a, b, core_slice_text(key)))]++;
    }
    for (int i = 0; i < TRIGGERS_PARTITIONS; i++)
        assert_in_range(counts[i], 60, 150);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back_as_it_was),
        cmocka_unit_test(test_a_long_key_is_cut),
        cmocka_unit_test(test_every_cut_and_another_version_is_refused),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_a_parked_one_carries_the_task),
        cmocka_unit_test(test_ids_and_keys_differ_where_they_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
