/* When changes flow, and how long a snapshot rests for them. */
#include "cdc/snapshot_flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t second_us = CDC_FLOW_WINDOW_US;

static void a_change_now_and_then_is_no_flow(void **state) {
    cdc_snapshot_flow flow = {0};
    (void)state;
    for (int64_t i = 1; i < 200; i++)
        assert_false(
            cdc_snapshot_flow_count(&flow, 1, i * second_us / (CDC_FLOW_TRANSACTIONS - 1)));
}

static void they_flow_at_once(void **state) {
    cdc_snapshot_flow flow = {0};
    (void)state;
    for (int64_t i = 1; i < CDC_FLOW_TRANSACTIONS; i++)
        assert_false(cdc_snapshot_flow_count(&flow, 1, i));
    assert_true(cdc_snapshot_flow_count(&flow, 1, CDC_FLOW_TRANSACTIONS));
    assert_true(cdc_snapshot_flow_count(&flow, 0, CDC_FLOW_TRANSACTIONS + 1));
}

static void and_on_through_the_windows(void **state) {
    cdc_snapshot_flow flow = {0};
    (void)state;
    assert_true(cdc_snapshot_flow_count(&flow, 50, 1));
    for (int64_t i = 1; i < 300; i++)
        assert_true(
            cdc_snapshot_flow_count(&flow, 1, 1 + i * second_us / (2 * CDC_FLOW_TRANSACTIONS)));
}

static void until_a_whole_window_had_too_few(void **state) {
    cdc_snapshot_flow flow = {0};
    (void)state;
    assert_true(cdc_snapshot_flow_count(&flow, 50, 1));
    assert_true(cdc_snapshot_flow_count(&flow, 3, 1 + second_us));
    assert_false(cdc_snapshot_flow_count(&flow, 3, 1 + 2 * second_us));
    assert_true(cdc_snapshot_flow_count(&flow, 50, 2 + 2 * second_us));
    assert_false(cdc_snapshot_flow_count(&flow, 0, 2 + 9 * second_us));
}

static void work_is_its_share_of_the_time(void **state) {
    (void)state;
    assert_int_equal(cdc_snapshot_flow_rest_ms(10, 5), 190);
    assert_int_equal(cdc_snapshot_flow_rest_ms(10, 50), 10);
    assert_int_equal(cdc_snapshot_flow_rest_ms(10, 100), 0);
    assert_int_equal(cdc_snapshot_flow_rest_ms(0, 50), 1);
}

static void rows_go_out_evenly(void **state) {
    (void)state;
    assert_int_equal(cdc_snapshot_flow_send_ms(CDC_FLOW_SEND_RATE), CORE_MS_PER_S);
    assert_in_range(cdc_snapshot_flow_send_ms(CDC_FLOW_RUN_BYTES), 1, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_now_and_then_is_no_flow),
        cmocka_unit_test(they_flow_at_once),
        cmocka_unit_test(and_on_through_the_windows),
        cmocka_unit_test(until_a_whole_window_had_too_few),
        cmocka_unit_test(work_is_its_share_of_the_time),
        cmocka_unit_test(rows_go_out_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
