/* References to columns and names of tables: what is read, what is not, and where it stands. */
#include "triggers/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_references(void **state) {
    static const struct {
        const char *text;
        bool is_old;
        const char *column; /* NULL: it is none */
    } rows[] = {
        {"new.a", false, "a"},
        {"OLD.Total", true, "total"},
        {"new.\"Total\"", false, "Total"},
        {"new.\"a\"\"b\"", false, "a\"b"},
        {"old._x$1", true, "_x$1"},
        {"new.\xC3\xA9t\xC3\xA9", false, "\xC3\xA9t\xC3\xA9"},
        {"new.", false, NULL},
        {"new", false, NULL},
        {"new.a.b", false, NULL},
        {"nuw.a", false, NULL},
        {"new.1", false, NULL},
        {"new.\"\"", false, NULL},
        {"new.\"a", false, NULL},
        {"new.a ", false, NULL},
        {"", false, NULL},
        {"a", false, NULL},
        {"new.a-b", false, NULL},
        {"\"new\".a", false, NULL},
        {"new.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, NULL},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        triggers_reference it;
        bool read = triggers_reference_read(core_slice_text(rows[i].text), &it);
        if (read != (rows[i].column != NULL) ||
            (read && (it.is_old != rows[i].is_old || strcmp(it.column, rows[i].column) != 0)))
            fail_msg("%s", rows[i].text);
    }
}

static void test_references_within(void **state) {
    (void)state;
    core_slice text =
        core_slice_text("'new.no' = new.a and '\xC3\xA9''old.no' < old.\"B\" or renew.x{{new.c}}");
    triggers_reference it;
    size_t at = 0, position = 0;
    assert_true(triggers_reference_next(text, &at, &position, &it));
    assert_string_equal(it.column, "a");
    assert_int_equal(position, 12);
    assert_true(triggers_reference_next(text, &at, &position, &it));
    assert_string_equal(it.column, "B");
    assert_true(it.is_old);
    assert_int_equal(position, 36);
    assert_true(triggers_reference_next(text, &at, &position, &it));
    assert_string_equal(it.column, "c");
    assert_false(triggers_reference_next(text, &at, &position, &it));
}

static void test_tables(void **state) {
    static const struct {
        const char *text, *schema, *table; /* NULL: it is none */
    } rows[] = {
        {"orders", "public", "orders"},
        {"shop.Orders", "shop", "Orders"},
        {"\"My.Schema\".\"T\"", "My.Schema", "T"},
        {"a.\"b\"\"c\"", "a", "b\"c"},
        {"two words.t", "two words", "t"},
        {"a.b.c", NULL, NULL},
        {".b", NULL, NULL},
        {"a.", NULL, NULL},
        {"\"a\"b", NULL, NULL},
        {"", NULL, NULL},
        {"a\"b", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        triggers_table_name it;
        bool read = triggers_table_name_read(core_slice_text(rows[i].text), &it);
        if (read != (rows[i].table != NULL) || (read && (strcmp(it.schema, rows[i].schema) != 0 ||
                                                         strcmp(it.table, rows[i].table) != 0)))
            fail_msg("%s", rows[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_references_within),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
