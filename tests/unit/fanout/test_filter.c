/* Subjects in JSON: quotes and backslashes escaped, all else as it is. */
#include "fanout/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void what_json_minds_is_escaped(void **state) {
    char escaped[FANOUT_FILTER_MAX];
    core_error error;
    (void)state;
    assert_true(fanout_filter_escape("a.b.c.Odd%20\"T\"\\x.*", escaped, &error));
    assert_string_equal(escaped, "a.b.c.Odd%20\\\"T\\\"\\\\x.*");
    assert_true(fanout_filter_escape("", escaped, &error));
    assert_string_equal(escaped, "");
}

static void the_longest_fits_and_a_longer_one_is_refused(void **state) {
    char subject[CORE_SUBJECT_MAX + 1];
    char escaped[FANOUT_FILTER_MAX];
    core_error error = {0};
    (void)state;
    memset(subject, '"', sizeof subject);
    subject[CORE_SUBJECT_MAX - 1] = '\0';
    assert_true(fanout_filter_escape(subject, escaped, &error));
    assert_int_equal(strlen(escaped), 2 * (CORE_SUBJECT_MAX - 1));
    subject[CORE_SUBJECT_MAX - 1] = '"';
    subject[CORE_SUBJECT_MAX] = '\0';
    assert_false(fanout_filter_escape(subject, escaped, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_json_minds_is_escaped),
        cmocka_unit_test(the_longest_fits_and_a_longer_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
