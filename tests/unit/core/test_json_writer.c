/* The JSON writer: commas by itself, strings escaped, bytes that are not UTF-8 replaced. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_written(core_buffer *out, const char *expected) {
    assert_true(core_buffer_ok(out));
    assert_int_equal(out->length, strlen(expected));
    assert_memory_equal(out->data, expected, out->length);
    core_buffer_reset(out);
}

static void commas_come_by_themselves(void **state) {
    (void)state;
    core_buffer out;
    core_buffer_init(&out, 4096);
    core_json_writer writer = core_json_writer_make(&out);
    core_json_object_open(&writer);
    core_json_key_text(&writer, "a");
    core_json_array_open(&writer);
    core_json_array_close(&writer);
    core_json_key_text(&writer, "b");
    core_json_array_open(&writer);
    core_json_unsigned(&writer, 1);
    core_json_object_open(&writer);
    core_json_object_close(&writer);
    core_json_null(&writer);
    core_json_array_close(&writer);
    core_json_key_text(&writer, "c");
    core_json_bool(&writer, true);
    core_json_key(&writer, core_slice_text("d\""));
    core_json_raw(&writer, core_slice_text("1.50"));
    core_json_object_close(&writer);
    assert_written(&out, "{\"a\":[],\"b\":[1,{},null],\"c\":true,\"d\\\"\":1.50}");
    core_buffer_fini(&out);
}

static void numbers_keep_their_ends(void **state) {
    (void)state;
    core_buffer out;
    core_buffer_init(&out, 4096);
    core_json_writer writer = core_json_writer_make(&out);
    core_json_array_open(&writer);
    core_json_unsigned(&writer, UINT64_MAX);
    core_json_signed(&writer, INT64_MIN);
    core_json_signed(&writer, INT64_MAX);
    core_json_signed(&writer, 0);
    core_json_array_close(&writer);
    assert_written(&out, "[18446744073709551615,-9223372036854775808,9223372036854775807,0]");
    core_buffer_fini(&out);
}

static void assert_string(core_slice text, const char *expected) {
    core_buffer out;
    core_buffer_init(&out, 4096);
    core_json_writer writer = core_json_writer_make(&out);
    core_json_string(&writer, text);
    assert_true(core_json_valid(core_buffer_slice(&out)));
    assert_written(&out, expected);
    core_buffer_fini(&out);
}

static void strings_are_escaped(void **state) {
    (void)state;
    assert_string(core_slice_make(NULL, 0), "\"\"");
    assert_string(core_slice_text("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    assert_string(core_slice_text("\b\f\n\r\t\x01\x1F\x7F"),
                  "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"");
    assert_string(core_slice_make("a\0b", 3), "\"a\\u0000b\"");
    assert_string(core_slice_text("größe 漢字 💾"), "\"größe 漢字 💾\"");
    assert_string(core_slice_text("\xFFx\xE2\x82"), "\"\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

/* Each byte at each place of a text, since plain bytes go by words of eight: what is written must
 * read back as what it was. */
static void any_byte_at_any_place_comes_back(void **state) {
    (void)state;
    core_buffer out, back;
    core_buffer_init(&out, 4096);
    core_buffer_init(&back, 4096);
    for (unsigned byte = 0; byte < 0x80; byte++) {
        for (size_t at = 0; at < 20; at++) {
            uint8_t text[20];
            memset(text, at % 2 == 0 ? 'a' : 0x7E, sizeof text);
            text[at] = (uint8_t)byte;
            core_buffer_reset(&out);
            core_buffer_reset(&back);
            core_json_writer writer = core_json_writer_make(&out);
            core_json_string(&writer, core_slice_make(text, sizeof text));
            core_json_reader reader = core_json_reader_make(core_buffer_slice(&out));
            core_json_token token = core_json_next(&reader);
            assert_int_equal(token.kind, CORE_JSON_STRING);
            assert_true(core_json_unescape(token.raw, &back));
            assert_int_equal(back.length, sizeof text);
            assert_memory_equal(back.data, text, sizeof text);
        }
    }
    core_buffer_fini(&out);
    core_buffer_fini(&back);
}

static void a_full_buffer_fails(void **state) {
    (void)state;
    core_buffer out;
    core_buffer_init(&out, 10);
    core_json_writer writer = core_json_writer_make(&out);
    core_json_array_open(&writer);
    core_json_text(&writer, "longer than ten bytes");
    core_json_array_close(&writer);
    assert_false(core_buffer_ok(&out));
    core_buffer_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_come_by_themselves),
        cmocka_unit_test(numbers_keep_their_ends),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(any_byte_at_any_place_comes_back),
        cmocka_unit_test(a_full_buffer_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
