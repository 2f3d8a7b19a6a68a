/* Filters as SQL conditions. That they pick the rows which evaluation does is the differential
 * test's to show (tests/integration/filters.test.mjs). */
#include "expr/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const core_column columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 20, .key = true},
    {.name = {(const uint8_t *)"a\" OR 1", 7}, .type_oid = 25},
    {.name = {(const uint8_t *)"mood", 4}, .type_oid = 16400},
    {.name = {(const uint8_t *)"done", 4}, .type_oid = 16},
    {.name = {(const uint8_t *)"code", 4}, .type_oid = 1042},
};
static const core_relation relation = {.column_count = CORE_COUNT_OF(columns), .columns = columns};

static const char *parameters[EXPR_FILTER_VALUES_MAX];

static void assert_sql(const char *text, size_t first, const char *expected,
                       size_t expected_count) {
    core_error error = {.text = ""};
    core_buffer out;
    size_t count = 0;
    core_buffer_init(&out, 4096);
    expr_filter *filter = expr_filter_new(core_slice_text(text), &error);
    expr_bound *bound = filter != NULL ? expr_filter_bind(filter, &relation, &error) : NULL;
    if (bound == NULL)
        fail_msg("%s: %s", text, error.text);
    assert_true(expr_bound_sql(bound, first, &out, parameters, &count));
    core_buffer_u8(&out, 0);
    assert_string_equal((const char *)out.data, expected);
    assert_int_equal(count, expected_count);
    core_buffer small;
    core_buffer_init(&small, 3);
    assert_false(expr_bound_sql(bound, first, &small, parameters, &count));
    core_buffer_fini(&small);
    core_buffer_fini(&out);
    expr_bound_free(bound);
    expr_filter_free(filter);
}

static void conditions_are_typed_collated_and_quoted(void **state) {
    (void)state;
    assert_sql("", 1, "TRUE", 0);
    assert_sql("id=eq.1", 1, "(\"id\" = $1::pg_catalog.int8)", 1);
    assert_sql("id=not.in.(1,2),id=gte.3", 4,
               "(NOT (\"id\" IN ($4::pg_catalog.int8, $5::pg_catalog.int8))) AND "
               "(\"id\" >= $6::pg_catalog.int8)",
               3);
    assert_sql("a\" OR 1=eq.x", 1,
               "(\"a\"\" OR 1\" = $1::pg_catalog.text AND "
               "\"a\"\" OR 1\" COLLATE \"C\" = $1::pg_catalog.text)",
               1);
    assert_sql("a\" OR 1=imatch.^x", 1, "(\"a\"\" OR 1\" COLLATE \"C\" ~* $1::pg_catalog.text)", 1);
    assert_sql("mood=isdistinct.ok", 1,
               "(\"mood\"::pg_catalog.text COLLATE \"C\" IS DISTINCT FROM $1::pg_catalog.text)", 1);
    assert_sql("mood=is.null,done=not.is.true", 1,
               "(\"mood\" IS NOT DISTINCT FROM NULL) AND (NOT (\"done\" IS TRUE))", 0);
    assert_sql("code=lt.a", 1, "(\"code\" COLLATE \"C\" < $1::pg_catalog.bpchar)", 1);
    assert_sql("code=like.a", 1, "(\"code\" COLLATE \"C\" LIKE $1::pg_catalog.text)", 1);
}

static void parameters_are_the_values_unquoted(void **state) {
    (void)state;
    core_error error;
    core_buffer out;
    size_t count = 0;
    core_buffer_init(&out, 4096);
    expr_filter *filter = expr_filter_new(
        core_slice_text("\"a\\\" OR 1\"=in.(\"it's, (a) \\\"\",b),id=eq.7"), &error);
    assert_non_null(filter);
    expr_bound *bound = expr_filter_bind(filter, &relation, &error);
    assert_non_null(bound);
    assert_true(expr_bound_sql(bound, 1, &out, parameters, &count));
    assert_int_equal(count, 3);
    assert_string_equal(parameters[0], "it's, (a) \"");
    assert_string_equal(parameters[1], "b");
    assert_string_equal(parameters[2], "7");
    core_buffer_fini(&out);
    expr_bound_free(bound);
    expr_filter_free(filter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_are_typed_collated_and_quoted),
        cmocka_unit_test(parameters_are_the_values_unquoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
