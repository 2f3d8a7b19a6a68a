/* The JSON reader: RFC 8259 and nothing else; numbers and strings stay the text they were. */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool valid(const char *text) {
    /* A heap block of exactly the length, so that a sanitizer sees a read beyond it. */
    size_t length = strlen(text);
    char *exact = malloc(length + (length == 0));
    memcpy(exact, text, length);
    bool result = core_json_valid(core_slice_make(exact, length));
    free(exact);
    return result;
}

static void what_the_grammar_allows_is_read(void **state) {
    (void)state;
    static const char *const texts[] = {
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "10",
        "1.5",
        "-1.5e10",
        "1E+2",
        "1e-2",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"",
        "[]",
        "{}",
        "[1,2]",
        "[[],[{}]]",
        "{\"a\":1,\"b\":[true,null]}",
        "\t\r\n {\"a\" : { } } ",
        "\"größe 💾\"",
        "123456789012345678901234567890.123456789012345678901234567890",
        "\"\x7F\"",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++)
        assert_true(valid(texts[i]));
}

static const char *const refused_scalars[] = {
    "",   " ",    "nul",    "nulll",   "True",      "01",          "-",        "+1",        ".5",
    "1.", "1.e1", "1e",     "1e+",     "0x1",       "NaN",         "Infinity", "-Infinity", "'a'",
    "\"", "\"a",  "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"",   "\"\x01\"",  "["};

static const char *const refused_containers[] = {"]",
                                                 "[1",
                                                 "[1,",
                                                 "[1,]",
                                                 "[,1]",
                                                 "[,]",
                                                 "[1 2]",
                                                 "[1}",
                                                 "{",
                                                 "}",
                                                 "{]",
                                                 "{\"a\"}",
                                                 "{\"a\":}",
                                                 "{\"a\":1,}",
                                                 "{,}",
                                                 "{a:1}",
                                                 "{1:1}",
                                                 "{\"a\" 1}",
                                                 "{\"a\":1 \"b\":2}",
                                                 "{\"a\":1,\"b\"}",
                                                 "1 2",
                                                 "[] []",
                                                 "{}x",
                                                 "//",
                                                 "[1]//",
                                                 "\"\xFF\"",
                                                 "\"\xED\xA0\x80\"",
                                                 "\xEF\xBB\xBF{}",
                                                 "[\"a\":1]",
                                                 "{\"a\":1:2}",
                                                 "[\"\\",
                                                 "\"\\u",
                                                 "tru",
                                                 "-a",
                                                 "1-",
                                                 "1ee1",
                                                 "[1,\v2]"};

static void everything_else_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(refused_scalars); i++)
        assert_false(valid(refused_scalars[i]));
    for (size_t i = 0; i < CORE_COUNT_OF(refused_containers); i++)
        assert_false(valid(refused_containers[i]));
    assert_false(core_json_valid(core_slice_make("1\0", 2)));
    assert_false(core_json_valid(core_slice_make("\"\0\"", 3)));
    assert_false(core_json_valid(core_slice_make(NULL, 0)));
}

static void assert_next(core_json_reader *reader, core_json_kind kind, const char *key,
                        const char *raw) {
    core_json_token token = core_json_next(reader);
    assert_int_equal(token.kind, kind);
    assert_true(core_slice_is(token.key, key));
    assert_true(core_slice_is(token.raw, raw));
}

static void tokens_carry_keys_and_raw_text(void **state) {
    (void)state;
    core_json_reader reader = core_json_reader_make(core_slice_text(
        "{\"a\": [1.50, \"x\\n\", [ ]], \"b\\u0041\":{\"c\":null}, \"d\" :false,\"\":true}"));
    assert_next(&reader, CORE_JSON_OBJECT_OPEN, "", "{");
    assert_next(&reader, CORE_JSON_ARRAY_OPEN, "a", "[");
    assert_next(&reader, CORE_JSON_NUMBER, "", "1.50");
    assert_next(&reader, CORE_JSON_STRING, "", "x\\n");
    assert_next(&reader, CORE_JSON_ARRAY_OPEN, "", "[");
    assert_next(&reader, CORE_JSON_ARRAY_CLOSE, "", "]");
    assert_next(&reader, CORE_JSON_ARRAY_CLOSE, "", "]");
    assert_next(&reader, CORE_JSON_OBJECT_OPEN, "b\\u0041", "{");
    assert_next(&reader, CORE_JSON_NULL, "c", "null");
    assert_next(&reader, CORE_JSON_OBJECT_CLOSE, "", "}");
    assert_next(&reader, CORE_JSON_FALSE, "d", "false");
    assert_next(&reader, CORE_JSON_TRUE, "", "true");
    assert_next(&reader, CORE_JSON_OBJECT_CLOSE, "", "}");
    assert_next(&reader, CORE_JSON_END, "", "");
    assert_next(&reader, CORE_JSON_END, "", "");
}

static void failure_sticks(void **state) {
    (void)state;
    core_json_reader reader = core_json_reader_make(core_slice_text("[1,}2]"));
    assert_next(&reader, CORE_JSON_ARRAY_OPEN, "", "[");
    assert_next(&reader, CORE_JSON_NUMBER, "", "1");
    for (int i = 0; i < 5; i++)
        assert_int_equal(core_json_next(&reader).kind, CORE_JSON_INVALID);
}

static void depth_is_bounded(void **state) {
    (void)state;
    for (size_t depth = CORE_JSON_MAX_DEPTH - 1; depth <= CORE_JSON_MAX_DEPTH + 1; depth++) {
        for (int object = 0; object < 2; object++) {
            core_buffer text;
            core_buffer_init(&text, 8 * CORE_JSON_MAX_DEPTH);
            for (size_t i = 0; i < depth; i++)
                core_buffer_text(&text, object ? "{\"a\":" : "[");
            core_buffer_text(&text, "1");
            for (size_t i = 0; i < depth; i++)
                core_buffer_text(&text, object ? "}" : "]");
            assert_true(core_json_valid(core_buffer_slice(&text)) ==
                        (depth <= CORE_JSON_MAX_DEPTH));
            core_buffer_fini(&text);
        }
    }
}

static void an_envelope_may_be_deeper(void **state) {
    (void)state;
    core_buffer text;
    core_buffer_init(&text, 8 * CORE_JSON_MAX_DEPTH);
    for (size_t i = 0; i <= CORE_JSON_MAX_DEPTH + CORE_JSON_ENVELOPE_DEPTH; i++)
        core_buffer_text(&text, "[");
    core_json_reader reader = core_json_envelope_reader_make(core_buffer_slice(&text));
    for (size_t i = 0; i < CORE_JSON_MAX_DEPTH + CORE_JSON_ENVELOPE_DEPTH; i++)
        assert_int_equal(core_json_next(&reader).kind, CORE_JSON_ARRAY_OPEN);
    assert_int_equal(core_json_next(&reader).kind, CORE_JSON_INVALID);
    core_buffer_fini(&text);
}

static void a_value_is_skipped_whole(void **state) {
    (void)state;
    core_json_reader reader = core_json_reader_make(
        core_slice_text("{\"a\":{\"b\":[1,{\"c\":\"}\"}]},\"d\":\"x\\\"y\",\"e\": -1.0}"));
    core_slice whole;
    assert_next(&reader, CORE_JSON_OBJECT_OPEN, "", "{");
    core_json_token token = core_json_next(&reader);
    assert_true(core_json_skip(&reader, token, &whole));
    assert_true(core_slice_is(whole, "{\"b\":[1,{\"c\":\"}\"}]}"));
    token = core_json_next(&reader);
    assert_true(core_json_skip(&reader, token, &whole));
    assert_true(core_slice_is(whole, "\"x\\\"y\""));
    token = core_json_next(&reader);
    assert_true(core_json_skip(&reader, token, &whole));
    assert_true(core_slice_is(whole, "-1.0"));
    token = core_json_next(&reader);
    assert_int_equal(token.kind, CORE_JSON_OBJECT_CLOSE);
    assert_false(core_json_skip(&reader, token, &whole));
    assert_int_equal(core_json_next(&reader).kind, CORE_JSON_END);

    reader = core_json_reader_make(core_slice_text("[[1,2}"));
    assert_next(&reader, CORE_JSON_ARRAY_OPEN, "", "[");
    token = core_json_next(&reader);
    assert_false(core_json_skip(&reader, token, &whole));
    assert_int_equal(core_json_next(&reader).kind, CORE_JSON_INVALID);
}

static void members_come_one_by_one(void **state) {
    (void)state;
    core_json_reader reader = core_json_reader_make(core_slice_text("{\"a\":1,\"b\":{\"c\":2}}"));
    core_json_token member;
    assert_next(&reader, CORE_JSON_OBJECT_OPEN, "", "{");
    assert_true(core_json_member_next(&reader, &member));
    assert_true(core_slice_is(member.key, "a") && core_slice_is(member.raw, "1"));
    assert_true(core_json_member_next(&reader, &member));
    assert_int_equal(member.kind, CORE_JSON_OBJECT_OPEN);
    assert_true(core_json_member_next(&reader, &member));
    assert_true(core_slice_is(member.key, "c"));
    assert_false(core_json_member_next(&reader, &member));
    assert_int_equal(member.kind, CORE_JSON_OBJECT_CLOSE);
    assert_false(core_json_member_next(&reader, &member));
    assert_next(&reader, CORE_JSON_END, "", "");

    reader = core_json_reader_make(core_slice_text("{\"a\":1"));
    assert_next(&reader, CORE_JSON_OBJECT_OPEN, "", "{");
    assert_true(core_json_member_next(&reader, &member));
    assert_false(core_json_member_next(&reader, &member));
    assert_int_equal(core_json_next(&reader).kind, CORE_JSON_INVALID);
}

static void assert_unescaped(const char *raw, core_slice expected) {
    core_buffer out;
    core_buffer_init(&out, 256);
    assert_true(core_json_unescape(core_slice_text(raw), &out));
    assert_true(core_slice_equal(core_buffer_slice(&out), expected));
    core_buffer_fini(&out);
}

static void escapes_are_undone(void **state) {
    (void)state;
    assert_unescaped("", core_slice_text(""));
    assert_unescaped("plain größe", core_slice_text("plain größe"));
    assert_unescaped("\\\"\\\\\\/\\b\\f\\n\\r\\t", core_slice_text("\"\\/\b\f\n\r\t"));
    assert_unescaped("\\u0041\\u00e4\\u20AC", core_slice_text("Aä€"));
    assert_unescaped("\\ud83d\\udcbe!", core_slice_text("💾!"));
    assert_unescaped("a\\u0000b", core_slice_make("a\0b", 3));
}

static void escapes_that_are_none_are_refused(void **state) {
    (void)state;
    static const char *const refused[] = {
        "\\",         "\\x",     "\\u",      "\\u12",          "\\u12g4",       "\\ud83d",
        "\\ud83d\\n", "\\udcbe", "\\ud83dx", "\\ud83d\\u0041", "\\ud83d\\ud83d"};
    core_buffer out;
    core_buffer_init(&out, 256);
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++)
        assert_false(core_json_unescape(core_slice_text(refused[i]), &out));
    core_buffer_fini(&out);
    core_buffer_init(&out, 3);
    assert_false(core_json_unescape(core_slice_text("abcd"), &out));
    core_buffer_fini(&out);
}

static void raw_text_is_compared_unescaped(void **state) {
    (void)state;
    assert_true(core_json_raw_is(core_slice_text("event"), "event"));
    assert_true(core_json_raw_is(core_slice_text("\\u0065vent"), "event"));
    assert_true(core_json_raw_is(core_slice_make(NULL, 0), ""));
    assert_true(core_json_raw_is(core_slice_text("\\u00e4"), "ä"));
    assert_false(core_json_raw_is(core_slice_text("events"), "event"));
    assert_false(core_json_raw_is(core_slice_text("even"), "event"));
    assert_false(core_json_raw_is(core_slice_text("event\\u0000"), "event"));
    assert_false(core_json_raw_is(core_slice_text("event\\"), "event"));
    assert_false(core_json_raw_is(core_slice_make(NULL, 0), "event"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_grammar_allows_is_read),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(tokens_carry_keys_and_raw_text),
        cmocka_unit_test(failure_sticks),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(an_envelope_may_be_deeper),
        cmocka_unit_test(a_value_is_skipped_whole),
        cmocka_unit_test(members_come_one_by_one),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(escapes_that_are_none_are_refused),
        cmocka_unit_test(raw_text_is_compared_unescaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
