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
    {.name = {(const uint8_t *)"done", 4}, .type_oid = 16},
    {.name = {(const uint8_t *)"mood", 4},
     .type_oid = 16400,
     .type_name = {(const uint8_t *)"mood", 4}},
    {.name = {(const uint8_t *)"code", 4}, .type_oid = 1042},
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

static const core_value null = {.kind = CORE_VALUE_NULL};
static const core_value unchanged = {.kind = CORE_VALUE_UNCHANGED};

/* The truth of a filter over a row. */
static expr_truth truth_over(const char *text, core_tuple tuple) {
    core_error error = {.code = CORE_ERROR_NONE};
    expr_filter *filter = expr_filter_new(core_slice_text(text), &error);
    if (filter == NULL)
        fail_msg("%s: %s", text, error.text);
    expr_bound *bound = expr_filter_bind(filter, &relation, &error);
    if (bound == NULL)
        fail_msg("%s: %s", text, error.text);
    expr_truth truth = expr_bound_evaluate(bound, &tuple);
    expr_bound_free(bound);
    expr_filter_free(filter);
    return truth;
}

/* Over (id, "Full Name"), the rest null. */
static expr_truth truth_of(const char *text, core_value id, core_value name) {
    core_value values[CORE_COUNT_OF(columns)] = {id, name};
    return truth_over(text, (core_tuple){.count = CORE_COUNT_OF(values), .values = values});
}

/* Over one row whose column `done`, `mood` or `code` (the one that is asked) has the value. */
static expr_truth truth_at(const char *text, size_t column, core_value value) {
    core_value values[CORE_COUNT_OF(columns)] = {{.kind = CORE_VALUE_NULL}};
    values[column] = value;
    return truth_over(text, (core_tuple){.count = CORE_COUNT_OF(values), .values = values});
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
    assert_int_equal(truth_of_name("Full Name=in.(red, blue , sea green)", "blue"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=in.(red, blue , sea green)", "sea green"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=in.( \" red\" ,x)", " red"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=in.( \" red\" ,x)", "red"), EXPR_FALSE);
    assert_int_equal(truth_of_name("Full Name=in.(5\" pipe)", "5\" pipe"), EXPR_TRUE);
    assert_int_equal(truth_of_name("Full Name=eq.Zo\xc3\xab", "Zo\xc3\xab"), EXPR_TRUE);
}

static void every_operator_holds_and_its_negation_does_not(void **state) {
    (void)state;
    static const char *const holding[] = {"id=eq.7",
                                          "id=neq.8",
                                          "id=lt.8",
                                          "id=lte.7",
                                          "id=gt.-7",
                                          "id=gte.07",
                                          "id=in.(1,7)",
                                          "id=isdistinct.8",
                                          "Full Name=lt.b",
                                          "Full Name=gt.A",
                                          "Full Name=in.(\"a,(b\", \"Zo\\\"e\" ,a%_c)",
                                          "Full Name=like.a\\%%\\_c",
                                          "Full Name=ilike.A%C",
                                          "Full Name=match.^a.{2}c$",
                                          "Full Name=imatch.A[%](_|x)C",
                                          "doc=is.null",
                                          "done=is.unknown",
                                          "done=is.NULL"};
    for (size_t i = 0; i < CORE_COUNT_OF(holding); i++) {
        char negated[128];
        const char *equals = strrchr(holding[i], '=');
        assert_non_null(equals);
        (void)snprintf(negated, sizeof negated, "%.*s=not.%s", (int)(equals - holding[i]),
                       holding[i], equals + 1);
        if (truth_of(holding[i], text_value("7"), text_value("a%_c")) != EXPR_TRUE)
            fail_msg("%s does not hold", holding[i]);
        if (truth_of(negated, text_value("7"), text_value("a%_c")) != EXPR_FALSE)
            fail_msg("%s is not false", negated);
    }
}

static void null_is_unknown_but_to_is_and_isdistinct(void **state) {
    (void)state;
    static const char *const unknown[] = {
        "id=eq.1",           "id=not.eq.1",           "id=neq.1",
        "id=lt.1",           "id=not.gte.1",          "id=in.(1,2)",
        "id=not.in.(1,2)",   "Full Name=like.%",      "Full Name=not.ilike.%",
        "Full Name=match.a", "Full Name=not.imatch.a"};
    for (size_t i = 0; i < CORE_COUNT_OF(unknown); i++)
        assert_int_equal(truth_of(unknown[i], null, null), EXPR_UNKNOWN);
    assert_int_equal(truth_of("id=isdistinct.1", null, null), EXPR_TRUE);
    assert_int_equal(truth_of("id=not.isdistinct.1", null, null), EXPR_FALSE);
    assert_int_equal(truth_of("id=is.null", null, null), EXPR_TRUE);
    assert_int_equal(truth_of("id=not.is.null", null, null), EXPR_FALSE);
    assert_int_equal(truth_of("id=is.null", text_value("1"), null), EXPR_FALSE);
    assert_int_equal(truth_at("done=is.true", 4, null), EXPR_FALSE);
    assert_int_equal(truth_at("done=not.is.true", 4, null), EXPR_TRUE);
    assert_int_equal(truth_at("done=is.true", 4, text_value("t")), EXPR_TRUE);
    assert_int_equal(truth_at("done=is.false", 4, text_value("t")), EXPR_FALSE);
    assert_int_equal(truth_at("done=is.unknown", 4, text_value("f")), EXPR_FALSE);
}

static void what_the_row_does_not_tell_is_unknown_to_all(void **state) {
    (void)state;
    static const char *const filters[] = {"id=is.null", "id=not.is.null", "id=isdistinct.1",
                                          "id=not.isdistinct.1", "id=neq.1"};
    for (size_t i = 0; i < CORE_COUNT_OF(filters); i++) {
        assert_int_equal(truth_of(filters[i], unchanged, null), EXPR_UNKNOWN);
        assert_int_equal(truth_over(filters[i], (core_tuple){0}), EXPR_UNKNOWN);
    }
}

static void kinds_that_are_odd_compare_as_postgresql_does(void **state) {
    (void)state;
    assert_int_equal(truth_at("mood=eq.sad", 5, text_value("sad")), EXPR_TRUE);
    assert_int_equal(truth_at("mood=in.(ok,sad)", 5, text_value("sad")), EXPR_TRUE);
    assert_int_equal(truth_at("mood=neq.ok", 5, text_value("(1.0)")), EXPR_UNKNOWN); /* no enum */
    assert_int_equal(truth_at("code=eq.a  ", 6, text_value("a    ")), EXPR_TRUE);
    assert_int_equal(truth_at("code=like.a", 6, text_value("a    ")), EXPR_FALSE);
    assert_int_equal(truth_at("code=like.a %", 6, text_value("a    ")), EXPR_TRUE);
    assert_int_equal(truth_at("code=match.a    $", 6, text_value("a    ")), EXPR_TRUE);
    assert_int_equal(truth_at("code=lt.a\t", 6, text_value("a    ")), EXPR_TRUE);
}

static void what_cannot_be_evaluated_is_refused(void **state) {
    (void)state;
    assert_refused("doc=eq.{}", "is of type jsonb");
    assert_refused("doc=is.true", "only is.null");
    assert_refused("id=is.true", "only is.null");
    assert_refused("id=like.1%", "text, varchar, char and name columns can");
    assert_refused("mood=like.s%", "cannot be compared by like");
    assert_refused("mood=lt.sad", "cannot be compared by lt");
    assert_refused("mood=eq.(1)", "is not a value of type mood");
    assert_refused("nope=eq.1", "no column \"nope\"");
    assert_refused("nope=is.null", "no column \"nope\"");
    assert_refused("id=eq.x", "\"x\" is not a value of type int8");
    assert_refused("id=in.(1,x)", "\"x\" is not a value of type int8");
    assert_refused("full name=eq.x", "no column");
}

static void what_is_malformed_is_refused_where_it_is(void **state) {
    (void)state;
    assert_refused("id", "at \"id\": expected \"=\" behind the column");
    assert_refused("id=", "expected an operator and a dot");
    assert_refused("id=eq", "expected an operator and a dot");
    assert_refused("id=not.eq", "behind \"not.\"");
    assert_refused("id=equals.1", "at \"equals.1\": expected an operator (eq, neq,");
    assert_refused("id=not.not.eq.1", "expected an operator");
    assert_refused("id=eq(any).{1}", "expected an operator");
    assert_refused("id=in.1", "expected (value,value,...)");
    assert_refused("id=in.()", "at least one value");
    assert_refused("id=in.(1,2", "closing parenthesis");
    assert_refused("id=in.(1,(2))", "at \"(2))\": expected a comma or the closing parenthesis");
    assert_refused("id=in.(1,2)3", "at \"3\": expected a comma or the end");
    assert_refused("id=in.(\"1)", "closing double quote");
    assert_refused("id=in.(\"1\"2)", "at \"2)\": expected a comma");
    assert_refused("id=is.nul", "at \"nul\": expected null, true, false or unknown");
    assert_refused("id=is.", "expected null, true");
    assert_refused("Full Name=like.a\\", "ends with a backslash");
    assert_refused("Full Name=match.(a", "a parenthesis is not closed");
    assert_refused("Full Name=match.a,id=match.a**", "a quantifier behind another");
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
    core_buffer_reset(&many);
    for (int i = 0; i < 100; i++)
        core_buffer_format(&many, i == 0 ? "id=in.(%d" : ",%d", i);
    size_t length = many.length;
    core_buffer_text(&many, ")");
    filter = expr_filter_new(core_buffer_slice(&many), &error);
    assert_non_null(filter);
    expr_filter_free(filter);
    many.length = length;
    core_buffer_text(&many, ",100)");
    assert_null(expr_filter_new(core_buffer_slice(&many), &error));
    assert_non_null(strstr(error.text, "more than 100 values"));
    core_buffer_reset(&many);
    while (many.length + 110 < EXPR_FILTER_TEXT_MAX) /* empty values are the most that fit */
        core_buffer_format(&many, "%sa=in.(%0*d)", many.length ? "," : "", 99, 0);
    for (size_t i = 0; i < many.length; i++)
        many.data[i] = many.data[i] == '0' ? ',' : many.data[i];
    assert_null(expr_filter_new(core_buffer_slice(&many), &error));
    assert_non_null(strstr(error.text, "more than 2048 values"));
    assert_null(expr_filter_new(core_slice_make("id=eq.1\0", 8), &error));
    assert_non_null(strstr(error.text, "NUL"));
    core_buffer_fini(&many);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_filter_matches_everything),
        cmocka_unit_test(equality_is_typed),
        cmocka_unit_test(nothing_equals_null_or_unchanged),
        cmocka_unit_test(commas_join_terms_that_all_must_hold),
        cmocka_unit_test(values_hold_commas_in_quotes_or_parentheses),
        cmocka_unit_test(every_operator_holds_and_its_negation_does_not),
        cmocka_unit_test(null_is_unknown_but_to_is_and_isdistinct),
        cmocka_unit_test(what_the_row_does_not_tell_is_unknown_to_all),
        cmocka_unit_test(kinds_that_are_odd_compare_as_postgresql_does),
        cmocka_unit_test(what_cannot_be_evaluated_is_refused),
        cmocka_unit_test(what_is_malformed_is_refused_where_it_is),
        cmocka_unit_test(size_and_terms_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
