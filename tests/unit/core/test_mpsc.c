/* The queue of many producers: each one's order kept, fullness told, nothing lost or doubled, and
 * no wake-up lost. */
#include "core/core.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PRODUCERS    4u
#define STRESS_ITEMS 50000u
#define LOST_WAKE_MS 20000 /* far beyond what a busy machine delays a wake-up */

typedef struct {
    uint32_t producer, number;
} item;

static bool put(core_mpsc *queue, item value) {
    size_t ticket;
    item *slot = core_mpsc_claim(queue, &ticket);
    if (slot == NULL)
        return false;
    *slot = value;
    core_mpsc_commit(queue, ticket);
    return true;
}

static void slots_come_out_in_order_and_fullness_is_told(void **state) {
    (void)state;
    core_mpsc *queue = core_mpsc_new(6, sizeof(item), NULL);
    uint32_t in = 0, out = 0;
    for (int round = 0; round < 500; round++) {
        while (put(queue, (item){0, in}))
            in++;
        assert_int_equal(core_mpsc_length(queue), 8);
        assert_null(core_mpsc_peek(queue, 8));
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(((const item *)core_mpsc_peek(queue, i))->number, out + i);
        size_t some = (size_t)round % 8 + 1;
        core_mpsc_release(queue, some);
        out += (uint32_t)some;
    }
    core_mpsc_free(queue);
    core_mpsc_free(NULL);
}

static void what_is_not_committed_holds_what_is_behind_it(void **state) {
    (void)state;
    core_mpsc *queue = core_mpsc_new(4, sizeof(item), NULL);
    size_t first, second;
    assert_non_null(core_mpsc_claim(queue, &first));
    assert_non_null(core_mpsc_claim(queue, &second));
    core_mpsc_commit(queue, second);
    assert_null(core_mpsc_peek(queue, 0));
    assert_non_null(core_mpsc_peek(queue, 1));
    core_mpsc_commit(queue, first);
    assert_non_null(core_mpsc_peek(queue, 0));
    core_mpsc_free(queue);
}

static bool is_readable(const core_mpsc *queue, int timeout_ms) {
    struct pollfd entry = {.fd = core_mpsc_wake_fd(queue), .events = POLLIN};
    return poll(&entry, 1, timeout_ms) == 1;
}

static void only_a_sleeper_is_woken_and_once(void **state) {
    (void)state;
    core_mpsc *queue = core_mpsc_new(4, sizeof(item), NULL);
    assert_true(put(queue, (item){0, 1}));
    assert_false(is_readable(queue, 0));
    assert_false(core_mpsc_sleep(queue));
    core_mpsc_release(queue, 1);
    assert_true(core_mpsc_sleep(queue));
    assert_true(put(queue, (item){0, 2}));
    assert_true(is_readable(queue, 0));
    core_mpsc_wake_clear(queue);
    assert_true(put(queue, (item){0, 3}));
    assert_false(is_readable(queue, 0));
    core_mpsc_wake(queue);
    assert_true(is_readable(queue, 0));
    core_mpsc_free(queue);
}

typedef struct {
    core_mpsc *queue;
    uint32_t number;
} producer;

static void *produce(void *argument) {
    producer *it = argument;
    for (uint32_t i = 0; i < STRESS_ITEMS; i++)
        while (!put(it->queue, (item){it->number, i}))
            (void)sched_yield();
    return NULL;
}

static void many_producers_lose_and_double_nothing(void **state) {
    (void)state;
    core_mpsc *queue = core_mpsc_new(256, sizeof(item), NULL);
    pthread_t threads[PRODUCERS];
    producer producers[PRODUCERS];
    uint32_t next[PRODUCERS] = {0};
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (producer){queue, i};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (uint32_t taken = 0; taken < PRODUCERS * STRESS_ITEMS;) {
        const item *slot = core_mpsc_peek(queue, 0);
        if (slot == NULL) {
            if (core_mpsc_sleep(queue)) {
                assert_true(is_readable(queue, LOST_WAKE_MS));
                core_mpsc_wake_clear(queue);
            }
            continue;
        }
        assert_int_equal(slot->number, next[slot->producer]++);
        core_mpsc_release(queue, 1);
        taken++;
    }
    for (uint32_t i = 0; i < PRODUCERS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(core_mpsc_length(queue), 0);
    core_mpsc_free(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_come_out_in_order_and_fullness_is_told),
        cmocka_unit_test(what_is_not_committed_holds_what_is_behind_it),
        cmocka_unit_test(only_a_sleeper_is_woken_and_once),
        cmocka_unit_test(many_producers_lose_and_double_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
