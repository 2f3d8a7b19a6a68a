/* The question for unchanged values: when it is asked, and that names cannot break out of it. What
 * PostgreSQL answers is tested against real servers (tests/integration/toast.test.mjs). */
#include "cdc/lookup_sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        .kind = CORE_VALUE_TEXT, .bytes = {(const uint8_t *)(literal), sizeof(literal) - 1 }       \
    }

enum { COLUMNS = 4 };

typedef struct {
    core_column columns[COLUMNS];
    core_relation relation;
    core_value old_values[COLUMNS];
    core_value new_values[COLUMNS];
    core_change change;
    core_buffer sql;
    core_arena arena;
    cdc_row_question question;
} fixture;

static const char *const names[COLUMNS] = {"id", "k\"2", "body", "extra"};

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < COLUMNS; i++)
        f->columns[i] = (core_column){.name = core_slice_text(names[i]), .key = i < 2};
    f->relation = (core_relation){.oid = 16400,
                                  .schema = core_slice_text("my \"s\""),
                                  .table = core_slice_text("t'; --"),
                                  .column_count = COLUMNS,
                                  .columns = f->columns};
    core_value new_values[COLUMNS] = {
        TEXT("7"), TEXT("it's"), {.kind = CORE_VALUE_UNCHANGED}, {.kind = CORE_VALUE_UNCHANGED}};
    memcpy(f->new_values, new_values, sizeof new_values);
    f->change = (core_change){.op = CORE_OP_UPDATE,
                              .relation = &f->relation,
                              .transaction = {.xid = 4000000000},
                              .old_tuple = {0, f->old_values},
                              .new_tuple = {COLUMNS, f->new_values}};
    core_buffer_init(&f->sql, 1 << 20);
    core_arena_init(&f->arena, 1024, 1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    core_buffer_fini(&f->sql);
    core_arena_fini(&f->arena);
    free(f);
    return 0;
}

static bool ask(fixture *f) {
    core_arena_reset(&f->arena);
    return cdc_lookup_row_ask(&f->change, 1000, &f->sql, &f->arena, &f->question);
}

static void names_are_quoted_and_values_are_parameters(void **state) {
    fixture *f = *state;
    assert_true(ask(f));
    assert_non_null(strstr(f->question.sql, " FROM \"my \"\"s\"\"\".\"t'; --\" t, "));
    assert_non_null(strstr(f->question.sql, " AND t.\"id\" = $5 AND t.\"k\"\"2\" = $6"));
    assert_non_null(strstr(f->question.sql, "CASE WHEN t.\"body\" IS NULL"));
    assert_non_null(strstr(f->question.sql, "CASE WHEN t.\"extra\" IS NULL"));
    assert_null(strstr(f->question.sql, "it's"));
    assert_int_equal(f->question.parameter_count, 6);
    assert_string_equal(f->question.parameters[0], "4000000000");
    assert_string_equal(f->question.parameters[1], "16400");
    assert_string_equal(f->question.parameters[2], "\"my \"\"s\"\"\".\"t'; --\"");
    assert_string_equal(f->question.parameters[3], "1000");
    assert_string_equal(f->question.parameters[4], "7");
    assert_string_equal(f->question.parameters[5], "it's");
}

static void only_what_no_image_has_is_asked_for(void **state) {
    fixture *f = *state;
    core_value old_values[COLUMNS] = {TEXT("6"), TEXT("old"), TEXT("body"), {0}};
    memcpy(f->old_values, old_values, sizeof old_values);
    f->change.old_tuple.count = COLUMNS;
    f->change.old_kind = CORE_OLD_KEY;
    f->new_values[1].kind = CORE_VALUE_UNCHANGED; /* an unchanged key is in the old one */
    assert_true(ask(f));
    assert_string_equal(f->question.parameters[5], "old");
    f->old_values[3].kind = CORE_VALUE_UNCHANGED;
    f->change.old_kind = CORE_OLD_FULL;
    assert_true(ask(f));
    assert_null(strstr(f->question.sql, "\"body\""));
    assert_non_null(strstr(f->question.sql, "\"extra\""));
    f->old_values[3].kind = CORE_VALUE_NULL;
    assert_false(ask(f));
}

static void without_a_usable_key_nothing_is_asked(void **state) {
    fixture *f = *state;
    f->new_values[0].kind = CORE_VALUE_BINARY;
    assert_false(ask(f));
    f->new_values[0].kind = CORE_VALUE_NULL;
    assert_false(ask(f));
    f->new_values[0].kind = CORE_VALUE_UNCHANGED;
    assert_false(ask(f));
    f->columns[0].key = f->columns[1].key = false;
    assert_false(ask(f));
}

static void nothing_else_is_asked_for(void **state) {
    fixture *f = *state;
    f->change.op = CORE_OP_INSERT;
    assert_false(ask(f));
    f->change.op = CORE_OP_UPDATE;
    f->new_values[2].kind = f->new_values[3].kind = CORE_VALUE_NULL;
    assert_false(ask(f));
}

static void a_question_too_long_is_none(void **state) {
    fixture *f = *state;
    core_buffer_fini(&f->sql);
    core_buffer_init(&f->sql, 200);
    assert_false(ask(f));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_are_quoted_and_values_are_parameters, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(only_what_no_image_has_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_usable_key_nothing_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_else_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_question_too_long_is_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
