/* Several tasks made one: what goes along, what the whole holds, and its id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/batch.h"

#include <string.h>

enum { WIDE = 1024 };

static triggers_task task_of(const char *event_id, const char *body) {
    return (triggers_task){.project = core_slice_text("p"),
                           .trigger = core_slice_text("t"),
                           .event_id = core_slice_text(event_id),
                           .key_hash = 7,
                           .key = core_slice_text("k"),
                           .depth = 1,
                           .body = core_slice_text(body)};
}

static void test_the_whole_holds_all(void **state) {
    triggers_task tasks[] = {task_of("1-1.0", "{\"a\":1}"), task_of("1-2.0", "{\"a\":2}"),
                             task_of("1-3.0", "{\"a\":3}")};
    triggers_task read;
    core_error error;
    core_slice id;
    char whole[TRIGGERS_WEBHOOK_ID_MAX], again[TRIGGERS_WEBHOOK_ID_MAX];
    (void)state;
    tasks[1].depth = 5;
    assert_int_equal(triggers_batch_count(tasks, 3, WIDE), 3);
    core_block *block = triggers_batch_write(tasks, 3);
    assert_non_null(block);
    assert_true(triggers_task_read(core_block_slice(block), &read, &error));
    assert_true(core_slice_is(read.body, "[{\"a\":1},{\"a\":2},{\"a\":3}]"));
    assert_true(core_slice_is(read.event_id, "1-1.0..1-3.0"));
    assert_int_equal(read.depth, 5);
    assert_int_equal(read.key_hash, 7);
    core_cursor cursor = core_cursor_make(read.batch);
    for (size_t i = 0; i < 3; i++) {
        assert_true(triggers_batch_next(&cursor, &id));
        assert_true(core_slice_equal(id, tasks[i].event_id));
    }
    assert_false(triggers_batch_next(&cursor, &id));
    assert_true(core_cursor_done(&cursor));
    triggers_webhook_id(&read, whole);
    core_block *other = triggers_batch_write(tasks, 2);
    assert_true(triggers_task_read(core_block_slice(other), &read, &error));
    triggers_webhook_id(&read, again);
    assert_string_not_equal(whole, again);
    core_block_release(other);
    core_block_release(block);
}

static void test_what_goes_alone(void **state) {
    char text[TRIGGERS_EVENT_ID_MAX];
    triggers_task tasks[] = {task_of("1", "{}"), task_of("2", "{}"), task_of("3", "{}")};
    (void)state;
    tasks[2].depth = TRIGGERS_DEPTH_MAX + 1;
    assert_int_equal(triggers_batch_count(tasks, 3, WIDE), 2);
    assert_int_equal(triggers_batch_count(tasks + 2, 1, WIDE), 1);
    tasks[2] = task_of("3..4", "[{},{}]");
    tasks[2].batch = core_slice_text("ids");
    assert_int_equal(triggers_batch_count(tasks, 3, WIDE), 2);
    assert_int_equal(triggers_batch_count(tasks + 2, 1, WIDE), 1);
    memset(text, 'e', sizeof text);
    tasks[1].event_id = core_slice_make(text, sizeof text - 2);
    assert_int_equal(triggers_batch_count(tasks, 2, WIDE), 1);
}

static void test_the_body_is_bounded(void **state) {
    const triggers_task tasks[] = {task_of("1", "{}"), task_of("2", "{}"), task_of("3", "{}")};
    size_t all = triggers_batch_count(tasks, 3, WIDE), max = 0;
    (void)state;
    assert_int_equal(all, 3);
    while (triggers_batch_count(tasks, 3, max) < all)
        max++;
    assert_int_equal(triggers_batch_count(tasks, 3, max - 1), 2);
    assert_int_equal(triggers_batch_count(tasks, 3, 0), 1); /* the first is never too long */
    assert_true(max >= strlen("[{},{},{}]"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_whole_holds_all),
                                       cmocka_unit_test(test_what_goes_alone),
                                       cmocka_unit_test(test_the_body_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
