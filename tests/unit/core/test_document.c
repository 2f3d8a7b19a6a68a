/* Documents: the tree with its places, what of YAML is refused, and where a text's characters
 * stand. */
#include "core/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static core_document *read_good(const char *text) {
    core_problems problems;
    core_problems_init(&problems);
    core_document *document = core_document_read(core_slice_text(text), &problems);
    if (document == NULL)
        fail_msg("%s: %s", text, problems.items[0].text);
    core_problems_fini(&problems);
    return document;
}

static void test_json(void **state) {
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"a: 1\nb: [x, 'y', \"z\\n\", 1.50, '2', true, null, ~]\n",
         "{\"a\":1,\"b\":[\"x\",\"y\",\"z\\n\",1.50,\"2\",true,null,null]}"},
        {"{\"a\": {\"b\": []}, \"c\": {}}", "{\"a\":{\"b\":[]},\"c\":{}}"},
        {"on: yes\nx: 0x1F\ny: 1_0\nz: .5\nw: -0\nv: 01\n",
         "{\"on\":\"yes\",\"x\":\"0x1F\",\"y\":\"1_0\",\"z\":\".5\",\"w\":-0,\"v\":\"01\"}"},
        {"a: |\n  one\n  two\nb: >\n  one\n  two\n",
         "{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\\n\"}"},
        {"", "null"},
        {"# only\n", "null"},
        {"a: {s: ${x:Y}, t: [${z}, ${w} ], u: '${q}'}\nb: ${v}",
         "{\"a\":{\"s\":\"${x:Y}\",\"t\":[\"${z}\",\"${w}\"],\"u\":\"${q}\"},\"b\":\"${v}\"}"},
        /* Texts with such in them stay as they are. */
        {"é: {s: ${x}} # of [${c}]\nt: |\n  {\"n\": ${y}, \"m\": [${z}]}\n"
         "u: '[${q}, ${r}]'\nv: {w: \"[${q}]\", ü: ${x}}",
         "{\"é\":{\"s\":\"${x}\"},\"t\":\"{\\\"n\\\": ${y}, \\\"m\\\": [${z}]}\\n\","
         "\"u\":\"[${q}, ${r}]\",\"v\":{\"w\":\"[${q}]\",\"ü\":\"${x}\"}}"},
        {"{\"a\": \"\\\\ \\ud83d\\uDE00 \\u00e9\"}", "{\"a\":\"\\\\ \xF0\x9F\x98\x80 \xC3\xA9\"}"},
        {"without: 1\nkept: 2\n", "{\"kept\":2}"},
    };
    static const char *const without[] = {"without", NULL};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_document *document = read_good(rows[i].text);
        core_buffer out;
        core_buffer_init(&out, 4096);
        core_json_writer json = core_json_writer_make(&out);
        core_node_write(core_document_root(document), without, &json);
        if (!core_slice_is(core_buffer_slice(&out), rows[i].json))
            fail_msg("%.*s", CORE_SLICE_ARGS(core_buffer_slice(&out)));
        core_buffer_fini(&out);
        core_document_free(document);
    }
}

/* The character at `position` of the text under the key `t`. */
static void test_places(void **state) {
    static const struct {
        const char *text;
        size_t position, line, column;
    } rows[] = {
        {"t: abc", 1, 1, 4},
        {"t: abc", 3, 1, 6},
        {"t: abc", 99, 1, 7},
        {"x: 1\nt: \xC3\xA9\xC3\xA9z", 3, 2, 6},
        {"t: 'it''s x'", 4, 1, 9},
        {"t: 'it''s x'", 6, 1, 11},
        {"t: \"a\\n\\u00e9b\"", 4, 1, 14},
        {"t: |\n  one\n  two", 5, 3, 3},
        {"t: |\n  one\n    two", 7, 3, 5},
        {"t: |-\r\n  one\r\n  two", 6, 3, 4},
        {"t: |\n\n  one", 2, 3, 3},
        {"t: one\n  two", 5, 2, 3},
        {"t: one\n  two", 7, 2, 5},
        {"{\"t\":\"abc\"}", 2, 1, 8},
        {"\xEF\xBB\xBF"
         "t: abc",
         2, 1, 5},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_document *document = read_good(rows[i].text);
        const core_node *node = core_node_find(core_document_root(document), "t");
        core_place place = core_node_place_of(document, node, rows[i].position);
        if (place.line != rows[i].line || place.column != rows[i].column)
            fail_msg("%s at %zu: %zu:%zu", rows[i].text, rows[i].position, place.line,
                     place.column);
        core_document_free(document);
    }
}

static void test_refused(void **state) {
    static const struct {
        const char *text;
        size_t line, column;
        const char *says;
    } rows[] = {
        {"a: 1\na: 2", 2, 1, "a: given twice, first in line 1"},
        {"a: {b: 1, c: 2, b: 3}", 1, 17, "b: given twice"},
        {"a: &x 1", 1, 4, "anchor"},
        {"a: *x", 1, 4, "alias"},
        {"a: !!str 1", 1, 4, "tag"},
        {"a: 1\n---\nb: 2", 2, 1, "one document"},
        {"? [a]\n: 1", 1, 3, "key that is a plain text"},
        {"a: [1, 2", 0, 0, "not valid YAML or JSON"},
        {"a: \"x", 0, 0, "not valid YAML or JSON"},
        {"a: b: c", 1, 0, "not valid YAML or JSON"},
        {"a:\n\t- b", 0, 0, "not valid YAML or JSON"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", 1, 17, "nested too deeply"},
        {"'': 1", 1, 1, "key of 1 to 255 bytes"},
        {"a: \"\\0\"", 1, 4, "without NUL"},
        {"{\"a\": \"\\ud83d\"}", 0, 0, "not valid YAML or JSON"},
        {"{\"a\": \"\\\\\\ud83d\"}", 0, 0, "not valid YAML or JSON"},
        {"a: {b: ${x y}}", 1, 0, "not valid YAML or JSON"},
        {"a: {b: ${x}, c: *d}", 1, 19, "alias"},
        {"a: \xFF", 0, 0, "not valid YAML or JSON"},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_problems problems;
        core_problems_init(&problems);
        assert_null(core_document_read(core_slice_text(rows[i].text), &problems));
        const core_problem *first = &problems.items[0];
        if (strstr(first->text, rows[i].says) == NULL ||
            (rows[i].line > 0 && first->place.line != rows[i].line) ||
            (rows[i].column > 0 && first->place.column != rows[i].column))
            fail_msg("%s: %zu:%zu: %s", rows[i].text, first->place.line, first->place.column,
                     first->text);
        core_problems_fini(&problems);
    }
}

static void refused_at_maximum(core_buffer *text, const char *says) {
    core_problems problems;
    core_problems_init(&problems);
    assert_true(core_buffer_ok(text));
    assert_null(core_document_read(core_buffer_slice(text), &problems));
    assert_non_null(strstr(problems.items[0].text, says));
    core_problems_fini(&problems);
    core_buffer_fini(text);
}

static void test_maxima(void **state) {
    (void)state;
    core_buffer text;
    core_buffer_init(&text, (size_t)4 << 20);
    for (size_t i = 0; i <= CORE_DOCUMENT_NODES_MAX; i++)
        core_buffer_text(&text, "- a\n");
    refused_at_maximum(&text, "more values");
    core_buffer_init(&text, (size_t)4 << 20);
    for (size_t i = 0; i <= CORE_DOCUMENT_BYTES_MAX / 8; i++)
        core_buffer_text(&text, "# nothin");
    refused_at_maximum(&text, "expected at most");
}

/* So many are told, the others counted. */
static void test_problems(void **state) {
    (void)state;
    core_problems problems;
    core_buffer text;
    core_problems_init(&problems);
    core_buffer_init(&text, 1 << 20);
    for (size_t i = 0; i < CORE_PROBLEMS_MAX + 3; i++)
        assert_false(
            core_problem_tell(&problems, (core_place){.line = i + 1, .column = 2}, "a\n%s", "b"));
    core_problem_warn(&problems, (core_place){0}, "w");
    assert_int_equal(problems.count, CORE_PROBLEMS_MAX);
    assert_int_equal(problems.errors, CORE_PROBLEMS_MAX + 3);
    core_problems_print(&problems, "f", &text);
    core_buffer_u8(&text, 0);
    assert_non_null(strstr((char *)text.data, "f:1:2: a?b\nf:2:2: a?b\n"));
    assert_non_null(strstr((char *)text.data, "f: 4 more problems\n"));
    core_buffer_fini(&text);
    core_problems_fini(&problems);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),     cmocka_unit_test(test_places),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
