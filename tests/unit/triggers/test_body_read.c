/* A body's members, as they stand in it. */
#include "triggers/body_read.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_members(void **state) {
    triggers_body_parts parts;
    core_error error = {0};
    (void)state;
    assert_true(triggers_body_read(
        core_slice_text(
            "{\"type\":\"a\\\"b\",\"timestamp\":\"T\",\"data\":{\"x\":[1,{\"data\":2}]},"
            "\"unchanged\":[\"data\"],\"offset\":\"e-1.0\"}"),
        &parts, &error));
    assert_true(core_slice_is(parts.type, "a\\\"b"));
    assert_true(core_slice_is(parts.timestamp, "T"));
    assert_true(core_slice_is(parts.data, "{\"x\":[1,{\"data\":2}]}"));
    assert_true(core_slice_is(parts.offset, "e-1.0"));
    assert_true(triggers_body_read(core_slice_text("{\"data\":\"text\"}"), &parts, &error));
    assert_true(core_slice_is(parts.data, "\"text\""));
    assert_true(triggers_body_read(core_slice_text("{\"data\":null}"), &parts, &error));
    assert_true(core_slice_is(parts.data, "null"));
}

static void test_what_is_no_body(void **state) {
    static const char *const cases[] = {"",           "null",         "[]", "{", "{\"type\":\"a\"}",
                                        "{\"data\":", "{\"data\":{]}"};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        triggers_body_parts parts;
        core_error error = {0};
        assert_false(triggers_body_read(core_slice_text(cases[i]), &parts, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_what_is_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
