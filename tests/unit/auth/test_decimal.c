/* JSON numbers as whole millionths, to the last digit. */
#include "auth/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void numbers_are_exact(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t micro;
    } cases[] = {
        {"0", 0},
        {"1700000000", INT64_C(1700000000000000)},
        {"1700000000.000001", INT64_C(1700000000000001)},
        {"1700000000.9999999", INT64_C(1700000000999999)},
        {"1.7e9", INT64_C(1700000000000000)},
        {"17E+8", INT64_C(1700000000000000)},
        {"17000000000e-1", INT64_C(1700000000000000)},
        {"0.0000001", 0},
        {"-0.0000001", -1},
        {"-1.5", -1500000},
        {"1e-400", 0},
        {"0e999999999", 0},
        {"0.000e999999999", 0},
        {"1e400", INT64_MAX},
        {"-1e400", INT64_MIN},
        {"9223372036854.775807", INT64_MAX},
        {"9223372036854.775806", INT64_MAX - 1},
        {"99999999999999999999", INT64_MAX},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        int64_t micro = 0;
        assert_true(auth_decimal_to_micro(core_slice_text(cases[i].text), &micro));
        if (micro != cases[i].micro)
            fail_msg("%s gave %lld", cases[i].text, (long long)micro);
    }
}

static void what_is_no_number_is_refused(void **state) {
    (void)state;
    static const char *const refused[] = {"", "-", ".5", "5.", "1e", "1e+", "0x1", "1 ", "--1"};
    int64_t micro = 0;
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        assert_false(auth_decimal_to_micro(core_slice_text(refused[i]), &micro));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(what_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
