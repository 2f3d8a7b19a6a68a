/* When a slot's state is worth a warning, and when the warning ends. */
#include "cdc/slot_health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MIB INT64_C(1048576)

static const cdc_slot_limits limits = {.lag_bytes = 100 * MIB, .safe_wal_bytes = 64 * MIB};

static cdc_slot_health healthy(void) {
    return (cdc_slot_health){
        .exists = true,
        .active = true,
        .written_lsn = 1000 * MIB,
        .restart_lsn = 999 * MIB,
        .confirmed_lsn = 1000 * MIB,
        .wal_status = CDC_WAL_STATUS_RESERVED,
        .safe_wal_bytes = -1,
        .keep_bytes = -1,
    };
}

static bool warns(const cdc_slot_health *health, bool warned, const char *word) {
    char reason[256] = "";
    bool result = cdc_slot_health_warns(health, &limits, warned, reason, sizeof reason);
    assert_int_equal(result, reason[0] != '\0');
    if (result)
        assert_non_null(strstr(reason, word));
    return result;
}

static void a_healthy_slot_does_not_warn(void **state) {
    (void)state;
    cdc_slot_health health = healthy();
    assert_false(warns(&health, false, ""));
    assert_int_equal(cdc_slot_lag_bytes(&health), 0);
    health.exists = false;
    health.confirmed_lsn = 0;
    assert_false(warns(&health, false, ""));
    assert_int_equal(cdc_slot_lag_bytes(&health), 0);
}

static void lag_warns_beyond_its_limit_and_ends_a_quarter_below(void **state) {
    (void)state;
    cdc_slot_health health = healthy();
    health.confirmed_lsn = 900 * MIB;
    assert_false(warns(&health, false, ""));
    health.confirmed_lsn--;
    assert_true(warns(&health, false, "cdc.warn_lag_bytes"));
    health.confirmed_lsn = 920 * MIB;
    assert_true(warns(&health, true, "cdc.warn_lag_bytes"));
    assert_false(warns(&health, false, ""));
    health.confirmed_lsn = 925 * MIB;
    assert_false(warns(&health, true, ""));
}

static void little_room_warns(void **state) {
    (void)state;
    cdc_slot_health health = healthy();
    health.keep_bytes = 1000 * MIB;
    health.safe_wal_bytes = 64 * MIB;
    assert_false(warns(&health, false, ""));
    health.safe_wal_bytes--;
    assert_true(warns(&health, false, "safe_wal_size"));
    health.safe_wal_bytes = 70 * MIB;
    assert_true(warns(&health, true, "safe_wal_size"));
    health.safe_wal_bytes = 80 * MIB;
    assert_false(warns(&health, true, ""));
}

static void a_server_that_keeps_little_does_not_warn_all_the_time(void **state) {
    (void)state;
    cdc_slot_health health = healthy();
    health.keep_bytes = 32 * MIB;
    health.safe_wal_bytes = 30 * MIB;
    assert_false(warns(&health, false, ""));
    health.safe_wal_bytes = 15 * MIB;
    assert_true(warns(&health, false, "safe_wal_size"));
}

static void unreserved_warns_whatever_the_size(void **state) {
    (void)state;
    cdc_slot_health health = healthy();
    health.keep_bytes = 32 * MIB;
    health.wal_status = CDC_WAL_STATUS_UNRESERVED;
    health.safe_wal_bytes = -5 * MIB;
    assert_true(warns(&health, false, "lost once 0 more bytes"));
}

static void zero_turns_a_warning_off(void **state) {
    (void)state;
    char reason[256] = "";
    const cdc_slot_limits none = {0};
    cdc_slot_health health = healthy();
    health.confirmed_lsn = 1;
    health.safe_wal_bytes = 0;
    health.keep_bytes = MIB;
    assert_false(cdc_slot_health_warns(&health, &none, false, reason, sizeof reason));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_slot_does_not_warn),
        cmocka_unit_test(lag_warns_beyond_its_limit_and_ends_a_quarter_below),
        cmocka_unit_test(little_room_warns),
        cmocka_unit_test(a_server_that_keeps_little_does_not_warn_all_the_time),
        cmocka_unit_test(unreserved_warns_whatever_the_size),
        cmocka_unit_test(zero_turns_a_warning_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
