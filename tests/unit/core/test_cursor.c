/* The cursor: reads what is there, fails at the first byte that is not, and stays failed. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static core_cursor over(const void *bytes, size_t length) {
    return core_cursor_make(core_slice_make(bytes, length));
}

static void numbers_are_read_in_their_order(void **state) {
    (void)state;
    static const uint8_t bytes[] = {1,  2,    3,    4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                                    15, 0xD2, 0x02, 0, 0, 1, 0, 0, 0, 0,  0,  0,  2};
    core_cursor cursor = over(bytes, sizeof bytes);
    assert_int_equal(core_cursor_u8(&cursor), 0x01);
    assert_int_equal(core_cursor_u16(&cursor), 0x0203);
    assert_int_equal(core_cursor_u32(&cursor), 0x04050607);
    assert_true(core_cursor_u64(&cursor) == UINT64_C(0x08090a0b0c0d0e0f));
    assert_int_equal(core_cursor_fixed32(&cursor), 0x000002D2);
    assert_int_equal(core_cursor_left(&cursor), 8);
    assert_true(core_cursor_fixed64(&cursor) == UINT64_C(0x0200000000000001));
    assert_true(core_cursor_done(&cursor));
}

static void failure_sticks(void **state) {
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3};
    core_cursor cursor = over(bytes, sizeof bytes);
    assert_int_equal(core_cursor_u32(&cursor), 0);
    assert_false(core_cursor_ok(&cursor));
    assert_int_equal(core_cursor_u8(&cursor), 0);
    assert_int_equal(core_cursor_left(&cursor), 0);
    assert_int_equal(core_cursor_offset(&cursor), 0);
    assert_null(core_cursor_rest(&cursor).data);
    assert_false(core_cursor_done(&cursor));
}

/* A heap block of exactly the length, so that a sanitizer sees a read beyond it. */
static void no_read_leaves_the_slice(void **state) {
    (void)state;
    for (size_t length = 0; length < 12; length++) {
        uint8_t *bytes = malloc(length + (length == 0));
        memset(bytes, 0xFF, length);
        for (int read = 0; read < 9; read++) {
            core_cursor cursor = over(bytes, length);
            switch (read) {
            case 0:
                (void)core_cursor_u16(&cursor);
                break;
            case 1:
                (void)core_cursor_u32(&cursor);
                break;
            case 2:
                (void)core_cursor_u64(&cursor);
                break;
            case 3:
                (void)core_cursor_varint(&cursor);
                break;
            case 4:
                (void)core_cursor_fixed32(&cursor);
                break;
            case 5:
                (void)core_cursor_fixed64(&cursor);
                break;
            case 6:
                (void)core_cursor_delimited(&cursor);
                break;
            case 7:
                assert_int_equal(core_cursor_string(&cursor).length, 0);
                assert_false(core_cursor_ok(&cursor));
                break;
            default:
                (void)core_cursor_bytes(&cursor, SIZE_MAX);
                assert_false(core_cursor_ok(&cursor));
                break;
            }
        }
        free(bytes);
    }
}

static void strings_end_at_their_nul(void **state) {
    (void)state;
    core_cursor cursor = over("public\0\0rest", 12);
    assert_true(core_slice_is(core_cursor_string(&cursor), "public"));
    assert_true(core_slice_is(core_cursor_string(&cursor), ""));
    assert_true(core_cursor_ok(&cursor));
    assert_true(core_slice_is(core_cursor_rest(&cursor), "rest"));
    assert_true(core_cursor_done(&cursor));
}

static void an_empty_rest_is_no_failure(void **state) {
    (void)state;
    core_cursor cursor = over(NULL, 0);
    assert_int_equal(core_cursor_rest(&cursor).length, 0);
    assert_true(core_cursor_done(&cursor));
    core_cursor_fail(&cursor);
    assert_false(core_cursor_ok(&cursor));
}

static void varints_have_at_most_64_bits(void **state) {
    (void)state;
    core_cursor cursor = over("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 10);
    assert_true(core_cursor_varint(&cursor) == UINT64_MAX);
    assert_true(core_cursor_done(&cursor));
    cursor = over("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 10);
    assert_true(core_cursor_varint(&cursor) == 0);
    assert_false(core_cursor_ok(&cursor));
    cursor = over("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
    assert_true(core_cursor_varint(&cursor) == 0);
    assert_false(core_cursor_ok(&cursor));
    cursor = over("\xAC\x02", 2);
    assert_int_equal(core_cursor_varint(&cursor), 300);
    cursor = over("\xAC", 1);
    assert_int_equal(core_cursor_varint(&cursor), 0);
    assert_false(core_cursor_ok(&cursor));
}

static void delimited_bytes_stay_inside(void **state) {
    (void)state;
    core_cursor cursor = over("\x03xyz\x04xyz", 8);
    assert_true(core_slice_is(core_cursor_delimited(&cursor), "xyz"));
    assert_int_equal(core_cursor_delimited(&cursor).length, 0);
    assert_false(core_cursor_ok(&cursor));
    cursor = over("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01x", 11);
    assert_int_equal(core_cursor_delimited(&cursor).length, 0);
    assert_false(core_cursor_ok(&cursor));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_in_their_order),
        cmocka_unit_test(failure_sticks),
        cmocka_unit_test(no_read_leaves_the_slice),
        cmocka_unit_test(strings_end_at_their_nul),
        cmocka_unit_test(an_empty_rest_is_no_failure),
        cmocka_unit_test(varints_have_at_most_64_bits),
        cmocka_unit_test(delimited_bytes_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
