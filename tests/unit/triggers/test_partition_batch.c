/* Batches of a partition, and what bounds them: their size, their bytes, and what is told of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/batch.h"

#include "partition_desk.h"

enum { WINDOW = 600, SIZE_MOST = 250, WIDE = 1 << 20, PAYLOAD_MAX = 1 << 20 };

static triggers_task attempted(const desk *d, size_t at) {
    const triggers_attempt *attempt = &d->attempts[at];
    triggers_task task;
    core_error error = {0};
    assert_true(at < d->attempt_count);
    assert_true(triggers_task_read(core_slice_make(attempt->task->bytes + attempt->offset,
                                                   attempt->task->length - attempt->offset),
                                   &task, &error));
    return task;
}

static size_t ids_of(const triggers_task *task) {
    core_cursor cursor = core_cursor_make(task->batch);
    core_slice id;
    size_t count = 0;
    while (triggers_batch_next(&cursor, &id))
        count++;
    assert_true(core_cursor_done(&cursor));
    return count > 0 ? count : 1;
}

/* The attempts from `from` on, each delivered, have `count` tasks together. */
static void deliver_all(desk *d, size_t from, size_t count, size_t most, size_t body_max) {
    size_t seen = 0;
    for (size_t at = from; at < d->attempt_count; at++) {
        triggers_task task = attempted(d, at);
        size_t ids = ids_of(&task);
        assert_in_range(ids, 1, most);
        assert_in_range(task.body.length, 1, body_max);
        seen += ids;
        good(d, d->attempts[at].sequence);
    }
    assert_int_equal(seen, count);
}

static void test_size(void **state) {
    desk d;
    (void)state;
    desk_open_batches(&d, WINDOW, 5, WIDE);
    for (uint64_t i = 1; i <= 12; i++)
        feed(&d, i, "a");
    assert_int_equal(under_way(&d, 5), 1); /* at once, of the first five */
    good(&d, 5);
    assert_int_equal(d.attempt_count, 2);
    good(&d, 10);
    assert_int_equal(d.attempt_count, 2); /* two wait for others */
    assert_in_range(wait_ms(&d, 0), 1, BATCH_MS);
    wait_ms(&d, BATCH_MS);
    assert_int_equal(d.attempt_count, 3);
    triggers_task last = attempted(&d, 2);
    assert_int_equal(ids_of(&last), 2);
    good(&d, 12);
    assert_int_equal(triggers_partition_watermark(d.partition), 12);
    desk_close(&d);
}

/* What a batch was gathered for is no waiting in line, after which tasks are put aside. */
static void test_long_wait(void **state) {
    desk d;
    (void)state;
    desk_open_batches(&d, WINDOW, 5, WIDE);
    d.batch_ms = 60000;
    for (uint64_t i = 1; i <= 3; i++)
        feed(&d, i, "a");
    for (int64_t waited_ms = 0; waited_ms < d.batch_ms; waited_ms += BATCH_MS) {
        assert_int_equal(d.attempt_count, 0);
        wait_ms(&d, BATCH_MS);
    }
    wait_ms(&d, 1);
    assert_int_equal(d.attempt_count, 1);
    triggers_task task = attempted(&d, 0);
    assert_int_equal(ids_of(&task), 3);
    assert_int_equal(triggers_partition_look(d.partition).held_tasks, 0);
    for (uint64_t i = 4; i <= 5; i++)
        feed(&d, i, "a");
    wait_ms(&d, 2000); /* an attempt that takes a while is no reason to park what has not waited */
    good(&d, 3);
    wait_ms(&d, d.batch_ms + 1);
    triggers_task rest = attempted(&d, 1);
    assert_int_equal(ids_of(&rest), 2);
    good(&d, 5);
    assert_int_equal(d.park_count, 0);
    assert_int_equal(triggers_partition_watermark(d.partition), 5);
    desk_close(&d);
}

static void test_without_batches_each_goes_at_once(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    for (uint64_t i = 1; i <= 3; i++)
        feed(&d, i, "a");
    deliver_all(&d, 0, 3, 1, strlen("{}"));
    desk_close(&d);
}

static void test_bytes(void **state) {
    enum { BODIES_MAX = 100, COUNT = 60 };
    desk d;
    (void)state;
    desk_open_batches(&d, WINDOW, SIZE_MOST, BODIES_MAX);
    for (uint64_t i = 1; i <= COUNT; i++)
        feed(&d, i, "a");
    wait_ms(&d, BATCH_MS);
    triggers_task first = attempted(&d, 0);
    assert_in_range(ids_of(&first), 2, COUNT - 1);
    deliver_all(&d, 0, COUNT, COUNT - 1, BODIES_MAX);
    desk_close(&d);
}

/* What is told of a batch, and of those beside it, fits into a message of the broker, however long
 * its keys: so fewer tasks go along, and no more than some batches at once. */
static void test_what_is_told(void **state) {
    enum { EACH = 200, WHOLE_ONES = 3 };
    desk d;
    char key[TRIGGERS_KEY_MAX];
    (void)state;
    desk_open_batches(&d, WINDOW, SIZE_MOST, WIDE);
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    for (uint64_t i = 0; i < WHOLE_ONES * EACH - 1; i++) {
        key[0] = (char)('a' + i % WHOLE_ONES);
        feed(&d, i + 1, key);
    }
    wait_ms(&d, BATCH_MS);
    size_t begun = d.attempt_count;
    triggers_task first = attempted(&d, 0);
    assert_in_range(ids_of(&first), EACH / 2, EACH - 1);
    assert_in_range(begun, 1, WHOLE_ONES - 1);
    for (size_t at = 0; at < begun; at++)
        bad(&d, d.attempts[at].sequence); /* failed, and parked: each of each */
    for (size_t at = begun, waits = 0; waits < 10; at++) {
        for (; at == d.attempt_count && waits < 10; waits++)
            wait_ms(&d, 5000);
        if (at < d.attempt_count)
            good(&d, d.attempts[at].sequence);
    }
    for (size_t i = 0; i < d.record_count; i++)
        assert_in_range(d.records[i]->length, 1, PAYLOAD_MAX / 2);
    triggers_partition_stats stats = triggers_partition_look(d.partition);
    assert_int_equal(stats.tasks + stats.parked_tasks, 0);
    assert_int_equal(triggers_partition_watermark(d.partition), WHOLE_ONES * EACH - 1);
    desk_close(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_long_wait),
        cmocka_unit_test(test_without_batches_each_goes_at_once),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_what_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
