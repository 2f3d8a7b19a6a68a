/* The tail: holds what fits, tells what it covers, finds what is behind a place. */
#include "ws/hub_tail.h"

#include "ws/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void push(hub_tail *tail, uint64_t sequence, size_t bytes) {
    core_block *block = core_block_new(bytes);
    assert_non_null(block);
    hub_tail_push(tail, block, sequence);
    core_block_release(block);
}

static uint64_t after(const hub_tail *tail, uint64_t position) {
    const hub_tail_entry *entry = hub_tail_after(tail, position);
    return entry != NULL ? entry->sequence : 0;
}

static void test_it_begins_where_it_was_told(void **state) {
    (void)state;
    hub_tail tail;
    hub_tail_init(&tail, 1000);
    hub_tail_reset(&tail, 7);
    assert_false(hub_tail_covers(&tail, 6));
    assert_true(hub_tail_covers(&tail, 7));
    assert_int_equal(after(&tail, 7), 0);
    push(&tail, 9, 10); /* 8 was not for the gateway */
    push(&tail, 12, 10);
    assert_int_equal(after(&tail, 7), 9);
    assert_int_equal(after(&tail, 8), 9);
    assert_int_equal(after(&tail, 9), 12);
    assert_int_equal(after(&tail, 11), 12);
    assert_int_equal(after(&tail, 12), 0);
    hub_tail_fini(&tail);
}

static void test_the_oldest_go_by_bytes(void **state) {
    (void)state;
    hub_tail tail;
    hub_tail_init(&tail, 1000);
    for (uint64_t sequence = 1; sequence <= 5000; sequence++)
        push(&tail, sequence, 100);
    assert_int_equal(tail.count, 10);
    assert_int_equal(tail.bytes, 1000);
    assert_false(hub_tail_covers(&tail, 4989));
    assert_true(hub_tail_covers(&tail, 4990));
    assert_int_equal(after(&tail, 4990), 4991);
    assert_int_equal(after(&tail, 0), 4991);
    hub_tail_fini(&tail);
}

static void test_one_beyond_the_cap_begins_it_anew(void **state) {
    (void)state;
    hub_tail tail;
    hub_tail_init(&tail, 1000);
    push(&tail, 1, 100);
    push(&tail, 2, 1001);
    assert_int_equal(tail.count, 0);
    assert_int_equal(tail.bytes, 0);
    assert_false(hub_tail_covers(&tail, 1));
    assert_true(hub_tail_covers(&tail, 2));
    push(&tail, 3, 1000);
    assert_int_equal(after(&tail, 2), 3);
    hub_tail_fini(&tail);
}

static void test_no_cap_holds_nothing(void **state) {
    (void)state;
    hub_tail tail;
    hub_tail_init(&tail, 0);
    push(&tail, 1, 1);
    assert_int_equal(tail.count, 0);
    assert_true(hub_tail_covers(&tail, 1));
    hub_tail_fini(&tail);
}

static void test_messages_are_counted_too(void **state) {
    (void)state;
    hub_tail tail;
    hub_tail_init(&tail, SIZE_MAX / 2);
    for (uint64_t sequence = 1; sequence <= WS_TAIL_MESSAGES + 10; sequence++)
        push(&tail, sequence, 1);
    assert_int_equal(tail.count, WS_TAIL_MESSAGES);
    assert_int_equal(after(&tail, 0), 11);
    hub_tail_fini(&tail);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_begins_where_it_was_told),
        cmocka_unit_test(test_the_oldest_go_by_bytes),
        cmocka_unit_test(test_one_beyond_the_cap_begins_it_anew),
        cmocka_unit_test(test_no_cap_holds_nothing),
        cmocka_unit_test(test_messages_are_counted_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
