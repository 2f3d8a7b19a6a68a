/* Values within JSON documents, and members replaced in their text. */
#include "search-index/json_member.h"
#include "search-index/json_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char document[] =
    "{\"a\": {\"b\": {\"c\": 1.50}, \"d\": [ {\"e\": \"x\"}, {\"f\": 1}, {\"e\": [2, 3]} ]},"
    " \"k\\u0065y\": null, \"n\": [[{\"v\": 1}], {\"v\": 2}]}";

static void assert_path(const char *const *steps, size_t count, const char *expected) {
    core_slice slices[8];
    core_buffer out;
    core_buffer_init(&out, 4096);
    core_json_writer json = core_json_writer_make(&out);
    for (size_t i = 0; i < count; i++)
        slices[i] = core_slice_text(steps[i]);
    bool found = search_json_path(core_slice_text(document), slices, count, &json);
    assert_int_equal(found, expected != NULL);
    if (expected != NULL && !core_slice_is(core_buffer_slice(&out), expected))
        fail_msg("%.*s instead of %s", CORE_SLICE_ARGS(core_buffer_slice(&out)), expected);
    if (expected == NULL)
        assert_int_equal(out.length, 0);
    core_buffer_fini(&out);
}

#define PATH(expected, ...)                                                                        \
    assert_path((const char *const[]){__VA_ARGS__},                                                \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), expected)

static void test_paths(void **state) {
    (void)state;
    PATH("1.50", "a", "b", "c");
    PATH("{\"c\": 1.50}", "a", "b");
    PATH("[\"x\",[2, 3]]", "a", "d", "e");
    PATH("[1]", "a", "d", "f");
    PATH(NULL, "a", "d", "g");
    PATH(NULL, "a", "b", "c", "d");
    PATH(NULL, "x");
    PATH("null", "key");
    PATH("[[1],2]", "n", "v");
}

static void test_no_json(void **state) {
    (void)state;
    static const char *const texts[] = {"",    "{",   "{\"a\":}",  "{\"a\":1",
                                        "[1,", "nul", "{\"a\":1}x"};
    const core_slice step = core_slice_text("a");
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        core_buffer out;
        core_buffer_init(&out, 4096);
        core_json_writer json = core_json_writer_make(&out);
        assert_false(search_json_path(core_slice_text(texts[i]), &step, 1, &json));
        assert_int_equal(out.length, 0);
        core_buffer_fini(&out);
    }
}

static void assert_set(const char *before, const char *name, const char *value,
                       const char *expected) {
    core_buffer object;
    core_buffer_init(&object, 256);
    core_buffer_text(&object, before);
    bool ok = search_json_member_set(&object, core_slice_text(name), core_slice_text(value));
    assert_int_equal(ok, expected != NULL);
    if (ok && !core_slice_is(core_buffer_slice(&object), expected))
        fail_msg("%.*s instead of %s", CORE_SLICE_ARGS(core_buffer_slice(&object)), expected);
    core_buffer_fini(&object);
}

static void test_member_set(void **state) {
    (void)state;
    assert_set("{\"a\":1,\"b\":{\"a\":2},\"c\":3}", "b", "null", "{\"a\":1,\"b\":null,\"c\":3}");
    assert_set("{\"a\":1}", "a", "[1,2,3]", "{\"a\":[1,2,3]}");
    assert_set("{\"a\":1}", "b", "2", "{\"a\":1,\"b\":2}");
    assert_set("{}", "b", "2", "{\"b\":2}");
    assert_set("[]", "b", "2", NULL);
    assert_set("{\"a\":", "b", "2", NULL);
    char large[400];
    memset(large, '1', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    assert_set("{\"a\":1}", "a", large, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_no_json),
        cmocka_unit_test(test_member_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
