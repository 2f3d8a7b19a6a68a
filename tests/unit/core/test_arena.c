/* The arena: aligned, zeroed, bounded, and what was given out stays where it is until the reset. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void allocations_are_aligned_zeroed_and_apart(void **state) {
    (void)state;
    core_arena arena;
    core_arena_init(&arena, 256, 64 * 1024);
    uint8_t *things[100];
    for (size_t i = 0; i < 100; i++) {
        things[i] = core_arena_alloc(&arena, i + 1);
        assert_non_null(things[i]);
        assert_int_equal((uintptr_t)things[i] % _Alignof(max_align_t), 0);
        for (size_t byte = 0; byte <= i; byte++)
            assert_int_equal(things[i][byte], 0);
        memset(things[i], (int)i, i + 1);
    }
    for (size_t i = 0; i < 100; i++)
        for (size_t byte = 0; byte <= i; byte++)
            assert_int_equal(things[i][byte], i);
    core_arena_fini(&arena);
}

static void memory_is_zero_again_after_a_reset(void **state) {
    (void)state;
    core_arena arena;
    core_arena_init(&arena, 256, 4096);
    memset(core_arena_alloc(&arena, 200), 0xAA, 200);
    core_arena_reset(&arena);
    uint8_t *again = core_arena_alloc(&arena, 200);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(again[i], 0);
    core_arena_fini(&arena);
}

static void the_maximum_holds_and_a_reset_gives_room(void **state) {
    (void)state;
    core_arena arena;
    core_arena_init(&arena, 256, 1024);
    size_t got = 0;
    while (core_arena_alloc(&arena, 64) != NULL)
        got += 64;
    assert_int_equal(got, 1024);
    assert_true(arena.held_bytes <= 1024);
    core_arena_reset(&arena);
    assert_non_null(core_arena_alloc(&arena, 1024 - 256));
    assert_null(core_arena_alloc(&arena, 64));
    core_arena_fini(&arena);
    assert_int_equal(arena.held_bytes, 0);
}

static void sizes_that_overflow_give_null(void **state) {
    (void)state;
    core_arena arena;
    core_arena_init(&arena, 256, SIZE_MAX);
    assert_null(core_arena_alloc(&arena, SIZE_MAX));
    assert_null(core_arena_alloc(&arena, SIZE_MAX - 16));
    assert_null(core_arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(core_arena_copy(&arena, core_slice_make("x", SIZE_MAX)).data);
    assert_non_null(core_arena_array(&arena, 3, 5));
    assert_non_null(core_arena_array(&arena, 0, 5));
    core_arena_fini(&arena);
}

static void a_large_thing_does_not_stay_after_a_reset(void **state) {
    (void)state;
    core_arena arena;
    core_arena_init(&arena, 256, 1024 * 1024);
    assert_non_null(core_arena_alloc(&arena, 500000));
    core_arena_reset(&arena);
    assert_true(arena.held_bytes <= 256);
    core_arena_fini(&arena);
}

static void copies_end_in_a_nul(void **state) {
    (void)state;
    core_arena arena;
    core_arena_init(&arena, 256, 4096);
    core_slice copy = core_arena_copy(&arena, core_slice_text("public"));
    assert_string_equal((const char *)copy.data, "public");
    assert_int_equal(copy.length, 6);
    core_slice empty = core_arena_copy(&arena, core_slice_make(NULL, 0));
    assert_non_null(empty.data);
    assert_int_equal(empty.length, 0);
    core_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_zeroed_and_apart),
        cmocka_unit_test(memory_is_zero_again_after_a_reset),
        cmocka_unit_test(the_maximum_holds_and_a_reset_gives_room),
        cmocka_unit_test(sizes_that_overflow_give_null),
        cmocka_unit_test(a_large_thing_does_not_stay_after_a_reset),
        cmocka_unit_test(copies_end_in_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
