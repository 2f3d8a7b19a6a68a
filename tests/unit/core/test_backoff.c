/* Backoff: each wait lies between half and all of its step, and steps double up to the maximum. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void waits_double_up_to_the_maximum(void **state) {
    (void)state;
    core_backoff backoff;
    core_backoff_init(&backoff, 100, 5000, 7);
    int64_t step = 100;
    for (int i = 0; i < 50; i++) {
        assert_in_range(core_backoff_next_ms(&backoff), step / 2, step);
        step = step * 2 > 5000 ? 5000 : step * 2;
    }
}

static void success_begins_anew(void **state) {
    (void)state;
    core_backoff backoff;
    core_backoff_init(&backoff, 100, 5000, 7);
    for (int i = 0; i < 10; i++)
        (void)core_backoff_next_ms(&backoff);
    core_backoff_reset(&backoff);
    assert_in_range(core_backoff_next_ms(&backoff), 50, 100);
}

static void seeds_part_processes(void **state) {
    (void)state;
    core_backoff one, other, same;
    core_backoff_init(&one, 10000, 10000, 1);
    core_backoff_init(&other, 10000, 10000, 2);
    core_backoff_init(&same, 10000, 10000, 1);
    int equal = 0;
    for (int i = 0; i < 100; i++) {
        int64_t wait = core_backoff_next_ms(&one);
        assert_int_equal(wait, core_backoff_next_ms(&same));
        equal += wait == core_backoff_next_ms(&other);
    }
    assert_true(equal < 5);
}

static void extremes_do_not_overflow(void **state) {
    (void)state;
    core_backoff backoff;
    core_backoff_init(&backoff, 1, INT64_MAX, 3);
    for (int i = 0; i < 200; i++)
        assert_true(core_backoff_next_ms(&backoff) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_up_to_the_maximum),
        cmocka_unit_test(success_begins_anew),
        cmocka_unit_test(seeds_part_processes),
        cmocka_unit_test(extremes_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
