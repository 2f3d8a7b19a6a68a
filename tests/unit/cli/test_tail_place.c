/* The values of tail's --from and --table. */
#include "cli/tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static tail_place place_of(const char *text) {
    tail_place place;
    core_error error;
    if (!tail_place_parse(text, &place, &error))
        fail_msg("%s: %s", text, error.text);
    return place;
}

static void places_are_read(void **state) {
    (void)state;
    assert_int_equal(place_of("first").kind, TAIL_FIRST);
    assert_int_equal(place_of("now").kind, TAIL_NOW);
    assert_int_equal(place_of("seq:42").kind, TAIL_SEQUENCE);
    assert_int_equal(place_of("seq:42").sequence, 42);
    assert_int_equal(place_of("lsn:1/16B3748").kind, TAIL_LSN);
    assert_true(place_of("lsn:1/16B3748").lsn == UINT64_C(0x1016B3748));
    assert_true(place_of("lsn:FFFFFFFF/ffffffff").lsn == UINT64_MAX);
    assert_int_equal(place_of("time:0").kind, TAIL_TIME);
}

static void times_are_read_to_the_microsecond(void **state) {
    (void)state;
    const int64_t second = INT64_C(1763511760000000);
    assert_true(place_of("time:1763511760").time_us == second);
    assert_true(place_of("time:2025-11-19T00:22:40Z").time_us == second);
    assert_true(place_of("time:2025-11-19 00:22:40").time_us == second);
    assert_true(place_of("time:2025-11-19T00:22:40.5z").time_us == second + 500000);
    assert_true(place_of("time:2025-11-19T00:22:40.0000019Z").time_us == second + 1);
    assert_true(place_of("time:2025-11-19T02:22:40+02:00").time_us == second);
    assert_true(place_of("time:2025-11-18T19:52:40-04:30").time_us == second);
    assert_true(place_of("time:2025-11-19").time_us == second - INT64_C(1360000000));
}

static void other_places_are_refused(void **state) {
    (void)state;
    static const char *const refused[] = {
        "",
        "last",
        "seq:",
        "seq:0",
        "seq:-1",
        "seq:1x",
        "lsn:",
        "lsn:1",
        "lsn:1/",
        "lsn:/1",
        "lsn:1/2/3",
        "lsn:123456789/0",
        "lsn:g/1",
        "time:",
        "time:yesterday",
        "time:2025-13-01T00:00:00Z",
        "time:2025-11-19T00:22:40+2",
        "time:2025-11-19T00:22:40 Z",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        tail_place place;
        core_error error;
        if (tail_place_parse(refused[i], &place, &error))
            fail_msg("%s was taken", refused[i]);
        assert_non_null(strstr(error.text, "expected first, now, seq:N"));
    }
}

static void tables_are_read_with_their_quotes(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"public.todos", "public", "todos"},
        {"todos", "home", "todos"},
        {"public.Todos", "public", "Todos"},
        {"\"My Schema\".\"T.x\"", "My Schema", "T.x"},
        {"\"a\"\"b\".c", "a\"b", "c"},
        {"\"T.x\"", "home", "T.x"},
        {"a.b\"c", "a", "b\"c"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        tail_table table;
        core_error error;
        assert_true(tail_table_parse(cases[i][0], "home", &table, &error));
        assert_string_equal(table.schema, cases[i][1]);
        assert_string_equal(table.table, cases[i][2]);
    }
}

static void other_tables_are_refused(void **state) {
    (void)state;
    static const char *const refused[] = {"",    ".",      "a.",     ".b",      "a.b.c",
                                          "\"a", "\"a\"b", "\"\".b", "a.\"b\"c"};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        tail_table table;
        core_error error;
        if (tail_table_parse(refused[i], "home", &table, &error))
            fail_msg("%s was taken", refused[i]);
    }
    char name[TAIL_NAME_MAX + 1];
    memset(name, 'n', sizeof name);
    name[TAIL_NAME_MAX] = '\0';
    tail_table table;
    core_error error;
    assert_false(tail_table_parse(name, "home", &table, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_read),
        cmocka_unit_test(times_are_read_to_the_microsecond),
        cmocka_unit_test(other_places_are_refused),
        cmocka_unit_test(tables_are_read_with_their_quotes),
        cmocka_unit_test(other_tables_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
