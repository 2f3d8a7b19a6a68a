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

static void a_position_behind_a_page_header_is_the_page(void **state) {
    (void)state;
    assert_int_equal(core_lsn_settle(0x2000, 8192), 0x2000);
    assert_int_equal(core_lsn_settle(0x2018, 8192), 0x2000);
    assert_int_equal(core_lsn_settle(0x2028, 8192), 0x2000);
    assert_int_equal(core_lsn_settle(0x2030, 8192), 0x2030);
    assert_int_equal(core_lsn_settle(0x3ff8, 8192), 0x3ff8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lsns_are_two_hexadecimal_halves),
        cmocka_unit_test(a_position_behind_a_page_header_is_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
