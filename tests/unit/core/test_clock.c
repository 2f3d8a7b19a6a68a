/* The clock: its text form, before and after 1970, and that it moves forward. */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_iso_form),
        cmocka_unit_test(extremes_stay_in_their_text),
        cmocka_unit_test(the_system_clock_moves_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
