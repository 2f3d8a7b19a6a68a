/* The inbox between a consumer's thread and its reader: order, the wake-up, the close, and one that
 * found no memory, behind which nothing may be taken before it has come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

typedef struct {
    triggers_inbox *inbox;
    int wake_fd;
} desk;

static void desk_open(desk *d) {
    core_error error;
    d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    d->inbox = triggers_inbox_new(4, 1 << 20, d->wake_fd, &error);
    assert_non_null(d->inbox);
}

static void desk_close(desk *d) {
    triggers_inbox_free(d->inbox);
    (void)close(d->wake_fd);
}

static bool put(desk *d, uint64_t sequence) {
    return triggers_inbox_put(d->inbox, sequence, core_slice_text("task"));
}

/* 0: there is none. */
static uint64_t take(desk *d) {
    uint64_t sequence = 0;
    core_block *task = triggers_inbox_take(d->inbox, &sequence);
    if (task == NULL)
        return 0;
    assert_true(core_slice_is(core_block_slice(task), "task"));
    core_block_release(task);
    return sequence;
}

static void test_tasks_come_in_order_and_wake_the_reader(void **state) {
    desk d;
    uint64_t woken;
    (void)state;
    desk_open(&d);
    assert_true(put(&d, 3) && put(&d, 7) && put(&d, 8));
    assert_int_equal(read(d.wake_fd, &woken, sizeof woken), sizeof woken);
    assert_int_equal(take(&d), 3);
    assert_true(put(&d, 9) && put(&d, 12)); /* round its end */
    assert_int_equal(triggers_inbox_last(d.inbox), 12);
    for (uint64_t next = 7; next <= 9; next++)
        assert_int_equal(take(&d), next);
    assert_int_equal(take(&d), 12);
    assert_int_equal(take(&d), 0);
    desk_close(&d);
}

static void test_nothing_is_taken_once_it_is_closed(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    for (uint64_t i = 1; i <= 4; i++)
        assert_true(put(&d, i));
    triggers_inbox_close(d.inbox);
    assert_false(put(&d, 5)); /* and does not wait for room */
    assert_int_equal(take(&d), 1);
    desk_close(&d);
}

#ifndef __SANITIZE_ADDRESS__ /* which ends the process where memory is out */
static void test_nothing_is_taken_behind_one_that_found_no_memory(void **state) {
    desk d;
    (void)state;
    desk_open(&d);
    assert_true(put(&d, 1));
    assert_false(triggers_inbox_put(d.inbox, 2, core_slice_make("task", SIZE_MAX / 4)));
    assert_false(put(&d, 3));
    assert_int_equal(triggers_inbox_last(d.inbox), 1);
    assert_true(put(&d, 2) && put(&d, 3));
    for (uint64_t next = 1; next <= 3; next++)
        assert_int_equal(take(&d), next);
    desk_close(&d);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_come_in_order_and_wake_the_reader),
        cmocka_unit_test(test_nothing_is_taken_once_it_is_closed),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_nothing_is_taken_behind_one_that_found_no_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
