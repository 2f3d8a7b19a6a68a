/* A schedule's record and body. */
#include "triggers/tick.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_record_comes_back(void **state) {
    (void)state;
    char memory[256];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    const triggers_tick_record record = {
        .last_us = INT64_C(1700000000123456), .since = core_slice_text("0-17.0"), .off = true};
    triggers_tick_record read;
    triggers_tick_record_write(&record, &text);
    assert_true(triggers_tick_record_read(core_buffer_slice(&text), &read));
    assert_int_equal(read.last_us, record.last_us);
    assert_true(core_slice_equal(read.since, record.since));
    assert_true(read.off);
}

static void what_is_no_record_is_none(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "{}",
                                        "[]",
                                        "{\"last\":\"1\"}",
                                        "{\"last\":1",
                                        "{\"last\":99999999999999999999}",
                                        "{\"last\":1}x"};
    triggers_tick_record read;
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++)
        assert_false(triggers_tick_record_read(core_slice_text(wrong[i]), &read));
    assert_true(triggers_tick_record_read(core_slice_text("{\"more\":[1],\"last\":-5}"), &read));
    assert_int_equal(read.last_us, -5);
    assert_false(read.off);
}

static void a_body_says_which_and_when(void **state) {
    (void)state;
    char memory[256];
    core_buffer body = core_buffer_over(memory, sizeof memory);
    const triggers_definition definition = {.name = core_slice_text("nightly")};
    triggers_tick_body(&definition, INT64_C(1700000000) * CORE_US_PER_S, &body);
    assert_true(core_slice_is(core_buffer_slice(&body),
                              "{\"schedule\":\"nightly\",\"time\":\"2023-11-14T22:13:20.000Z\"}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back),
        cmocka_unit_test(what_is_no_record_is_none),
        cmocka_unit_test(a_body_says_which_and_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
