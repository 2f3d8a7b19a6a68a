/* A timeline's history file: where each parent was left. */
#include "cdc/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static core_lsn fork_of(const char *history, uint32_t timeline) {
    core_lsn lsn = 99;
    core_error error = {0};
    if (!cdc_timeline_fork(core_slice_text(history), timeline, &lsn, &error))
        fail_msg("%s", error.text);
    return lsn;
}

static void each_parent_has_its_place(void **state) {
    (void)state;
    const char *history = "1\t0/3000060\tno recovery target specified\n\n"
                          "# by hand\n2\tA/B\tbefore 2000-01-01 00:00:00+00\n";
    assert_int_equal(fork_of(history, 1), 0x3000060);
    assert_int_equal(fork_of(history, 2), 0xA0000000B);
    assert_int_equal(fork_of(history, 3), 0);
    assert_int_equal(fork_of("", 1), 0);
    assert_int_equal(fork_of("1\t0/10", 1), 0x10);
}

static void anything_else_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"1",        "1\t",         "x\t0/10\n",
                                        "1 0/10\n", "1\t0-10\t\n", "4294967296\t0/10\n"};
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        core_lsn lsn;
        core_error error = {0};
        assert_false(cdc_timeline_fork(core_slice_text(texts[i]), 1, &lsn, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_parent_has_its_place),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
