/* The clock: its text form, before and after 1970, how it is read, and that it moves forward. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_time(int64_t wall_us, const char *expected) {
    char text[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(wall_us, text);
    assert_string_equal(text, expected);
}

static void times_have_iso_form(void **state) {
    (void)state;
    assert_time(0, "1970-01-01T00:00:00.000Z");
    assert_time(INT64_C(1763511760877654), "2025-11-19T00:22:40.877Z");
    assert_time(INT64_C(946684800000000), "2000-01-01T00:00:00.000Z");
    assert_time(-1, "1969-12-31T23:59:59.999Z");
    assert_time(-1000000, "1969-12-31T23:59:59.000Z");
    assert_time(INT64_C(253402300800000000), "10000-01-01T00:00:00.000Z");
}

static void extremes_stay_in_their_text(void **state) {
    (void)state;
    char text[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(INT64_MAX, text);
    assert_true(strlen(text) < CORE_CLOCK_TEXT_SIZE);
    core_clock_format(INT64_MIN, text);
    assert_true(strlen(text) < CORE_CLOCK_TEXT_SIZE);
}

static void the_system_clock_moves_forward(void **state) {
    (void)state;
    const core_clock *clock = core_clock_system();
    int64_t before = clock->monotonic_ns(clock);
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock->monotonic_ns(clock);
        assert_true(now >= before);
        before = now;
    }
    assert_true(core_clock_wall_us(clock) > INT64_C(1700000000000000));
    assert_true(core_clock_ms(clock) > 0);
}

static void moments_are_read_as_people_write_them(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t time_us; /* -1: it is none */
    } rows[] = {
        {"0", 0},
        {"1763511760", INT64_C(1763511760000000)},
        {"2025-11-19", INT64_C(1763510400000000)},
        {"2025-11-19T00:22:40Z", INT64_C(1763511760000000)},
        {"2025-11-19 00:22:40.8776549", INT64_C(1763511760877654)},
        {"2025-11-19t02:22:40+02:00", INT64_C(1763511760000000)},
        {"2025-11-18T22:52:40.5-01:30", INT64_C(1763511760500000)},
        {"9223372036853", INT64_C(9223372036853000000)},
        {"9223372036855", -1}, /* beyond 64 bits of microseconds */
        {"18446744073709551615", -1},
        {"", -1},
        {"yesterday", -1},
        {"2025-11-19T00:22:40CET", -1},
        {"2025-11-19T00:22:40+02:00x", -1},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        int64_t time_us = -1;
        bool ok = core_clock_parse(rows[i].text, &time_us);
        assert_int_equal(ok, rows[i].time_us != -1);
        if (ok)
            assert_int_equal(time_us, rows[i].time_us);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_iso_form),
        cmocka_unit_test(extremes_stay_in_their_text),
        cmocka_unit_test(moments_are_read_as_people_write_them),
        cmocka_unit_test(the_system_clock_moves_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
