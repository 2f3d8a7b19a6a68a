/* The delay of confirmations: never early, late by a little at the most, never back. */
#include "cdc/confirm_delay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LAG_MS = 120000, STEPS = 20000 };

static void without_a_lag_all_goes_at_once(void **state) {
    (void)state;
    cdc_confirm_delay delay;
    cdc_confirm_delay_init(&delay, 0, 10);
    assert_int_equal(cdc_confirm_delay_put(&delay, 5, 1), 10);
    assert_int_equal(cdc_confirm_delay_put(&delay, 11, 1), 11);
    assert_true(cdc_confirm_delay_next_ms(&delay) == INT64_MAX);
}

static void a_position_waits_for_its_time(void **state) {
    (void)state;
    cdc_confirm_delay delay;
    cdc_confirm_delay_init(&delay, LAG_MS, 10);
    assert_int_equal(cdc_confirm_delay_put(&delay, 100, 1000), 10);
    assert_int_equal(cdc_confirm_delay_next_ms(&delay), 1000 + LAG_MS);
    assert_int_equal(cdc_confirm_delay_put(&delay, 100, 999 + LAG_MS), 10);
    assert_int_equal(cdc_confirm_delay_put(&delay, 100, 1000 + LAG_MS), 100);
    assert_true(cdc_confirm_delay_next_ms(&delay) == INT64_MAX);
}

/* A burst that ends between two samples is let go all the same, a step late at the most. */
static void the_last_position_is_not_forgotten(void **state) {
    (void)state;
    cdc_confirm_delay delay;
    cdc_confirm_delay_init(&delay, LAG_MS, 0);
    (void)cdc_confirm_delay_put(&delay, 100, 1000);
    (void)cdc_confirm_delay_put(&delay, 200, 1001); /* too soon for a sample of its own */
    int64_t now_ms = 1000 + LAG_MS;
    assert_int_equal(cdc_confirm_delay_put(&delay, 200, now_ms), 100);
    assert_int_equal(cdc_confirm_delay_put(&delay, 200, now_ms + LAG_MS), 200);
}

/* Random histories against the exact answer, kept whole. */
static void never_early_and_never_much_too_late(void **state) {
    (void)state;
    static core_lsn stored[STEPS];
    static int64_t at_ms[STEPS];
    cdc_confirm_delay delay;
    uint64_t random = 7;
    core_lsn lsn = 1;
    int64_t now_ms = 0;
    cdc_confirm_delay_init(&delay, LAG_MS, 1);
    for (size_t i = 0, early = 0, late = 0; i < STEPS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        now_ms += (int64_t)(random >> 40) % 1000;
        lsn += (random >> 33) % 50;
        stored[i] = lsn;
        at_ms[i] = now_ms;
        core_lsn confirmed = cdc_confirm_delay_put(&delay, lsn, now_ms);
        while (now_ms - at_ms[early] >= LAG_MS)
            early++; /* the first that may not be confirmed yet */
        while (now_ms - at_ms[late] >= LAG_MS + LAG_MS / 32 + 2000)
            late++; /* the first that may still wait */
        assert_true(confirmed <= (early > 0 ? stored[early - 1] : 1));
        assert_true(confirmed >= (late > 0 ? stored[late - 1] : 1));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_lag_all_goes_at_once),
        cmocka_unit_test(a_position_waits_for_its_time),
        cmocka_unit_test(the_last_position_is_not_forgotten),
        cmocka_unit_test(never_early_and_never_much_too_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
