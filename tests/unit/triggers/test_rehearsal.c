/* What a dry run comes to: events counted by what decided them. */
#include "triggers/rehearsal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static triggers_explanation decided(const char *outcome, const char *clause, expr_verdict verdict) {
    triggers_explanation explanation = {.outcome = core_slice_text(outcome)};
    explanation.reason = core_slice_text("for a reason");
    if (clause != NULL) {
        explanation.clauses[0].text = core_slice_text(clause);
        explanation.clauses[0].verdict = verdict;
        explanation.clause_count = explanation.decided_by = 1;
    }
    return explanation;
}

static void add(triggers_tally *tally, const char *outcome, const char *clause,
                expr_verdict verdict, unsigned times) {
    triggers_explanation explanation = decided(outcome, clause, verdict);
    while (times-- > 0)
        triggers_tally_add(tally, &explanation);
}

static void assert_text(const triggers_tally *tally, const char *expected) {
    core_buffer out;
    core_buffer_init(&out, 65536);
    triggers_tally_text(tally, &out);
    core_buffer_u8(&out, 0);
    assert_string_equal((const char *)core_buffer_slice(&out).data, expected);
    core_buffer_fini(&out);
}

static void test_counted_by_clause_and_result(void **state) {
    (void)state;
    triggers_tally tally = {.events = 0};
    add(&tally, "matched", NULL, EXPR_VERDICT_TRUE, 3);
    add(&tally, "not matched", "new.a = 1", EXPR_VERDICT_FALSE, 2);
    add(&tally, "not matched", "new.a = 1", EXPR_VERDICT_UNKNOWN, 1);
    add(&tally, "not matched", "new.a = 1", EXPR_VERDICT_FALSE, 4);
    add(&tally, "unfit", NULL, EXPR_VERDICT_TRUE, 1);
    assert_text(&tally, "11 events: 3 would be delivered, 8 not\n"
                        "        6  not matched: new.a = 1 is false\n"
                        "        1  not matched: new.a = 1 is null\n"
                        "        1  unfit: for a reason\n");
}

static void test_reasons_beyond_the_maximum_are_counted_as_one(void **state) {
    (void)state;
    triggers_tally tally = {.events = 0};
    char long_text[600];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    for (unsigned i = 0; i < 2 * TRIGGERS_TALLY_MAX; i++) {
        char reason[32];
        (void)snprintf(reason, sizeof reason, "reason %u", i);
        triggers_explanation explanation = decided("error", NULL, EXPR_VERDICT_TRUE);
        explanation.reason = core_slice_text(i < 2 ? long_text : reason);
        triggers_tally_add(&tally, &explanation);
    }
    assert_int_equal(tally.count, TRIGGERS_TALLY_MAX);
    assert_int_equal(tally.rows[0].count, 2); /* cut alike */
    assert_string_equal(tally.rows[TRIGGERS_TALLY_MAX - 1].text, "other reasons");
    uint64_t sum = 0;
    for (size_t i = 0; i < tally.count; i++)
        sum += tally.rows[i].count;
    assert_int_equal(sum, 2 * TRIGGERS_TALLY_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counted_by_clause_and_result),
        cmocka_unit_test(test_reasons_beyond_the_maximum_are_counted_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
