/* What key-value asks of the search log, and which documents are indexes' definitions. */
#include "search-index/keeper.h"
#include "search-index/kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const fanout_definition stored = {
    .definition = {.data = (const uint8_t *)"{}", .length = 2},
    .facts = {.data = (const uint8_t *)"{f}", .length = 3},
    .environment = {.data = (const uint8_t *)"dev", .length = 3},
};

static search_entry in_force(void) {
    return (search_entry){.is_table = true,
                          .is_held = true,
                          .text = stored.definition,
                          .facts = stored.facts,
                          .environment = stored.environment};
}

static void test_look(void **state) {
    (void)state;
    search_entry entry = in_force();
    assert_int_equal(search_keep_look(&stored, NULL, true), SEARCH_KEEP_APPEND);
    assert_int_equal(search_keep_look(&stored, NULL, false), SEARCH_KEEP_NO_ROOM);
    assert_int_equal(search_keep_look(&stored, &entry, false), SEARCH_KEEP_NOTHING);
    entry.is_held = false; /* of before there was key-value */
    assert_int_equal(search_keep_look(&stored, &entry, false), SEARCH_KEEP_APPEND);
    entry = in_force();
    entry.text = core_slice_text("{ }");
    assert_int_equal(search_keep_look(&stored, &entry, true), SEARCH_KEEP_APPEND);
    entry = in_force();
    entry.facts = core_slice_text("");
    assert_int_equal(search_keep_look(&stored, &entry, true), SEARCH_KEEP_APPEND);
    entry = in_force();
    entry.environment = core_slice_text("prod");
    assert_int_equal(search_keep_look(&stored, &entry, true), SEARCH_KEEP_APPEND);
    entry.is_table = false;
    assert_int_equal(search_keep_look(&stored, &entry, true), SEARCH_KEEP_TAKEN);
}

static void test_kind(void **state) {
    static const struct {
        const char *text;
        bool is_index;
    } rows[] = {
        {"{name: a, table: t, fields: [x]}", true},
        {"{tables: [a, b]}", true},
        {"{fields: [x]}", true},
        {"{name: a, on: {table: t}, do: {}}", false},
        {"{do: {}, table: t}", false},
        {"{name: a}", false},
        {"[table]", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_problems problems;
        core_problems_init(&problems);
        core_document *document = core_document_read(core_slice_text(rows[i].text), &problems);
        assert_non_null(document);
        if (search_kind_is(document) != rows[i].is_index)
            fail_msg("%s", rows[i].text);
        core_document_free(document);
        core_problems_fini(&problems);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
