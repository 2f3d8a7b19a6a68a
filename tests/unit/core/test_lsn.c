/* LSNs as text. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void lsns_are_two_hexadecimal_halves(void **state) {
    (void)state;
    core_lsn lsn = 0;
    assert_true(core_lsn_parse(core_slice_text("16/B374D848"), &lsn));
    assert_int_equal(lsn, 0x16B374D848);
    static const char *const wrong[] = {"", "/", "1/", "/1", "1", "g/1", "123456789/1", "1/2/3"};
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++)
        assert_false(core_lsn_parse(core_slice_text(wrong[i]), &lsn));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lsns_are_two_hexadecimal_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
