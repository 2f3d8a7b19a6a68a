/* Pacing: no wait when idle, a short one while an ack is awaited, naps only at a high rate. */
#include "cdc/pacing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LONG_US INT64_C(1000000)

static cdc_pacing pacing_at(int64_t now_us) {
    cdc_pacing pacing;
    cdc_pacing_init(&pacing, now_us);
    return pacing;
}

static void an_idle_system_publishes_at_once(void **state) {
    (void)state;
    cdc_pacing pacing = pacing_at(5000);
    assert_true(cdc_pacing_publish(&pacing, true, 5000));
    cdc_pacing_rest(&pacing);
    assert_int_equal(cdc_pacing_sleep_us(&pacing, LONG_US, 5000), LONG_US);
}

static void a_run_lingers_while_an_ack_is_awaited(void **state) {
    (void)state;
    cdc_pacing pacing = pacing_at(5000);
    assert_false(cdc_pacing_publish(&pacing, false, 5000));
    assert_int_equal(cdc_pacing_sleep_us(&pacing, LONG_US, 5400), CDC_LINGER_US - 400);
    assert_false(cdc_pacing_publish(&pacing, false, 5000 + CDC_LINGER_US - 1));
    assert_true(cdc_pacing_publish(&pacing, false, 5000 + CDC_LINGER_US));
    cdc_pacing_rest(&pacing);
    /* The next run's time counts from its own beginning. */
    assert_false(cdc_pacing_publish(&pacing, false, 9000));
    assert_true(cdc_pacing_publish(&pacing, true, 9001)); /* the ack came */
}

static void a_high_rate_naps_and_a_low_one_does_not(void **state) {
    (void)state;
    cdc_pacing pacing = pacing_at(0);
    int64_t now_us = 0;
    for (int i = 0; i < 100; i++)
        cdc_pacing_count(&pacing, 3, now_us += 1000); /* 1,000 transactions a second */
    assert_false(pacing.busy);
    for (int i = 0; i < 100; i++)
        cdc_pacing_count(&pacing, CDC_BUSY_PER_MS, now_us += 500);
    assert_true(pacing.busy);
    assert_int_equal(cdc_pacing_sleep_us(&pacing, LONG_US, now_us), CDC_NAP_US);
    assert_int_equal(cdc_pacing_sleep_us(&pacing, 7, now_us), 7);
    cdc_pacing_count(&pacing, 0, now_us += 10000);
    assert_false(pacing.busy);
}

static void a_burst_within_the_measure_changes_nothing_yet(void **state) {
    (void)state;
    cdc_pacing pacing = pacing_at(0);
    cdc_pacing_count(&pacing, 100000, CDC_PACE_MEASURE_US - 1);
    assert_false(pacing.busy);
    cdc_pacing_count(&pacing, 0, CDC_PACE_MEASURE_US);
    assert_true(pacing.busy);
}

static void a_sleep_is_never_negative(void **state) {
    (void)state;
    cdc_pacing pacing = pacing_at(5000);
    assert_false(cdc_pacing_publish(&pacing, false, 5000));
    assert_int_equal(cdc_pacing_sleep_us(&pacing, LONG_US, 5000 + 10 * CDC_LINGER_US), 0);
    assert_int_equal(cdc_pacing_sleep_us(&pacing, -3, 5000), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_system_publishes_at_once),
        cmocka_unit_test(a_run_lingers_while_an_ack_is_awaited),
        cmocka_unit_test(a_high_rate_naps_and_a_low_one_does_not),
        cmocka_unit_test(a_burst_within_the_measure_changes_nothing_yet),
        cmocka_unit_test(a_sleep_is_never_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
