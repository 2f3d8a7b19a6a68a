/* Regular expressions: what is taken means what PostgreSQL 15 answers to
 * SELECT 'text' COLLATE "C" ~ 'pattern' (the same cases and thousands more are asked of the server
 * in tests/integration/filters.test.mjs); what is not taken is refused with the place. */
#include "expr/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *pattern;
    bool match;
    bool imatch;
} cases[] = {
    {"", "", true, true},
    {"abc", "b", true, true},
    {"abc", "B", false, true},
    {"abc", "^b", false, false},
    {"a\nb", "a.b", true, true},
    {"a\n", "a$", false, false}, /* only the very end */
    {"a\nb", "^b", false, false},
    {"a\nb", "[^a]b", true, true},
    {"Zo\xc3\xab", "^.{3}$", true, true},
    {"\xc3\x89", "\xc3\xa9", false, false}, /* only ASCII letters fold */
    {"\xc3\xab", "\\w", false, false},
    {"\xc3\xab", "[\xc3\xa0-\xc3\xbf]", true, true},
    {"\xe2\x84\xaa", "k", false, false}, /* the Kelvin sign */
    {"x1_ ", "^\\w\\d\\w\\s$", true, true},
    {"ab", "^(a|b)*?$", true, true},
    {"aaa", "^a{2}$", false, false},
    {"aaa", "^a{2,}$", true, true},
    {"aaa", "^(?:a{1,2}){2}$", true, true},
    {"a{,3}", "^a{,3}$", true, true},
    {"a]", "^a]$", true, true},
    {"]", "^[]]$", true, true},
    {"x", "^[^]]$", true, true},
    {"a-z", "^[a-]-[-z]$", true, true},
    {"m", "^[A-Z]$", false, true},
    {"[", "^[[]$", true, true},
    {"[", "^[A-z]$", true, true},
    {"Q", "^[[:lower:]]$", false, true},
    {"q", "^[^[:upper:]]$", true, false},
    {"a.c", "a\\.c", true, true},
    {"abc", "a\\.c", false, false},
    {"a\\", "^a[\\\\]$", true, true},
    {"foobar", "foo(?=bar)", true, true},
    {"foobar", "foo(?!bar)", false, false},
    {"x", "^()x(|y)$", true, true},
    {"a b#c", "a b#c", true, true},
    {"\t", "^[\\t]$", true, true},
    {"a~!@%&=:;\"'<>,/`c", "~!@%&=:;\"'<>,/`", true, true},
};

static expr_truth truth_of(const char *text, const char *pattern, bool fold) {
    core_error error = {.text = ""};
    expr_regex *regex = expr_regex_new(core_slice_text(pattern), fold, &error);
    if (regex == NULL)
        fail_msg("%s: %s", pattern, error.text);
    assert_true(expr_regex_prepare(regex));
    expr_truth truth = expr_regex_match(regex, core_slice_text(text));
    expr_regex_free(regex);
    return truth;
}

static void matches_as_postgresql_does(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        if (truth_of(cases[i].text, cases[i].pattern, false) !=
            (cases[i].match ? EXPR_TRUE : EXPR_FALSE))
            fail_msg("'%s' ~ '%s'", cases[i].text, cases[i].pattern);
        if (truth_of(cases[i].text, cases[i].pattern, true) !=
            (cases[i].imatch ? EXPR_TRUE : EXPR_FALSE))
            fail_msg("'%s' ~* '%s'", cases[i].text, cases[i].pattern);
    }
}

static void what_differs_between_the_engines_is_refused(void **state) {
    (void)state;
    static const char *const patterns[] = {
        "***:a",   "***=a",    "(?i)a",   "(?i:a)",   "(?<=a)b",    "(?<!a)b",     "(?>a)",
        "(?<n>a)", "(?P<n>a)", "(?R)",    "(?1)",     "(?#x)",      "(*F)",        "(*UCP)a",
        "(a)\\1",  "\\ma",     "\\Ma",    "\\ya",     "\\Ya",       "\\Aa",        "a\\Z",
        "a\\z",    "\\ba",     "\\Ba",    "\\pL",     "\\PL",       "\\X",         "\\R",
        "\\K",     "\\Qa",     "\\Ga",    "\\h",      "\\v",        "\\N",         "\\x41",
        "\\u0041", "\\0",      "\\cA",    "\\e",      "\\C",        "\\\xc3\xa9",  "a\\",
        "a++",     "a*+",      "a?+",     "a{2}+",    "a**",        "a{2}{3}",     "a+*",
        "*a",      "^*",       "$+",      "a|*",      "(*a)",       "(?=a)*",      "{2}",
        "a{3,2}",  "a{256}",   "a{1",     "a{1,2",    "a{1x}",      "(a",          "a)",
        "[a",      "[]",       "[^]",     "[z-a]",    "[a-\\d]",    "[\\d-a]",     "[a-c-e]",
        "[--/]",   "[[.a.]]",  "[[=a=]]", "[[:<:]]a", "[[:word:]]", "[[:ascii:]]", "[\\D]",
        "[\\S]",   "[\\W]",    "[\\b]",   "[a-]b-]["};
    for (size_t i = 0; i < CORE_COUNT_OF(patterns); i++) {
        core_error error = {.text = ""};
        expr_regex *regex = expr_regex_new(core_slice_text(patterns[i]), false, &error);
        if (regex != NULL)
            fail_msg("%s is taken", patterns[i]);
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        if (strstr(error.text, "regular expression") == NULL)
            fail_msg("%s: %s", patterns[i], error.text);
    }
}

static void refusals_show_the_place(void **state) {
    (void)state;
    core_error error;
    assert_null(expr_regex_new(core_slice_text("ab(?i)c"), false, &error));
    assert_non_null(strstr(error.text, "at \"(?i)c\""));
    assert_null(expr_regex_new(core_slice_text("a\\yb"), false, &error));
    assert_non_null(strstr(error.text, "at \"yb\": this escape is not taken"));
}

/* Patterns that make a backtracking engine try everything end, and say that they did not get to
 * the end. */
static void steps_are_bounded(void **state) {
    (void)state;
    static const char *const patterns[] = {"^(a+)+$", "^(a|aa)+$", "^(a|a)*$", "^(.*)*(.*)*(.*)*x$",
                                           "(.*.*.*.*.*)b"};
    static char text[4097];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 2] = 'c';
    for (size_t i = 0; i < CORE_COUNT_OF(patterns); i++) {
        clock_t start = clock(); /* the processor's time, whoever else is on the machine */
        expr_truth truth = truth_of(text, patterns[i], false);
        assert_int_not_equal(truth, EXPR_TRUE);
        assert_in_range((clock() - start) / CLOCKS_PER_SEC, 0, 1);
    }
    assert_int_equal(truth_of(text, "^(a+)+$", false), EXPR_UNKNOWN);
    assert_int_equal(truth_of(text, "^a+c$", false), EXPR_TRUE);
}

static void sizes_are_bounded(void **state) {
    (void)state;
    core_error error;
    assert_null(expr_regex_new(core_slice_text("((((a|bc){9}){99}){99}){99}"), false, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    char deep[128];
    memset(deep, '(', sizeof deep);
    assert_null(expr_regex_new(core_slice_make(deep, sizeof deep), false, &error));
    assert_non_null(strstr(error.text, "50 groups"));
}

static void what_is_no_text_is_unknown(void **state) {
    (void)state;
    assert_int_equal(truth_of("a\xff", "a", false), EXPR_UNKNOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_as_postgresql_does),
        cmocka_unit_test(what_differs_between_the_engines_is_refused),
        cmocka_unit_test(refusals_show_the_place),
        cmocka_unit_test(steps_are_bounded),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(what_is_no_text_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
