/* Errors: filled, wrapped in context, cut at their maximum; every code has a name. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void an_error_says_what_and_how(void **state) {
    (void)state;
    core_error error;
    assert_false(core_error_set(&error, CORE_ERROR_LIMIT, "at most %d", 7));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    assert_string_equal(error.text, "at most 7");
    assert_false(core_error_wrap(&error, "slot %s", "walcast"));
    assert_string_equal(error.text, "slot walcast: at most 7");
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
}

static void nobody_has_to_listen(void **state) {
    (void)state;
    assert_false(core_error_set(NULL, CORE_ERROR_INPUT, "x"));
    assert_false(core_error_wrap(NULL, "x"));
}

static void long_texts_are_cut(void **state) {
    (void)state;
    core_error error;
    (void)core_error_set(&error, CORE_ERROR_INPUT, "%*s", 3 * CORE_ERROR_TEXT_MAX, "x");
    assert_int_equal(strlen(error.text), CORE_ERROR_TEXT_MAX - 1);
    (void)core_error_wrap(&error, "context");
    assert_int_equal(strlen(error.text), CORE_ERROR_TEXT_MAX - 1);
    assert_memory_equal(error.text, "context:  ", 10);
    (void)core_error_wrap(&error, "%*s", 3 * CORE_ERROR_TEXT_MAX, "y");
    assert_int_equal(strlen(error.text), CORE_ERROR_TEXT_MAX - 1);
}

static void every_code_has_a_name(void **state) {
    (void)state;
    for (int code = CORE_ERROR_NONE; code <= CORE_ERROR_INTERNAL; code++)
        assert_string_not_equal(core_error_code_name((core_error_code)code), "unknown");
    assert_string_equal(core_error_code_name((core_error_code)999), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_says_what_and_how),
        cmocka_unit_test(nobody_has_to_listen),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(every_code_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
