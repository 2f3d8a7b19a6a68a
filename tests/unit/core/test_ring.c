/* The ring: order kept, fullness told, and no wake-up lost between two threads. */
#include "core/core.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define STRESS_ITEMS 200000u
#define LOST_WAKE_MS 20000 /* far beyond what a busy machine delays a wake-up */
#define SOON_MS      0

static bool is_readable(const core_ring *ring, int timeout_ms) {
    struct pollfd entry = {.fd = core_ring_wake_fd(ring), .events = POLLIN};
    return poll(&entry, 1, timeout_ms) == 1;
}

static void items_come_out_in_order(void **state) {
    (void)state;
    core_ring *ring = core_ring_new(8, sizeof(uint32_t), NULL);
    uint32_t in = 0, out = 0, item;
    for (int round = 0; round < 1000; round++) {
        while (core_ring_push(ring, &in))
            in++;
        assert_int_equal(core_ring_length(ring), core_ring_capacity(ring));
        for (int taken = 0; taken <= round % 8; taken++) {
            assert_true(core_ring_pop(ring, &item));
            assert_int_equal(item, out++);
        }
    }
    while (core_ring_pop(ring, &item))
        assert_int_equal(item, out++);
    assert_int_equal(in, out);
    assert_int_equal(core_ring_length(ring), 0);
    core_ring_free(ring);
}

static void capacity_is_rounded_up_and_bounded(void **state) {
    (void)state;
    core_error error;
    core_ring *ring = core_ring_new(100, 16, &error);
    assert_int_equal(core_ring_capacity(ring), 128);
    core_ring_free(ring);
    ring = core_ring_new(0, 16, &error);
    assert_int_equal(core_ring_capacity(ring), 2);
    core_ring_free(ring);
    assert_null(core_ring_new(SIZE_MAX, 16, &error));
    assert_int_equal(error.code, CORE_ERROR_INTERNAL);
    core_ring_free(NULL);
}

static void only_a_sleeper_is_woken_and_once(void **state) {
    (void)state;
    core_ring *ring = core_ring_new(8, sizeof(int), NULL);
    int item = 1;
    assert_true(core_ring_push(ring, &item));
    assert_false(is_readable(ring, SOON_MS));
    assert_false(core_ring_sleep(ring)); /* there is an item: do not wait */
    assert_true(core_ring_pop(ring, &item));
    assert_true(core_ring_sleep(ring));
    assert_true(core_ring_push(ring, &item));
    assert_true(is_readable(ring, SOON_MS));
    core_ring_wake_clear(ring);
    assert_false(is_readable(ring, SOON_MS));
    assert_true(core_ring_push(ring, &item)); /* awake: no system call */
    assert_false(is_readable(ring, SOON_MS));
    core_ring_free(ring);
}

static void anybody_may_wake(void **state) {
    (void)state;
    core_ring *ring = core_ring_new(8, sizeof(int), NULL);
    core_ring_wake(ring);
    core_ring_wake(ring);
    assert_true(is_readable(ring, SOON_MS));
    core_ring_wake_clear(ring);
    assert_false(is_readable(ring, SOON_MS));
    core_ring_free(ring);
}

typedef struct {
    uint64_t number;
    uint64_t check;
} stress_item;

static void *stress_produce(void *context) {
    core_ring *ring = context;
    for (uint64_t number = 0; number < STRESS_ITEMS; number++) {
        stress_item item = {number, ~number};
        while (!core_ring_push(ring, &item))
            (void)sched_yield();
        if (number % 64 == 0)
            (void)sched_yield(); /* lets the consumer fall asleep, again and again */
    }
    return NULL;
}

/* The consumer waits for nothing but its wake-up: one that is lost ends the test by its time-out.
 */
static void two_threads_lose_nothing(void **state) {
    (void)state;
    core_ring *ring = core_ring_new(256, sizeof(stress_item), NULL);
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, stress_produce, ring), 0);
    uint64_t expected = 0, sleeps = 0;
    while (expected < STRESS_ITEMS) {
        stress_item item;
        if (core_ring_pop(ring, &item)) {
            assert_true(item.number == expected && item.check == ~expected);
            expected++;
        } else if (core_ring_sleep(ring)) {
            sleeps++;
            assert_true(is_readable(ring, LOST_WAKE_MS));
            core_ring_wake_clear(ring);
        }
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_true(sleeps > 0);
    assert_int_equal(core_ring_length(ring), 0);
    core_ring_free(ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order),
        cmocka_unit_test(capacity_is_rounded_up_and_bounded),
        cmocka_unit_test(only_a_sleeper_is_woken_and_once),
        cmocka_unit_test(anybody_may_wake),
        cmocka_unit_test(two_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
