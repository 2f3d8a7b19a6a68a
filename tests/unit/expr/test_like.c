/* LIKE patterns against texts. What is expected is what PostgreSQL 15 answers to
 * SELECT 'text' COLLATE "C" LIKE 'pattern'. */
#include "expr/like.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *pattern;
    bool like;
    bool ilike;
} cases[] = {
    {"", "", true, true},
    {"", "%", true, true},
    {"", "%%", true, true},
    {"", "_", false, false},
    {"a", "", false, false},
    {"abc", "abc", true, true},
    {"abc", "ABC", false, true},
    {"abc", "ab", false, false},
    {"abc", "a%", true, true},
    {"abc", "%C", false, true},
    {"abc", "a_c", true, true},
    {"abc", "a__c", false, false},
    {"abcabcabd", "%abd", true, true},
    {"abcabcabd", "%abc", false, false},
    {"aXbXc", "a%x%c", false, true},
    {"a%c", "a\\%c", true, true},
    {"abc", "a\\%c", false, false},
    {"a\\c", "a\\\\c", true, true},
    {"aBc", "a\\bc", false, true},
    {"Zo\xc3\xab!", "Zo_!", true, true},
    {"Zo\xc3\xab", "%_\xc3\xab", true, true},
    {"Zo\xc3\xab", "%\xc3\xab_", false, false},
    {"\xc3\x89", "\xc3\xa9", false, false}, /* only ASCII letters fold */
    {"\xf0\x9f\x98\x80", "_", true, true},
    {"aab", "%a_b%", true, true},
    {"ab", "%_%_%", true, true},
};

static void matches_as_postgresql_does(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        core_slice text = core_slice_text(cases[i].text);
        core_slice pattern = core_slice_text(cases[i].pattern);
        assert_true(expr_like_check(pattern));
        if (expr_like(text, pattern, false) != (cases[i].like ? EXPR_TRUE : EXPR_FALSE))
            fail_msg("'%s' LIKE '%s'", cases[i].text, cases[i].pattern);
        if (expr_like(text, pattern, true) != (cases[i].ilike ? EXPR_TRUE : EXPR_FALSE))
            fail_msg("'%s' ILIKE '%s'", cases[i].text, cases[i].pattern);
    }
}

static void a_backslash_at_the_end_takes_nothing(void **state) {
    (void)state;
    assert_false(expr_like_check(core_slice_text("\\")));
    assert_false(expr_like_check(core_slice_text("a\\\\\\")));
    assert_true(expr_like_check(core_slice_text("a\\\\")));
}

static void what_is_no_text_has_no_characters(void **state) {
    (void)state;
    core_slice broken = core_slice_text("a\xff");
    assert_int_equal(expr_like(broken, core_slice_text("a_"), false), EXPR_UNKNOWN);
    assert_int_equal(expr_like(broken, core_slice_text("a%"), false), EXPR_TRUE);
}

static void steps_are_bounded(void **state) {
    (void)state;
    static char text[200001];
    static char pattern[2003];
    memset(text, 'a', sizeof text - 1);
    memset(pattern, 'a', sizeof pattern - 1);
    pattern[0] = '%';
    pattern[sizeof pattern - 2] = 'b';
    assert_int_equal(expr_like(core_slice_text(text), core_slice_text(pattern), false),
                     EXPR_UNKNOWN);
    assert_int_equal(expr_like(core_slice_text(text), core_slice_text("%a%a%a%"), false),
                     EXPR_TRUE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_as_postgresql_does),
        cmocka_unit_test(a_backslash_at_the_end_takes_nothing),
        cmocka_unit_test(what_is_no_text_has_no_characters),
        cmocka_unit_test(steps_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
