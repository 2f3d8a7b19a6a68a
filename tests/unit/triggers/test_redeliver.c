/* The wish to have something delivered again: read as it was written, and nothing else for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/redeliver.h"

enum { ARENA_BYTES = 4096 };

static bool read_text(const char *json, core_arena *arena, triggers_redelivery *redelivery) {
    core_error error = {0};
    return triggers_redelivery_read(core_slice_text(json), arena, redelivery, &error);
}

static void test_comes_back_as_it_was(void **state) {
    uint8_t memory[TRIGGERS_REDELIVER_MAX];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    core_arena arena;
    core_error error = {0};
    triggers_redelivery back;
    const triggers_redelivery event = {.trigger = core_slice_text("order-paid"),
                                       .event_id = core_slice_text("0kq1-17.3")};
    const triggers_redelivery letter = {.trigger = core_slice_text("order-paid"), .dead = 12};
    (void)state;
    core_arena_init(&arena, ARENA_BYTES, ARENA_BYTES);
    triggers_redelivery_write(&event, &out);
    assert_true(core_slice_is(core_buffer_slice(&out),
                              "{\"trigger\":\"order-paid\",\"event_id\":\"0kq1-17.3\"}"));
    assert_true(triggers_redelivery_read(core_buffer_slice(&out), &arena, &back, &error));
    assert_true(core_slice_equal(back.trigger, event.trigger));
    assert_true(core_slice_equal(back.event_id, event.event_id));
    assert_int_equal(back.dead, 0);
    core_buffer_reset(&out);
    triggers_redelivery_write(&letter, &out);
    assert_true(triggers_redelivery_read(core_buffer_slice(&out), &arena, &back, &error));
    assert_int_equal(back.dead, 12);
    assert_int_equal(back.event_id.length, 0);
    core_arena_fini(&arena);
}

static void test_what_is_none_is_refused(void **state) {
    static const char *const wrong[] = {
        "",
        "[]",
        "null",
        "{}",
        "{\"trigger\":\"a\"}",
        "{\"event_id\":\"0-1.0\"}",
        "{\"trigger\":\"\",\"event_id\":\"0-1.0\"}",
        "{\"trigger\":\"a b\",\"event_id\":\"0-1.0\"}",
        "{\"trigger\":\"a\",\"event_id\":\"0-1.0\\u0001\"}",
        "{\"trigger\":\"a\",\"event_id\":7}",
        "{\"trigger\":\"a\",\"event_id\":\"0-1.0\",\"dead\":4}",
        "{\"trigger\":\"a\",\"dead\":0}",
        "{\"trigger\":\"a\",\"dead\":-1}",
        "{\"trigger\":\"a\",\"dead\":1.5}",
        "{\"trigger\":\"a\",\"dead\":\"4\"}",
        "{\"trigger\":\"a\",\"dead\":4} x",
        "{\"trigger\":\"a\",\"dead\":4",
    };
    core_arena arena;
    triggers_redelivery back;
    (void)state;
    core_arena_init(&arena, ARENA_BYTES, ARENA_BYTES);
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++)
        if (read_text(wrong[i], &arena, &back))
            fail_msg("%s was taken", wrong[i]);
    assert_true(read_text("{\"later\":[1],\"trigger\":\"a\",\"dead\":4}", &arena, &back));
    core_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back_as_it_was),
        cmocka_unit_test(test_what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
