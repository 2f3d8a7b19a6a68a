/* What a result says, and who waits for it. */
#include "tests/unit/triggers/definitions.h"
#include "triggers/result.h"

#include <stdio.h>

static const triggers_definition *waiting(const char *name, const char *project, const char *on) {
    char text[512];
    (void)snprintf(text, sizeof text, "name: %s\non: %s\ndo: { nats: { subject: x } }\n", name, on);
    return definition_of(project, text);
}

static bool wanted(const triggers_result_book *book, const char *project, const char *trigger,
                   unsigned outcome) {
    return triggers_result_wanted(book, core_slice_text(project), core_slice_text(trigger),
                                  outcome);
}

static void test_who_waits(void **state) {
    const triggers_definition *made[] = {
        waiting("a", "shop", "{ result: paid, outcome: [dead] }"),
        waiting("b", "shop", "{ result: paid, outcome: [dead] }"),
        waiting("c", "shop", "{ result: sent }"),
        waiting("d", "shop", "{ table: public.t }"),
        waiting("e", "other", "{ result: paid, outcome: [delivered] }"),
    };
    const size_t count = CORE_COUNT_OF(made);
    triggers_result_book book = {.waiting = NULL};
    (void)state;
    const triggers_set *set = triggers_set_new(made, count, 1, 1);
    assert_non_null(set);
    assert_true(triggers_result_book_fill(&book, set));
    assert_int_equal(book.count, 4);
    assert_true(wanted(&book, "shop", "paid", TRIGGERS_RESULT_DEAD));
    assert_false(wanted(&book, "shop", "paid", TRIGGERS_RESULT_DELIVERED));
    assert_true(wanted(&book, "other", "paid", TRIGGERS_RESULT_DELIVERED));
    assert_false(wanted(&book, "other", "paid", TRIGGERS_RESULT_DEAD));
    assert_true(wanted(&book, "shop", "sent", TRIGGERS_RESULT_DELIVERED));
    assert_true(wanted(&book, "shop", "sent", TRIGGERS_RESULT_DEAD));
    assert_false(wanted(&book, "shop", "d", TRIGGERS_RESULT_DEAD));
    assert_false(wanted(&book, "nobody", "paid", TRIGGERS_RESULT_DEAD));
    triggers_result_book_fini(&book);
    assert_false(wanted(&book, "shop", "sent", TRIGGERS_RESULT_DEAD));
    triggers_set_release(set);
    for (size_t i = 0; i < count; i++)
        triggers_definition_release(made[i]);
}

static void assert_says(const triggers_result *result, const char *expected) {
    const triggers_task task = {.trigger = core_slice_text("order-paid"),
                                .event_id = core_slice_text("e-9.1")};
    core_buffer out;
    core_buffer_init(&out, 4096);
    triggers_result_write(&task, result, &out);
    if (!core_slice_is(core_buffer_slice(&out), expected))
        fail_msg("%.*s", CORE_SLICE_ARGS(core_buffer_slice(&out)));
    core_buffer_fini(&out);
}

static void test_what_it_says(void **state) {
    (void)state;
    const triggers_result dead = {.outcome = TRIGGERS_RESULT_DEAD,
                                  .reason = core_slice_text("it said \"no\""),
                                  .http_status = 500,
                                  .attempts = 10,
                                  .time_us = INT64_C(1767225600123456)};
    assert_says(&dead,
                "{\"trigger\":\"order-paid\",\"event_id\":\"e-9.1\",\"status\":\"dead\",\"reason\":"
                "\"it said \\\"no\\\"\",\"http_status\":500,\"attempts\":10,\"time\":"
                "\"2026-01-01T00:00:00.123Z\"}");
    const triggers_result good = {.outcome = TRIGGERS_RESULT_DELIVERED, .attempts = 1};
    assert_says(&good,
                "{\"trigger\":\"order-paid\",\"event_id\":\"e-9.1\",\"status\":\"delivered\","
                "\"reason\":null,\"http_status\":null,\"attempts\":1,\"time\":"
                "\"1970-01-01T00:00:00.000Z\"}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_waits),
        cmocka_unit_test(test_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
