/* When tokens are warned of, suspend and close, over simulated clocks. */
#include "ws/expiry.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NOW  INT64_C(5000)          /* of the monotonic clock */
#define WALL INT64_C(1700000000000) /* of the wall clock, ms */

static const ws_expiry_rule rule = {.warning_ms = 30000, .grace_ms = 300000};

static ws_expiry in_s(int64_t seconds) {
    return ws_expiry_make(WALL / CORE_MS_PER_S + seconds);
}

/* What is due so long after the start, both clocks having gone on. */
static ws_expiry_step at(ws_expiry *expiry, const ws_expiry_rule *by, int64_t ms) {
    return ws_expiry_look(expiry, by, NOW + ms, WALL + ms);
}

static int64_t next(const ws_expiry *expiry, const ws_expiry_rule *by, int64_t ms) {
    return ws_expiry_next_ms(expiry, by, NOW + ms, WALL + ms) - NOW;
}

static void warned_then_suspended_then_closed(void **state) {
    (void)state;
    ws_expiry expiry = in_s(100);
    assert_int_equal(next(&expiry, &rule, 0), 70000);
    assert_int_equal(at(&expiry, &rule, 69999), WS_EXPIRY_NOTHING);
    assert_int_equal(at(&expiry, &rule, 70000), WS_EXPIRY_WARN);
    assert_int_equal(ws_expiry_left_s(&expiry, WALL + 70000), 30);
    assert_int_equal(at(&expiry, &rule, 70001), WS_EXPIRY_NOTHING);
    assert_int_equal(next(&expiry, &rule, 70001), 100000);
    assert_int_equal(at(&expiry, &rule, 99999), WS_EXPIRY_NOTHING);
    assert_int_equal(at(&expiry, &rule, 100500), WS_EXPIRY_SUSPEND); /* a late look */
    assert_true(expiry.suspended && ws_expiry_over(&expiry, WALL));
    assert_int_equal(at(&expiry, &rule, 100501), WS_EXPIRY_NOTHING);
    assert_int_equal(next(&expiry, &rule, 100501), 400500); /* the grace is whole */
    assert_int_equal(at(&expiry, &rule, 400499), WS_EXPIRY_NOTHING);
    assert_int_equal(at(&expiry, &rule, 400500), WS_EXPIRY_CLOSE);
    assert_int_equal(at(&expiry, &rule, 400501), WS_EXPIRY_CLOSE);
    assert_int_equal(ws_expiry_left_s(&expiry, WALL), 0);
}

static void a_short_life_is_warned_of_at_once(void **state) {
    (void)state;
    ws_expiry expiry = in_s(5);
    assert_int_equal(next(&expiry, &rule, 0), 0);
    assert_int_equal(at(&expiry, &rule, 0), WS_EXPIRY_WARN);
    assert_int_equal(next(&expiry, &rule, 0), 5000);
}

static void without_warning_or_grace(void **state) {
    (void)state;
    const ws_expiry_rule none = {.warning_ms = 0, .grace_ms = 0};
    ws_expiry expiry = in_s(5);
    assert_int_equal(next(&expiry, &none, 0), 5000);
    assert_int_equal(at(&expiry, &none, 4999), WS_EXPIRY_NOTHING);
    assert_int_equal(at(&expiry, &none, 5000), WS_EXPIRY_CLOSE);
    assert_false(expiry.suspended);
    ws_expiry over = in_s(-5); /* it had expired already */
    assert_int_equal(at(&over, &rule, 0), WS_EXPIRY_SUSPEND);
    assert_false(over.warned);
}

static void a_wall_clock_that_is_set(void **state) {
    (void)state;
    ws_expiry expiry = in_s(100);
    assert_int_equal(ws_expiry_look(&expiry, &rule, NOW, WALL + 3600000), WS_EXPIRY_SUSPEND);
    /* back again: it stays suspended, and its grace is counted by the other clock */
    assert_int_equal(ws_expiry_look(&expiry, &rule, NOW + 1, WALL), WS_EXPIRY_NOTHING);
    assert_int_equal(ws_expiry_look(&expiry, &rule, NOW + rule.grace_ms, WALL), WS_EXPIRY_CLOSE);
    ws_expiry later = in_s(100); /* set back while it is valid: looked at again later */
    assert_int_equal(ws_expiry_look(&later, &rule, NOW + 100000, WALL), WS_EXPIRY_NOTHING);
    assert_int_equal(ws_expiry_next_ms(&later, &rule, NOW + 100000, WALL), NOW + 170000);
}

static void the_ends_of_time(void **state) {
    (void)state;
    ws_expiry never = ws_expiry_make(INT64_MAX);
    assert_int_equal(at(&never, &rule, 0), WS_EXPIRY_NOTHING);
    assert_int_equal(ws_expiry_next_ms(&never, &rule, NOW, WALL), INT64_MAX);
    ws_expiry far = ws_expiry_make(INT64_MAX / CORE_MS_PER_S - 1);
    assert_true(ws_expiry_next_ms(&far, &rule, INT64_MAX - 10, WALL) == INT64_MAX);
    assert_int_equal(at(&far, &rule, 0), WS_EXPIRY_NOTHING);
    ws_expiry first = ws_expiry_make(INT64_MIN);
    assert_int_equal(ws_expiry_look(&first, &rule, NOW, 0), WS_EXPIRY_SUSPEND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warned_then_suspended_then_closed),
        cmocka_unit_test(a_short_life_is_warned_of_at_once),
        cmocka_unit_test(without_warning_or_grace),
        cmocka_unit_test(a_wall_clock_that_is_set),
        cmocka_unit_test(the_ends_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
