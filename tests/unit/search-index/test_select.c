/* Some of a document's members, by dotted paths. */
#include "search-index/select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_selected(const char *document, const char *const *names, const char *wanted) {
    core_slice list[8];
    search_select select = {.names = list};
    core_buffer out;
    core_buffer_init(&out, 4096);
    core_json_writer json = core_json_writer_make(&out);
    for (; names[select.count] != NULL; select.count++)
        list[select.count] = core_slice_text(names[select.count]);
    search_select_write(&select, core_slice_text(document), &json);
    if (!core_slice_is(core_buffer_slice(&out), wanted))
        fail_msg("\"%.*s\" instead of \"%s\"", CORE_SLICE_ARGS(core_buffer_slice(&out)), wanted);
    core_buffer_fini(&out);
}

static void test_members_are_selected_by_paths(void **state) {
    static const char document[] =
        "{\"id\":1,\"a\":{\"b\":[{\"c\":1,\"d\":2},3,{\"c\":4}],\"e\":5},"
        "\"a.b\":6,\"\\u0066\":7}";
    (void)state;
    assert_selected(document, (const char *const[]){NULL}, document);
    assert_selected(document, (const char *const[]){"id", "f", NULL}, "{\"id\":1,\"f\":7}");
    assert_selected(document, (const char *const[]){"a.b.c", NULL},
                    "{\"a\":{\"b\":[{\"c\":1},{\"c\":4}]}}");
    assert_selected(document, (const char *const[]){"a.e", "none", NULL}, "{\"a\":{\"e\":5}}");
    assert_selected(document, (const char *const[]){"a.b", NULL},
                    "{\"a\":{\"b\":[{\"c\":1,\"d\":2},3,{\"c\":4}]},\"a.b\":6}");
    assert_selected(document, (const char *const[]){"id.x", NULL}, "{}");
}

static void test_long_paths_lead_to_nothing(void **state) {
    char document[2 * SEARCH_SELECT_PATH_MAX];
    (void)state;
    memset(document, 'k', sizeof document);
    memcpy(document, "{\"", 2);
    memcpy(document + sizeof document - 6, "\":1}", 5);
    assert_selected(document, (const char *const[]){"k", NULL}, "{}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_selected_by_paths),
        cmocka_unit_test(test_long_paths_lead_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
