/* The buffer: grows to its maximum and not a byte further; a failure sticks until the reset. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void what_is_appended_is_there(void **state) {
    (void)state;
    core_buffer buffer;
    core_buffer_init(&buffer, 1024);
    core_buffer_text(&buffer, "abc");
    core_buffer_slice_append(&buffer, core_slice_text("def"));
    core_buffer_format(&buffer, "%d-%s", 42, "x");
    core_buffer_append(&buffer, NULL, 0);
    assert_true(core_slice_is(core_buffer_slice(&buffer), "abcdef42-x"));
    assert_true(core_buffer_ok(&buffer));
    core_buffer_fini(&buffer);
}

static void numbers_are_big_endian(void **state) {
    (void)state;
    static const uint8_t expected[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
                                       0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f};
    core_buffer buffer;
    core_buffer_init(&buffer, 64);
    core_buffer_u8(&buffer, 0x01);
    core_buffer_u16(&buffer, 0x0203);
    core_buffer_u32(&buffer, 0x04050607);
    core_buffer_u64(&buffer, UINT64_C(0x08090a0b0c0d0e0f));
    assert_true(
        core_slice_equal(core_buffer_slice(&buffer), core_slice_make(expected, sizeof expected)));
    core_buffer_fini(&buffer);
}

static void the_maximum_is_exact_and_failure_sticks(void **state) {
    (void)state;
    for (size_t max = 0; max < 600; max++) {
        core_buffer buffer;
        core_buffer_init(&buffer, max);
        for (size_t i = 0; i < max; i++)
            core_buffer_u8(&buffer, 'x');
        assert_true(core_buffer_ok(&buffer));
        core_buffer_text(&buffer, "yz");
        assert_false(core_buffer_ok(&buffer));
        assert_int_equal(buffer.length, max);
        core_buffer_append(&buffer, NULL, 0);
        assert_null(core_buffer_reserve(&buffer, 0));
        core_buffer_reset(&buffer);
        assert_true(core_buffer_ok(&buffer));
        assert_int_equal(buffer.length, 0);
        core_buffer_fini(&buffer);
    }
}

/* Texts shorter and longer than what is made beside the buffer, each filling it exactly. */
static void a_format_may_fill_it_exactly(void **state) {
    (void)state;
    static const size_t lengths[] = {3, 255, 256, 511, 512, 513, 5000};
    for (size_t i = 0; i < CORE_COUNT_OF(lengths); i++) {
        core_buffer buffer;
        core_buffer_init(&buffer, lengths[i]);
        core_buffer_format(&buffer, "%*s", (int)lengths[i], "end");
        assert_true(core_buffer_ok(&buffer));
        assert_int_equal(buffer.length, lengths[i]);
        assert_int_equal(buffer.data[lengths[i] - 1], 'd');
        core_buffer_format(&buffer, "%s", "");
        assert_true(core_buffer_ok(&buffer));
        core_buffer_format(&buffer, "%d", 1);
        assert_false(core_buffer_ok(&buffer));
        core_buffer_fini(&buffer);
    }
}

static void a_format_past_the_maximum_adds_nothing(void **state) {
    (void)state;
    core_buffer buffer;
    core_buffer_init(&buffer, 600);
    core_buffer_text(&buffer, "kept");
    core_buffer_format(&buffer, "%*s", 601, "x");
    assert_false(core_buffer_ok(&buffer));
    assert_true(core_slice_is(core_buffer_slice(&buffer), "kept"));
    core_buffer_fini(&buffer);
}

static void reserved_room_can_be_written(void **state) {
    (void)state;
    core_buffer buffer;
    core_buffer_init(&buffer, 100000);
    for (size_t length = 0; length < 300; length++) {
        uint8_t *target = core_buffer_reserve(&buffer, length);
        assert_non_null(target);
        memset(target, (int)length, length);
        core_buffer_commit(&buffer, length);
    }
    assert_null(core_buffer_reserve(&buffer, SIZE_MAX));
    core_buffer_fini(&buffer);
}

static void memory_of_the_callers_is_filled_and_never_grown(void **state) {
    (void)state;
    char memory[4];
    core_buffer buffer = core_buffer_over(memory, sizeof memory);
    core_buffer_text(&buffer, "abc");
    core_buffer_text(&buffer, "d");
    assert_true(core_buffer_ok(&buffer) && buffer.data == (uint8_t *)memory);
    assert_memory_equal(memory, "abcd", 4);
    core_buffer_text(&buffer, "e");
    assert_false(core_buffer_ok(&buffer));
    assert_int_equal(buffer.length, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_is_there),
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(the_maximum_is_exact_and_failure_sticks),
        cmocka_unit_test(a_format_may_fill_it_exactly),
        cmocka_unit_test(a_format_past_the_maximum_adds_nothing),
        cmocka_unit_test(reserved_room_can_be_written),
        cmocka_unit_test(memory_of_the_callers_is_filled_and_never_grown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
