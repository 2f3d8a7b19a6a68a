/* Filters from their text to their truth over a row, with the refusals' reasons. */
#include "expr/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const core_column columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 20, .key = true},
    {.name = {(const uint8_t *)"Full Name", 9}, .type_oid = 25},
    {.name = {(const uint8_t *)"doc", 3}, .type_oid = 3802},
    {.name = {(const uint8_t *)"a=b", 3}, .type_oid = 23},
};
static const core_relation relation = {
    .schema = {(const uint8_t *)"public", 6},
    .table = {(const uint8_t *)"todos", 5},
    .column_count = CORE_COUNT_OF(columns),
    .columns = columns,
};

static core_value text_value(const char *text) {
    return (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(text)};
}

/* The truth of a filter over (id, "Full Name"). */
static expr_truth truth_of(const char *text, core_value id, core_value name) {
    core_error error = {.code = CORE_ERROR_NONE};
    expr_filter *filter = expr_filter_new(core_slice_text(text), &error);
    if (filter == NULL)
        fail_msg("%s: %s", text, error.text);
    expr_bound *bound = expr_filter_bind(filter, &relation, &error);
    if (bound == NULL)
        fail_msg("%s: %s", text, error.text);
    core_value values[] = {id, name, {.kind = CORE_VALUE_NULL}, {.kind = CORE_VALUE_NULL}};
    core_tuple tuple = {.count = CORE_COUNT_OF(values), .values = values};
    expr_truth truth = expr_bound_evaluate(bound, &tuple);
    expr_bound_free(bound);
    expr_filter_free(filter);
    return truth;
}

static expr_truth truth_of_name(const char *text, const char *name) {
    return truth_of(text, text_value("1"), text_value(name));
}

/* Refused when parsed or when bound, with `reason` in the text. */
static void assert_refused(const char *text, const char *reason) {
    core_error error = {.code = CORE_ERROR_NONE};
    expr_filter *filter = expr_filter_new(core_slice_text(text), &error);
    if (filter != NULL) {
        assert_null(expr_filter_bind(filter, &relation, &error));
        expr_filter_free(filter);
    }
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    if (strstr(error.text, reason) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", text, error.text, reason);
}

static void an_empty_filter_matches_everything(void **state) {
    (void)state;
    assert_int_equal(truth_of("", text_value("1"), text_value("x")), EXPR_TRUE);
}

static void equality_is_typed(void **state) {
    (void)state;
    assert_int_equal(truth_of("id=eq.1", text_value("1"), text_value("x")), EXPR_TRUE);
    assert_int_equal(truth_of("id=eq.01", text_value("1"), text_value("x")), EXPR_TRUE);
    assert_int_equal(truth_of("id=eq.2", text_value("1"), text_value("x")), EXPR_FALSE);
}

static void nothing_equals_null_or_unchanged(void **state) {
    (void)state;
    const core_value null = {.kind = CORE_VALUE_NULL};
    const core_value unchanged = {.kind = CORE_VALUE_UNCHANGED};
    assert_int_equal(truth_of("id=eq.1", null, null), EXPR_UNKNOWN);
    assert_int_equal(truth_of("Full Name=eq.", text_value("1"), unchanged), EXPR_UNKNOWN);
    assert_int_equal(truth_of("id=eq.1,Full Name=eq.x", text_value("1"), null), EXPR_UNKNOWN);
    assert_int_equal(truth_of("Full Name=eq.x,id=eq.2", text_value("1"), null), EXPR_FALSE);
    assert_int_equal(truth_of("\"a=b\"=eq.1", null, null), EXPR_UNKNOWN);
}

static void commas_join_terms_that_all_must_hold(void **state) {
    (void)state;
    assert_int_equal(truth_of_name("id=eq.1,Full Name=eq.x", "x"), EXPR_TRUE);
    assert_int_equal(truth_of_name("id=eq.1, Full Name=eq.x", "x"), EXPR_TRUE);
    assert_int_equal(truth_of_name("id=eq.1,Full Name=eq.y", "x"), EXPR_FALSE);
}

static void values_hold_commas_in_quotes_or_parentheses(void **state) {
    (void)state;
    assert_int_equal(truth_of_name("Full Name=eq.\"a,b\"", "a,b"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.\"a,b\",id=eq.1", "a,b"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.\"a\\\"\\\\b\"", "a\"\\b"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.\"\"", ""), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.f(a,b),id=eq.1", "f(a,b)"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.:(", ":("), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.:)", ":)"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.5\" pipe", "5\" pipe"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.a.b=c", "a.b=c"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.", ""), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq. x ", " x "), EXPR_TRUE);
    assert_int_equal(truth_of_name("\"Full Name\"=eq.x", "x"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.Zo\xc3\xab", "Zo\xc3\xab"), EXPR_TRUE);
}

static void what_cannot_be_evaluated_is_refused(void **state) {
    (void)state;
    static const char *const operators[] = {"neq", "lt",    "lte",    "gt",
                                            "gte", "in",    "like",   "ilike",
                                            "is",  "match", "imatch", "isdistinct"};
    for (size_t i = 0; i < CORE_COUNT_OF(operators); i++) {
        char text[64];
        snprintf(text, sizeof text, "id=%s.1", operators[i]);
        assert_refused(text, "only eq is");
    }
    assert_refused("id=not.eq.1", "\"not.eq\" is not supported");
    assert_refused("id=in.(1,2,3)", "only eq is");
    assert_refused("id=eq.1,id=gt.0", "only eq is");
    assert_refused("doc=eq.{}", "is of type jsonb");
    assert_refused("nope=eq.1", "no column \"nope\"");
    assert_refused("id=eq.x", "\"x\" is not a value of type int8");
    assert_refused("full name=eq.x", "no column");
}

static void what_is_malformed_is_refused_where_it_is(void **state) {
    (void)state;
    assert_refused("id", "at \"id\": expected \"=\" behind the column");
    assert_refused("id=", "expected an operator and a dot");
    assert_refused("id=eq", "expected an operator and a dot");
    assert_refused("id=not.eq", "behind \"not.\"");
    assert_refused("id=equals.1", "at \"equals.1\": expected an operator");
    assert_refused("=eq.1", "expected a column's name");
    assert_refused("\"\"=eq.1", "expected a column's name");
    assert_refused("id=eq.1,", "expected a column's name");
    assert_refused(",id=eq.1", "expected");
    assert_refused("id=eq.\"1", "expected a closing double quote");
    assert_refused("\"id=eq.1", "expected a closing double quote");
    assert_refused("id=eq.\"1\"x", "behind the quoted value");
    assert_refused("Full Name=eq.(a,b", "closing parenthesis");
    assert_refused("id=eq.\xff", "UTF-8");
}

static void size_and_terms_are_bounded(void **state) {
    (void)state;
    char text[EXPR_FILTER_TEXT_MAX + 2];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_refused(text, "more than 4096");
    core_buffer many;
    core_buffer_init(&many, EXPR_FILTER_TEXT_MAX);
    for (int i = 0; i < 32; i++)
        core_buffer_text(&many, i == 0 ? "id=eq.1" : ",id=eq.1");
    core_error error;
    expr_filter *filter = expr_filter_new(core_buffer_slice(&many), &error);
    assert_non_null(filter);
    expr_filter_free(filter);
    core_buffer_text(&many, ",id=eq.1");
    assert_null(expr_filter_new(core_buffer_slice(&many), &error));
    assert_non_null(strstr(error.text, "more than 32 terms"));
    core_buffer_fini(&many);
}

static void a_row_is_found_by_its_hash(void **state) {
    (void)state;
    core_error error;
    expr_filter *filter = expr_filter_new(core_slice_text("id=eq.+042"), &error);
    assert_non_null(filter);
    core_slice name;
    core_slice value;
    assert_true(expr_filter_equality(filter, &name, &value));
    assert_true(core_slice_is(name, "id") && core_slice_is(value, "+042"));
    expr_bound *bound = expr_filter_bind(filter, &relation, &error);
    assert_non_null(bound);
    uint16_t column = 9;
    uint64_t wanted = 0;
    uint64_t found = 1;
    assert_true(expr_bound_equality(bound, &column, &wanted));
    assert_int_equal(column, 0);
    core_value values[] = {text_value("42")};
    core_tuple tuple = {.count = 1, .values = values};
    assert_true(expr_bound_row_hash(bound, &tuple, &found));
    assert_true(wanted == found);
    values[0].kind = CORE_VALUE_NULL;
    assert_false(expr_bound_row_hash(bound, &tuple, &found));
    tuple.count = 0;
    assert_false(expr_bound_row_hash(bound, &tuple, &found));
    expr_bound_free(bound);
    expr_filter_free(filter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_filter_matches_everything),
        cmocka_unit_test(equality_is_typed),
        cmocka_unit_test(nothing_equals_null_or_unchanged),
        cmocka_unit_test(commas_join_terms_that_all_must_hold),
        cmocka_unit_test(values_hold_commas_in_quotes_or_parentheses),
        cmocka_unit_test(what_cannot_be_evaluated_is_refused),
        cmocka_unit_test(what_is_malformed_is_refused_where_it_is),
        cmocka_unit_test(size_and_terms_are_bounded),
        cmocka_unit_test(a_row_is_found_by_its_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
