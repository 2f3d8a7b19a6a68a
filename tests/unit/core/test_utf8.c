/* UTF-8: exactly the well-formed sequences of the Unicode standard, at any place in a text. */
#include "core/core.h"
#include "core/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool valid(const char *text) {
    return core_utf8_valid(core_slice_text(text));
}

/* Every code point goes there and back; the surrogates do not exist. */
static void every_code_point_is_known(void **state) {
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10FFFF; code_point++) {
        uint8_t bytes[4];
        size_t length = core_utf8_encode(code_point, bytes);
        bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
        assert_int_equal(core_utf8_sequence(bytes, length), surrogate ? 0 : length);
        if (length > 1) /* cut short it is nothing */
            assert_int_equal(core_utf8_sequence(bytes, length - 1), 0);
    }
}

/* What a text may end with before it goes on, against all beginnings of all code points. */
static void beginnings_are_known(void **state) {
    (void)state;
    static uint8_t begins[4][1 << 21]; /* by length, one bit a beginning */
    for (uint32_t code_point = 0x80; code_point <= 0x10FFFF; code_point++) {
        uint8_t bytes[4];
        size_t length = core_utf8_encode(code_point, bytes);
        uint32_t beginning = 0;
        for (size_t i = 0; i + 1 < length && (code_point < 0xD800 || code_point > 0xDFFF); i++) {
            beginning = beginning << 8 | bytes[i];
            begins[i + 1][beginning / 8] |= (uint8_t)(1 << beginning % 8);
        }
    }
    for (size_t length = 1; length <= 3; length++)
        for (uint32_t at = 0; at < (uint32_t)1 << (8 * length); at++) {
            uint8_t bytes[3];
            for (size_t i = 0; i < length; i++)
                bytes[i] = (uint8_t)(at >> (8 * (length - 1 - i)));
            size_t whole;
            bool fine = core_utf8_begins(core_slice_make(bytes, length), &whole);
            uint32_t rest = at & (((uint32_t)1 << (8 * (length - whole))) - 1);
            bool expected = whole == length || begins[length - whole][rest / 8] >> rest % 8 & 1;
            if (fine != expected)
                fail_msg("%zu bytes, %x", length, at);
        }
}

static void other_sequences_are_refused(void **state) {
    (void)state;
    static const char *const refused[] = {
        "\x80",             /* continuation alone */
        "\xC0\x80",         /* overlong NUL */
        "\xC1\xBF",         /* overlong */
        "\xE0\x9F\xBF",     /* overlong */
        "\xF0\x8F\xBF\xBF", /* overlong */
        "\xED\xA0\x80",     /* surrogate */
        "\xF4\x90\x80\x80", /* above U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xFE",
        "\xFF",
        "\xE2\x82",
        "\xE2\x82\x41",
        "\xF0\x9F\x92",
        "\xC3\xC3",
        "plain then \xC3",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        assert_false(valid(refused[i]));
    assert_true(valid(""));
    assert_true(core_utf8_valid(core_slice_make(NULL, 0)));
    assert_true(valid("größe 漢字 💾 \xEF\xBF\xBF"));
}

/* One bad byte at each place of a text, since ASCII goes by words of eight. */
static void the_place_does_not_matter(void **state) {
    (void)state;
    char text[41];
    for (size_t at = 0; at < 40; at++) {
        memset(text, 'a', 40);
        text[40] = '\0';
        assert_true(valid(text));
        text[at] = '\x80';
        assert_false(valid(text));
        assert_int_equal(core_utf8_ascii_run((const uint8_t *)text, 40), at);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_is_known),
        cmocka_unit_test(beginnings_are_known),
        cmocka_unit_test(other_sequences_are_refused),
        cmocka_unit_test(the_place_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
