/* The heartbeat: never while the position moves by itself, never twice for one standstill. */
#include "cdc/heartbeat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EVERY_MS = 1000 };

static void none_while_the_position_follows(void **state) {
    (void)state;
    cdc_heartbeat heartbeat;
    cdc_heartbeat_init(&heartbeat, 100, 0);
    for (core_lsn lsn = 101; lsn < 120; lsn++)
        assert_false(cdc_heartbeat_due(&heartbeat, lsn, lsn + 50, EVERY_MS, (int64_t)lsn * 5000));
}

static void none_when_nobody_writes(void **state) {
    (void)state;
    cdc_heartbeat heartbeat;
    cdc_heartbeat_init(&heartbeat, 100, 0);
    assert_false(cdc_heartbeat_due(&heartbeat, 100, 100, EVERY_MS, 3600000));
    /* The period begins when WAL is written, not when the database went quiet. */
    assert_false(cdc_heartbeat_due(&heartbeat, 100, 200, EVERY_MS, 3600500));
    assert_true(cdc_heartbeat_due(&heartbeat, 100, 200, EVERY_MS, 3601000));
}

static void one_for_a_standstill(void **state) {
    (void)state;
    cdc_heartbeat heartbeat;
    cdc_heartbeat_init(&heartbeat, 100, 0);
    assert_false(cdc_heartbeat_due(&heartbeat, 100, 200, EVERY_MS, EVERY_MS - 1));
    assert_true(cdc_heartbeat_due(&heartbeat, 100, 200, EVERY_MS, EVERY_MS));
    assert_true(cdc_heartbeat_due(&heartbeat, 100, 200, EVERY_MS, EVERY_MS + 1)); /* not sent yet */
    cdc_heartbeat_sent(&heartbeat, 250, EVERY_MS + 2);
    /* Something else holds the position. */
    assert_false(cdc_heartbeat_due(&heartbeat, 100, 900, EVERY_MS, 100 * EVERY_MS));
    assert_false(cdc_heartbeat_due(&heartbeat, 240, 900, EVERY_MS, 200 * EVERY_MS));
    assert_false(cdc_heartbeat_due(&heartbeat, 240, 900, EVERY_MS, 300 * EVERY_MS));
    /* It passed: the next standstill may have one again. */
    assert_false(cdc_heartbeat_due(&heartbeat, 250, 900, EVERY_MS, 301 * EVERY_MS));
    assert_true(cdc_heartbeat_due(&heartbeat, 250, 900, EVERY_MS, 302 * EVERY_MS));
}

static void zero_is_never(void **state) {
    (void)state;
    cdc_heartbeat heartbeat;
    cdc_heartbeat_init(&heartbeat, 100, 0);
    assert_false(cdc_heartbeat_due(&heartbeat, 100, 200, 0, 1));
    assert_false(cdc_heartbeat_due(&heartbeat, 100, 200, 0, 3600000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_while_the_position_follows),
        cmocka_unit_test(none_when_nobody_writes),
        cmocka_unit_test(one_for_a_standstill),
        cmocka_unit_test(zero_is_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
