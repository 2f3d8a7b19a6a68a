/* Operations' names, which are the subjects' last tokens. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void names_come_back(void **state) {
    (void)state;
    for (core_op op = CORE_OP_INSERT; op <= CORE_OP_GAP; op++)
        assert_int_equal(core_op_parse(core_slice_text(core_op_name(op))), op);
    assert_string_equal(core_op_name(CORE_OP_TRUNCATE), "TRUNCATE");
}

static void what_is_none_is_refused(void **state) {
    (void)state;
    assert_null(core_op_name(CORE_OP_NONE));
    assert_null(core_op_name((core_op)(CORE_OP_GAP + 1)));
    assert_int_equal(core_op_parse(core_slice_text("insert")), CORE_OP_NONE);
    assert_int_equal(core_op_parse(core_slice_text("")), CORE_OP_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_back),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
