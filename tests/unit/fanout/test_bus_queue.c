/* The bus's queue: in order, bounded by number and bytes, closed once and for all. */
#include "fanout/bus_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool put(fanout_bus_queue *queue, size_t length, core_error *error) {
    static const uint8_t filler[64];
    return fanout_bus_queue_put(queue, "a.b", core_slice_make(filler, length), error);
}

static void items_free(fanout_bus_item *item, size_t expected) {
    size_t count = 0;
    for (fanout_bus_item *next; item != NULL; item = next, count++) {
        next = item->next;
        assert_string_equal(item->subject, "a.b");
        free(item);
    }
    assert_int_equal(count, expected);
}

static void test_what_is_put_comes_out_in_order(void **state) {
    fanout_bus_queue queue;
    core_error error = {0};
    (void)state;
    fanout_bus_queue_init(&queue, 8, 1024);
    for (uint8_t n = 0; n < 3; n++)
        assert_true(fanout_bus_queue_put(&queue, "a.b", core_slice_make(&n, 1), &error));
    fanout_bus_item *items = fanout_bus_queue_take(&queue);
    uint8_t n = 0;
    for (fanout_bus_item *item = items; item != NULL; item = item->next)
        assert_int_equal(item->payload[0], n++);
    items_free(items, 3);
    fanout_bus_queue_fini(&queue);
}

static void test_it_is_full_by_number_and_by_bytes(void **state) {
    fanout_bus_queue queue;
    core_error error = {0};
    (void)state;
    fanout_bus_queue_init(&queue, 3, 100);
    assert_true(put(&queue, 64, &error));
    assert_false(put(&queue, 37, &error));
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_true(put(&queue, 36, &error) && put(&queue, 0, &error));
    assert_false(put(&queue, 0, &error));
    items_free(fanout_bus_queue_take(&queue), 3);
    assert_true(put(&queue, 64, &error)); /* room again */
    fanout_bus_queue_fini(&queue);        /* what is left is freed */
}

static void test_closed_it_gives_the_rest_and_ends(void **state) {
    fanout_bus_queue queue;
    core_error error = {0};
    (void)state;
    fanout_bus_queue_init(&queue, 3, 100);
    assert_true(put(&queue, 1, &error));
    fanout_bus_queue_close(&queue);
    assert_false(put(&queue, 1, &error));
    items_free(fanout_bus_queue_take(&queue), 1);
    assert_null(fanout_bus_queue_take(&queue));
    fanout_bus_queue_fini(&queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_comes_out_in_order),
        cmocka_unit_test(test_it_is_full_by_number_and_by_bytes),
        cmocka_unit_test(test_closed_it_gives_the_rest_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
