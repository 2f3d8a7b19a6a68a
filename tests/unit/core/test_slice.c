/* Slices: conversions that take the whole text or none of it. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void equality_is_of_bytes(void **state) {
    (void)state;
    assert_true(core_slice_equal(core_slice_make("a\0b", 3), core_slice_make("a\0b", 3)));
    assert_false(core_slice_equal(core_slice_make("a\0b", 3), core_slice_make("a\0c", 3)));
    assert_false(core_slice_is(core_slice_make("ab", 2), "abc"));
    assert_true(core_slice_is(core_slice_make(NULL, 0), ""));
    assert_int_equal(core_slice_text(NULL).length, 0);
}

static void the_order_is_of_bytes_then_of_lengths(void **state) {
    static const char *const rising[] = {"", "a", "a\x01", "aa", "ab", "b", "\x80", "\xff"};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rising); i++)
        for (size_t j = 0; j < CORE_COUNT_OF(rising); j++) {
            int order = core_slice_compare(core_slice_text(rising[i]), core_slice_text(rising[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    assert_int_equal(core_slice_compare(core_slice_make(NULL, 0), core_slice_text("")), 0);
}

static void hexadecimal_digits_are_of_either_case(void **state) {
    static const char digits[] = "0123456789abcdef";
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool upper = byte >= 'A' && byte <= 'F';
        const char *found =
            byte != 0 ? memchr(digits, upper ? byte + 0x20 : byte, sizeof digits - 1) : NULL;
        assert_int_equal(core_hex_digit((uint8_t)byte), found != NULL ? (int)(found - digits) : -1);
    }
}

static void texts_fit_or_are_refused(void **state) {
    (void)state;
    char target[4] = "?";
    assert_true(core_slice_to_text(core_slice_text("abc"), target, sizeof target));
    assert_string_equal(target, "abc");
    assert_false(core_slice_to_text(core_slice_text("abcd"), target, sizeof target));
    assert_string_equal(target, "");
    assert_false(core_slice_to_text(core_slice_make("a\0b", 3), target, sizeof target));
    assert_string_equal(target, "");
    assert_true(core_slice_to_text(core_slice_make(NULL, 0), target, sizeof target));
}

static void unsigned_numbers_are_exact(void **state) {
    (void)state;
    static const char *const refused[] = {"",
                                          "-1",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "0x1",
                                          "1.0",
                                          "1a",
                                          "18446744073709551616",
                                          "99999999999999999999"};
    uint64_t value = 7;
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        assert_false(core_slice_to_u64(core_slice_text(refused[i]), &value));
    assert_true(value == 7);
    assert_true(core_slice_to_u64(core_slice_text("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(core_slice_to_u64(core_slice_text("007"), &value));
    assert_true(value == 7);
}

static void signed_numbers_are_exact(void **state) {
    (void)state;
    int64_t value;
    assert_true(core_slice_to_i64(core_slice_text("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
    assert_true(core_slice_to_i64(core_slice_text("9223372036854775807"), &value));
    assert_true(value == INT64_MAX);
    assert_true(core_slice_to_i64(core_slice_text("-0"), &value));
    assert_true(value == 0);
    assert_false(core_slice_to_i64(core_slice_text("9223372036854775808"), &value));
    assert_false(core_slice_to_i64(core_slice_text("-9223372036854775809"), &value));
    assert_false(core_slice_to_i64(core_slice_text("-"), &value));
    assert_false(core_slice_to_i64(core_slice_text("--1"), &value));
    assert_false(core_slice_to_i64(core_slice_make(NULL, 0), &value));
}

/* Vectors of http://www.isthe.com/chongo/tech/comp/fnv/ */
static void the_hash_is_fnv_1a(void **state) {
    (void)state;
    assert_true(core_slice_hash(core_slice_text("")) == UINT64_C(0xcbf29ce484222325));
    assert_true(core_slice_hash(core_slice_text("a")) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(core_slice_hash(core_slice_text("foobar")) == UINT64_C(0x85944171f73967e8));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_is_of_bytes),
        cmocka_unit_test(the_order_is_of_bytes_then_of_lengths),
        cmocka_unit_test(hexadecimal_digits_are_of_either_case),
        cmocka_unit_test(texts_fit_or_are_refused),
        cmocka_unit_test(unsigned_numbers_are_exact),
        cmocka_unit_test(signed_numbers_are_exact),
        cmocka_unit_test(the_hash_is_fnv_1a),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
