/* Tasks: the last so many, by number. */
#include "search-index/tasks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void add(search_tasks *tasks, uint64_t uid) {
    const search_task task = {.uid = uid, .status = SEARCH_TASK_ENQUEUED};
    search_tasks_add(tasks, &task);
}

static void test_ring(void **state) {
    (void)state;
    search_tasks *tasks = search_tasks_new(100);
    search_task task;
    assert_false(search_tasks_before(tasks, UINT64_MAX, &task));
    for (uint64_t uid = 1; uid <= 1000; uid++)
        add(tasks, uid * 3);
    assert_false(search_tasks_get(tasks, 3 * 900, &task));
    assert_true(search_tasks_get(tasks, 3 * 901, &task));
    assert_false(search_tasks_get(tasks, 3 * 950 + 1, &task));
    /* Walked back from the newest. */
    uint64_t seen = 0, expected = 3000;
    for (uint64_t at = UINT64_MAX; search_tasks_before(tasks, at, &task); at = task.uid - 1) {
        assert_int_equal(task.uid, expected);
        expected -= 3;
        seen++;
    }
    assert_int_equal(seen, 100);
    search_tasks_free(tasks);
}

static void test_changes(void **state) {
    (void)state;
    search_tasks *tasks = search_tasks_new(100);
    search_task task;
    add(tasks, 5);
    add(tasks, 5); /* read again */
    add(tasks, 4);
    add(tasks, 7);
    assert_true(search_tasks_get(tasks, 7, &task));
    task.status = SEARCH_TASK_SUCCEEDED;
    task.indexed = 9;
    search_tasks_put(tasks, &task);
    task.uid = 8;
    search_tasks_put(tasks, &task); /* there is none: nothing */
    assert_false(search_tasks_get(tasks, 8, &task));
    assert_false(search_tasks_get(tasks, 4, &task));
    assert_true(search_tasks_before(tasks, UINT64_MAX, &task));
    assert_int_equal(task.indexed, 9);
    assert_string_equal(search_task_status_name(task.status), "succeeded");
    search_tasks_free(tasks);
}

static void test_ends(void **state) {
    (void)state;
    search_tasks *tasks = search_tasks_new(100);
    search_task task;
    add(tasks, 5);
    add(tasks, 6);
    search_tasks_succeed(tasks, 5, SEARCH_TASK_PROCESSING, 1); /* it is enqueued: nothing */
    assert_true(search_tasks_get(tasks, 5, &task));
    assert_int_equal(task.status, SEARCH_TASK_ENQUEUED);
    search_tasks_fail(tasks, 5, SEARCH_TASK_ENQUEUED, 2, "internal", "no room");
    search_tasks_succeed(tasks, 5, SEARCH_TASK_ENQUEUED, 3); /* it has ended already */
    search_tasks_succeed(tasks, 6, SEARCH_TASK_ENQUEUED, 4);
    assert_true(search_tasks_get(tasks, 5, &task));
    assert_int_equal(task.status, SEARCH_TASK_FAILED);
    assert_int_equal(task.finished_us, 2);
    assert_string_equal(task.code, "internal");
    assert_string_equal(task.message, "no room");
    assert_true(search_tasks_get(tasks, 6, &task));
    assert_int_equal(task.status, SEARCH_TASK_SUCCEEDED);
    assert_int_equal(task.finished_us, 4);
    search_tasks_free(tasks);
}

static void test_what_ended_is_given_to_be_kept(void **state) {
    (void)state;
    search_tasks *tasks = search_tasks_new(4);
    search_task task, out[4];
    for (uint64_t uid = 1; uid <= 3; uid++)
        add(tasks, uid);
    assert_int_equal(search_tasks_unkept(tasks, out, 4), 0);
    search_tasks_succeed(tasks, 1, SEARCH_TASK_ENQUEUED, 5);
    assert_true(search_tasks_get(tasks, 3, &task));
    task.finished_us = 6;
    search_tasks_put(tasks, &task);
    assert_int_equal(search_tasks_unkept(tasks, out, 1), 1);
    assert_int_equal(out[0].uid, 3);
    assert_int_equal(search_tasks_unkept(tasks, out, 4), 1);
    assert_int_equal(out[0].uid, 1);
    assert_int_equal(search_tasks_unkept(tasks, out, 4), 0);
    search_tasks_put(tasks, &task); /* it could not be kept */
    for (uint64_t uid = 4; uid <= 8; uid++)
        add(tasks, uid); /* and is forgotten before it is given again */
    assert_int_equal(search_tasks_unkept(tasks, out, 4), 0);
    search_tasks_free(tasks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_what_ended_is_given_to_be_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
