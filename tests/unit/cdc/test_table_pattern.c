/* Patterns of postgres.tables: plain, quoted, with stars, and what is none. */
#include "cdc/table_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static cdc_table_pattern parsed(const char *text) {
    cdc_table_pattern pattern;
    core_error error = {0};
    if (!cdc_table_pattern_parse(text, &pattern, &error))
        fail_msg("%s", error.text);
    return pattern;
}

static void names_are_taken_as_written(void **state) {
    (void)state;
    cdc_table_pattern plain = parsed("public.Todos");
    assert_string_equal(plain.schema, "public");
    assert_string_equal(plain.table, "Todos");
    assert_false(plain.any_schema || plain.any_table);
    cdc_table_pattern quoted = parsed("\"My \"\"Schema\"\".x\".\"a.*\"");
    assert_string_equal(quoted.schema, "My \"Schema\".x");
    assert_string_equal(quoted.table, "a.*");
    assert_false(quoted.any_table);
}

static void a_star_is_any(void **state) {
    (void)state;
    cdc_table_pattern all = parsed("\"My Schema\".*");
    assert_string_equal(all.schema, "My Schema");
    assert_true(all.any_table);
    assert_true(parsed("*.*").any_schema);
    assert_false(parsed("public.\"*\"").any_table);
}

static void everything_else_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",         "todos",
        "public.",  ".todos",
        "a.b.c",    "\"a.b",
        "a\"b.c",   "*.todos",
        "\"a\"b.c", "s.a234567890123456789012345678901234567890123456789012345678901234",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        cdc_table_pattern pattern;
        core_error error = {0};
        assert_false(cdc_table_pattern_parse(texts[i], &pattern, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_taken_as_written),
        cmocka_unit_test(a_star_is_any),
        cmocka_unit_test(everything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
