/* Retry-After in every form that HTTP has, and in those that it has not. */
#include "net/retry_after.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MAX_MS INT64_C(86400000)
/* 2026-11-28 11:00:00 UTC */
#define NOW_US (INT64_C(1795863600) * 1000000)

static int64_t after(const char *text) {
    return net_retry_after_read(core_slice_text(text), NOW_US, MAX_MS);
}

static void seconds_are_bounded(void **state) {
    (void)state;
    assert_int_equal(after("0"), 0);
    assert_int_equal(after("1"), 1000);
    assert_int_equal(after("0120"), 120000);
    assert_int_equal(after("86399"), 86399000);
    assert_int_equal(after("86400"), MAX_MS);
    assert_int_equal(after("9999999999"), MAX_MS);
    assert_int_equal(after("99999999999999999999999999"), MAX_MS);
}

static void dates_count_from_now(void **state) {
    (void)state;
    assert_int_equal(after("Sat, 28 Nov 2026 11:00:30 GMT"), 30000);
    assert_int_equal(after("Saturday, 28-Nov-26 11:02:00 GMT"), 120000);
    assert_int_equal(after("Sat Nov 28 11:01:00 2026"), 60000);
    assert_int_equal(after("Sat Nov  7 11:01:00 2026"), 0);
    assert_int_equal(after("Sun, 29 Nov 2026 10:59:59 GMT"), 86399000);
    assert_int_equal(after("Sun, 28 Nov 2027 11:00:00 GMT"), MAX_MS);
    assert_int_equal(after("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    assert_int_equal(after("Sunday, 06-Nov-94 08:49:37 GMT"), 0);
    assert_int_equal(after("Fri, 31 Dec 9999 23:59:60 GMT"), MAX_MS);
}

static void leap_years_are_known(void **state) {
    (void)state;
    const int64_t feb_us = INT64_C(1709164800) * 1000000; /* 2024-02-29 00:00:00 UTC */
    assert_int_equal(
        net_retry_after_read(core_slice_text("Fri, 01 Mar 2024 00:00:00 GMT"), feb_us, INT64_MAX),
        86400000);
    assert_int_equal(
        net_retry_after_read(core_slice_text("Sat, 01 Mar 2025 00:00:00 GMT"), feb_us, INT64_MAX),
        INT64_C(366) * 86400000);
}

static void all_else_is_none(void **state) {
    static const char *const texts[] = {
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "1 ",
        "1s",
        "soon",
        "Sat, 28 Nov 2026 11:00:30",
        "Sat, 28 Nov 2026 11:00:30 UTC",
        "Sat, 28 Nov 2026 11:00:30 +0000",
        "Sat, 8 Nov 2026 11:00:30 GMT",
        "Sat, 00 Nov 2026 11:00:30 GMT",
        "Sat, 32 Nov 2026 11:00:30 GMT",
        "Sat, 28 anF 2026 11:00:30 GMT",
        "Sat, 28 Nov 2026 24:00:30 GMT",
        "Sat, 28 Nov 2026 11:60:30 GMT",
        "Sat, 28 Nov 2026 11:00:61 GMT",
        "Sat, 28 No",
        "Sat, 28 Nov 2026 11:00:30 GMT ",
        "2026-11-28T11:00:30Z",
        ",",
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++)
        if (after(texts[i]) != -1)
            fail_msg("\"%s\" is %lld", texts[i], (long long)after(texts[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_bounded),
        cmocka_unit_test(dates_count_from_now),
        cmocka_unit_test(leap_years_are_known),
        cmocka_unit_test(all_else_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
