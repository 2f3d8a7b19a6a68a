/* Rows of COPY in both formats: every escape, nulls, and what is cut or too long. */
#include "cdc/copy_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { VALUES_MAX = 8 };

static uint8_t line[256];
static core_value values[VALUES_MAX];

static bool text_read(const char *text, size_t length, size_t count) {
    core_error error = {0};
    memcpy(line, text, length);
    bool ok = cdc_copy_text_read(line, length, values, count, &error);
    if (!ok)
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    return ok;
}

#define TEXT(text, count) text_read(text, sizeof(text) - 1, count)

static void text_values_are_unescaped(void **state) {
    (void)state;
    assert_true(TEXT("a\t\\N\t\\\\N\t\\b\\f\\n\\r\\t\\v\\\\x\t\n", 5));
    assert_true(core_slice_is(values[0].bytes, "a"));
    assert_int_equal(values[1].kind, CORE_VALUE_NULL);
    assert_true(core_slice_is(values[2].bytes, "\\N"));
    assert_true(core_slice_is(values[3].bytes, "\b\f\n\r\t\v\\x"));
    assert_int_equal(values[4].kind, CORE_VALUE_TEXT);
    assert_int_equal(values[4].bytes.length, 0);
    assert_true(TEXT("\\N\n", 1));
    assert_int_equal(values[0].kind, CORE_VALUE_NULL);
    assert_true(TEXT("\xc3\xbc\\nx", 1));
    assert_true(core_slice_is(values[0].bytes, "\xc3\xbc\nx"));
}

static void empty_lines(void **state) {
    (void)state;
    assert_true(TEXT("\n", 0));
    assert_true(TEXT("\n", 1));
    assert_int_equal(values[0].kind, CORE_VALUE_TEXT);
    assert_true(TEXT("", 1));
    assert_false(TEXT("a\n", 0));
}

static void malformed_lines_are_refused(void **state) {
    (void)state;
    assert_false(TEXT("a\n", 2));
    assert_false(TEXT("a\tb\tc\n", 2));
    assert_false(TEXT("a\t\n", 1));
    assert_false(TEXT("a\\", 1));
    assert_false(TEXT("a\\x41\tb", 2));
    assert_false(TEXT("\\N\\N", 1));
    assert_false(TEXT("\\Nx\n", 1));
    assert_false(TEXT("a\tb\t\n", 2));
    assert_false(TEXT("", 2));
}

#define HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"

static bool binary_read(cdc_copy_binary *copy, const char *bytes, size_t length, size_t count,
                        bool *given) {
    core_error error = {0};
    return cdc_copy_binary_read(copy, core_slice_make(bytes, length), values, count, given, &error);
}

#define BINARY(copy, bytes, count, given) binary_read(copy, bytes, sizeof(bytes) - 1, count, given)

static void binary_rows(void **state) {
    (void)state;
    cdc_copy_binary copy = {0};
    bool given = false;
    assert_true(BINARY(&copy, HEADER "\0\2\0\0\0\3abc\377\377\377\377", 2, &given));
    assert_true(given);
    assert_int_equal(values[0].kind, CORE_VALUE_BINARY);
    assert_true(core_slice_is(values[0].bytes, "abc"));
    assert_int_equal(values[1].kind, CORE_VALUE_NULL);
    assert_true(BINARY(&copy, "\0\1\0\0\0\0", 1, &given));
    assert_true(given && values[0].bytes.length == 0);
    assert_true(BINARY(&copy, "\377\377", 1, &given));
    assert_false(given);
}

static void an_empty_table_is_header_and_trailer(void **state) {
    (void)state;
    cdc_copy_binary copy = {0};
    bool given = true;
    assert_true(BINARY(&copy, HEADER "\377\377", 3, &given));
    assert_false(given);
}

static void malformed_binary_is_refused(void **state) {
    (void)state;
    bool given;
    cdc_copy_binary fresh = {0};
    assert_false(BINARY(&fresh, "PGCOPX\n\377\r\n\0\0\0\0\0\0\0\0\0\377\377", 1, &given));
    fresh = (cdc_copy_binary){0};
    assert_false(BINARY(&fresh, "PGCOPY\n\377\r\n\0\0\1\0\0\0\0\0\0\377\377", 1, &given));
    static const char *const refused[] = {"\0\2\0\0\0\0", "\0\1\0\0\0\5a"};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        cdc_copy_binary begun = {.begun = true};
        assert_false(binary_read(&begun, refused[i], i == 0 ? 6 : 7, 1, &given));
    }
    cdc_copy_binary begun = {.begun = true};
    assert_false(BINARY(&begun, "\0\1\377\377\377\376", 1, &given));
    assert_false(BINARY(&begun, "\377\377x", 1, &given));
    assert_false(BINARY(&begun, "\0", 1, &given));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_values_are_unescaped),
        cmocka_unit_test(empty_lines),
        cmocka_unit_test(malformed_lines_are_refused),
        cmocka_unit_test(binary_rows),
        cmocka_unit_test(an_empty_table_is_header_and_trailer),
        cmocka_unit_test(malformed_binary_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
