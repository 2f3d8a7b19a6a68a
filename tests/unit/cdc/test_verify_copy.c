/* Rows of COPY's text form: values, nulls, escapes, and nothing else. */
#include "cdc/verify_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { COLUMNS_MAX = 8 };

static bool split(const char *text, core_value *values, size_t count, uint8_t *line) {
    core_error error = {0};
    memcpy(line, text, strlen(text));
    bool ok = cdc_verify_copy_split(line, strlen(text), values, count, &error);
    assert_true(ok || error.code == CORE_ERROR_INPUT);
    return ok;
}

static void values_come_apart(void **state) {
    core_value values[COLUMNS_MAX];
    uint8_t line[128];
    (void)state;
    assert_true(split("12\t\t\\N\tx y\n", values, 4, line));
    assert_true(core_slice_is(values[0].bytes, "12"));
    assert_int_equal(values[1].kind, CORE_VALUE_TEXT);
    assert_int_equal(values[1].bytes.length, 0);
    assert_int_equal(values[2].kind, CORE_VALUE_NULL);
    assert_true(core_slice_is(values[3].bytes, "x y"));
    assert_true(split("\\N\n", values, 1, line));
    assert_int_equal(values[0].kind, CORE_VALUE_NULL);
    assert_true(split("\n", values, 0, line));
}

static void escapes_are_undone(void **state) {
    core_value values[COLUMNS_MAX];
    uint8_t line[128];
    (void)state;
    assert_true(split("a\\tb\\nc\\\\d\\re\\bf\\vg\\f\t\\\\N\n", values, 2, line));
    assert_true(core_slice_is(values[0].bytes, "a\tb\nc\\d\re\bf\vg\f"));
    assert_true(core_slice_is(values[1].bytes, "\\N"));
    assert_int_equal(values[1].kind, CORE_VALUE_TEXT);
}

static void another_form_is_refused(void **state) {
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {{"a\n", 2},    {"a\tb\n", 1},   {"a\\x\n", 1}, {"a\\", 1},
                 {"\\Nx\n", 1}, {"a\tb\t\n", 2}, {"x\n", 0},    {"", 2}};
    core_value values[COLUMNS_MAX];
    uint8_t line[128];
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++)
        assert_false(split(cases[i].text, values, cases[i].count, line));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_apart),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(another_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
