/* Offsets: one text for each, and nothing else is one. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_there_and_back(const char *text) {
    core_offset offset;
    char again[CORE_OFFSET_TEXT_SIZE];
    assert_true(core_offset_parse(core_slice_text(text), &offset));
    core_offset_format(&offset, again);
    assert_string_equal(again, text);
}

static void offsets_go_there_and_back(void **state) {
    (void)state;
    assert_there_and_back("0123456789abcdef-1.0");
    assert_there_and_back("zzzzzzzzzzzzzzzz-18446744073709551615.4294967295");
    assert_there_and_back("a-0.0");
    core_offset offset;
    assert_true(core_offset_parse(core_slice_text("epoch-42.7"), &offset));
    assert_string_equal(offset.epoch, "epoch");
    assert_int_equal(offset.sequence, 42);
    assert_int_equal(offset.index, 7);
}

static void what_is_no_offset_is_refused(void **state) {
    (void)state;
    static const char *const refused[] = {
        "",
        "-",
        ".",
        "-.",
        "a",
        "a-",
        "a-1",
        "a-1.",
        "a-.1",
        "-1.1",
        "a.1-1",
        "a-1.1.1",
        "a-1-1.1",
        "A-1.1",
        "a_b-1.1",
        "a-01.1",
        "a-1.01",
        "a-1.4294967296",
        "a-18446744073709551616.1",
        "0123456789abcdef0-1.0",
        " a-1.1",
        "a-1.1 ",
        "a-+1.1",
        "a--1.1",
        "a-1.1\n",
        "ä-1.1",
    };
    core_offset offset = {.epoch = "kept", .sequence = 1};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        assert_false(core_offset_parse(core_slice_text(refused[i]), &offset));
    assert_false(core_offset_parse(core_slice_make("a\0-1.1", 6), &offset));
    assert_false(core_offset_parse(core_slice_make(NULL, 0), &offset));
    assert_string_equal(offset.epoch, "kept");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_go_there_and_back),
        cmocka_unit_test(what_is_no_offset_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
