/* A position comes back as it was written, in the one form that it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/position.h"

static triggers_position sample(void) {
    return (triggers_position){
        .turn = 9,
        .input = TRIGGERS_INPUT_CHANGES_FAR,
        .places = {[TRIGGERS_INPUT_CHANGES] = {.at = {.epoch = "0kq1", .sequence = 17, .index = 3},
                                               .lsn = 0x16B374D848,
                                               .index = 9,
                                               .chain_xid = 771,
                                               .chain_depth = 2},
                   [TRIGGERS_INPUT_EVENTS] = {.at = {.epoch = "5f0a", .sequence = 11}},
                   [TRIGGERS_INPUT_CHANGES_FAR] = {.round = 4}}};
}

static bool position_read(core_slice bytes, triggers_position *position) {
    core_cursor cursor = core_cursor_make(bytes);
    triggers_position_read(&cursor, position);
    return core_cursor_ok(&cursor) && core_cursor_rest(&cursor).length == 0;
}

static void test_comes_back_as_it_was(void **state) {
    uint8_t memory[TRIGGERS_POSITION_MAX];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    triggers_position position = sample(), back;
    (void)state;
    triggers_position_write(&position, &out);
    assert_true(position_read(core_buffer_slice(&out), &back));
    assert_true(triggers_position_equal(&position, &back));
    back.places[TRIGGERS_INPUT_CHANGES].chain_depth++;
    assert_false(triggers_position_equal(&position, &back));
}

static void test_all_places_fit(void **state) {
    uint8_t memory[TRIGGERS_POSITION_MAX];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    triggers_position position = sample(), back;
    (void)state;
    for (size_t i = 0; i < TRIGGERS_INPUTS; i++)
        position.places[i] = (triggers_place){
            .at = {.epoch = "0123456789abcdef", .sequence = UINT64_MAX, .index = UINT32_MAX}};
    triggers_position_write(&position, &out);
    assert_true(position_read(core_buffer_slice(&out), &back));
    assert_true(triggers_position_equal(&position, &back));
}

static void test_what_is_none_is_refused(void **state) {
    uint8_t memory[TRIGGERS_POSITION_MAX];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    triggers_position position = sample(), back;
    (void)state;
    triggers_position_write(&position, &out);
    for (size_t length = 0; length < out.length; length++)
        assert_false(position_read(core_slice_make(memory, length), &back));
    enum { INPUT_AT = 8, KNOWN_AT = 9, EPOCH_AT = 10 };
    memory[INPUT_AT] = TRIGGERS_INPUTS;
    assert_false(position_read(core_buffer_slice(&out), &back));
    memory[INPUT_AT] = 0;
    memory[EPOCH_AT] = CORE_EPOCH_TEXT_SIZE;
    assert_false(position_read(core_buffer_slice(&out), &back));
    memory[KNOWN_AT] = 1u << TRIGGERS_INPUTS;
    assert_false(position_read(core_buffer_slice(&out), &back));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back_as_it_was),
        cmocka_unit_test(test_all_places_fit),
        cmocka_unit_test(test_what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
