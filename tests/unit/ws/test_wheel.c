/* Deadlines: none early, none lost, none more than a step late. */
#include "ws/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define START_MS 1000000

static void test_fires_in_time(void **state) {
    (void)state;
    ws_wheel wheel;
    ws_wheel_entry entry = {0};
    ws_wheel_init(&wheel, START_MS);
    ws_wheel_arm(&wheel, &entry, START_MS + 1000);
    for (int64_t now = START_MS; now < START_MS + 1000; now += 10)
        assert_null(ws_wheel_expired(&wheel, now));
    assert_ptr_equal(ws_wheel_expired(&wheel, START_MS + 1000 + WS_WHEEL_STEP_MS), &entry);
    assert_null(ws_wheel_expired(&wheel, START_MS + 2000));
    assert_null(entry.next);
}

static void test_moves_and_disarms(void **state) {
    (void)state;
    ws_wheel wheel;
    ws_wheel_entry moved = {0}, gone = {0};
    ws_wheel_init(&wheel, START_MS);
    ws_wheel_arm(&wheel, &moved, START_MS + 500);
    ws_wheel_arm(&wheel, &gone, START_MS + 500);
    ws_wheel_arm(&wheel, &moved, START_MS + 5000);
    ws_wheel_disarm(&gone);
    ws_wheel_disarm(&gone);
    assert_null(ws_wheel_expired(&wheel, START_MS + 4000));
    assert_ptr_equal(ws_wheel_expired(&wheel, START_MS + 6000), &moved);
}

static void test_far_deadlines_travel_round(void **state) {
    (void)state;
    ws_wheel wheel;
    ws_wheel_entry entry = {0};
    int64_t round_ms = (int64_t)WS_WHEEL_SLOTS * WS_WHEEL_STEP_MS;
    ws_wheel_init(&wheel, START_MS);
    ws_wheel_arm(&wheel, &entry, START_MS + 3 * round_ms + 100);
    for (int64_t now = START_MS; now < START_MS + 3 * round_ms + 100; now += 100)
        assert_null(ws_wheel_expired(&wheel, now));
    assert_ptr_equal(ws_wheel_expired(&wheel, START_MS + 3 * round_ms + 100 + WS_WHEEL_STEP_MS),
                     &entry);
}

static void test_a_long_sleep_fires_all(void **state) {
    (void)state;
    ws_wheel wheel;
    ws_wheel_entry entries[500] = {0};
    ws_wheel_init(&wheel, START_MS);
    for (int i = 0; i < 500; i++)
        ws_wheel_arm(&wheel, &entries[i], START_MS + i * 137);
    int fired = 0;
    while (ws_wheel_expired(&wheel, START_MS + 10 * 24 * 3600 * 1000) != NULL)
        fired++;
    assert_int_equal(fired, 500);
}

static void test_the_past_fires_next_and_once(void **state) {
    (void)state;
    ws_wheel wheel;
    ws_wheel_entry entry = {0};
    ws_wheel_init(&wheel, START_MS);
    ws_wheel_arm(&wheel, &entry, START_MS - 5000);
    assert_ptr_equal(ws_wheel_expired(&wheel, START_MS + WS_WHEEL_STEP_MS), &entry);
    ws_wheel_arm(&wheel, &entry, START_MS + WS_WHEEL_STEP_MS + 1);
    assert_null(ws_wheel_expired(&wheel, START_MS + WS_WHEEL_STEP_MS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fires_in_time),
        cmocka_unit_test(test_moves_and_disarms),
        cmocka_unit_test(test_far_deadlines_travel_round),
        cmocka_unit_test(test_a_long_sleep_fires_all),
        cmocka_unit_test(test_the_past_fires_next_and_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
