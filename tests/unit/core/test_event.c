/* Operations' names, which are the subjects' last tokens; what the old image tells of the new one.
 */
#include "core/core.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void names_come_back(void **state) {
    (void)state;
    for (core_op op = CORE_OP_INSERT; op <= CORE_OP_GAP; op++)
        assert_int_equal(core_op_parse(core_slice_text(core_op_name(op))), op);
    assert_string_equal(core_op_name(CORE_OP_TRUNCATE), "TRUNCATE");
}

static void what_is_none_is_refused(void **state) {
    (void)state;
    assert_null(core_op_name(CORE_OP_NONE));
    assert_null(core_op_name((core_op)(CORE_OP_GAP + 1)));
    assert_int_equal(core_op_parse(core_slice_text("insert")), CORE_OP_NONE);
    assert_int_equal(core_op_parse(core_slice_text("")), CORE_OP_NONE);
}

/* ---- Unchanged values ---- */

enum { COLUMNS = 4 };

static const core_column columns[COLUMNS] = {{.key = true}, {.key = true}};
static const core_relation relation = {.column_count = COLUMNS, .columns = columns};
static const core_value old_row[COLUMNS] = {
    {.kind = CORE_VALUE_TEXT, .bytes = {(const uint8_t *)"a", 1}},
    {.kind = CORE_VALUE_UNCHANGED},
    {.kind = CORE_VALUE_NULL},
    {.kind = CORE_VALUE_BINARY, .bytes = {(const uint8_t *)"d", 1}},
};

/* An update whose every value is unchanged, filled from that row as an image of `kind`. */
static void fill(core_op op, core_old_kind kind, core_value values[COLUMNS]) {
    core_value old_values[COLUMNS];
    memcpy(old_values, old_row, sizeof old_values);
    for (size_t i = 0; i < COLUMNS; i++)
        values[i] = (core_value){.kind = CORE_VALUE_UNCHANGED};
    core_change change = {
        .op = op,
        .relation = &relation,
        .old_kind = kind,
        .old_tuple = {kind == CORE_OLD_NONE ? 0 : COLUMNS, old_values},
        .new_tuple = {COLUMNS, values},
    };
    core_change_fill_unchanged(&change);
}

static void assert_kinds(const core_value values[COLUMNS], core_value_kind first,
                         core_value_kind third, core_value_kind fourth) {
    assert_int_equal(values[0].kind, first);
    assert_int_equal(values[1].kind, CORE_VALUE_UNCHANGED); /* the old image has it not either */
    assert_int_equal(values[2].kind, third);
    assert_int_equal(values[3].kind, fourth);
}

static void the_old_image_fills_what_it_has(void **state) {
    (void)state;
    core_value values[COLUMNS];
    fill(CORE_OP_UPDATE, CORE_OLD_FULL, values);
    assert_kinds(values, CORE_VALUE_TEXT, CORE_VALUE_NULL, CORE_VALUE_BINARY);
    assert_true(core_slice_is(values[0].bytes, "a"));
    assert_true(core_slice_is(values[3].bytes, "d"));
    fill(CORE_OP_UPDATE, CORE_OLD_KEY, values); /* its other columns are null, which is no value */
    assert_kinds(values, CORE_VALUE_TEXT, CORE_VALUE_UNCHANGED, CORE_VALUE_UNCHANGED);
    fill(CORE_OP_UPDATE, CORE_OLD_NONE, values);
    assert_kinds(values, CORE_VALUE_UNCHANGED, CORE_VALUE_UNCHANGED, CORE_VALUE_UNCHANGED);
    fill(CORE_OP_INSERT, CORE_OLD_FULL, values);
    assert_kinds(values, CORE_VALUE_UNCHANGED, CORE_VALUE_UNCHANGED, CORE_VALUE_UNCHANGED);
}

static void a_changed_value_stays(void **state) {
    (void)state;
    core_value old_values[COLUMNS];
    memcpy(old_values, old_row, sizeof old_values);
    core_value values[COLUMNS] = {{.kind = CORE_VALUE_NULL}};
    core_change change = {
        .op = CORE_OP_UPDATE,
        .relation = &relation,
        .old_kind = CORE_OLD_FULL,
        .old_tuple = {1, old_values}, /* shorter: only what is there */
        .new_tuple = {COLUMNS, values},
    };
    values[3].kind = CORE_VALUE_UNCHANGED;
    core_change_fill_unchanged(&change);
    assert_int_equal(values[0].kind, CORE_VALUE_NULL);
    assert_int_equal(values[3].kind, CORE_VALUE_UNCHANGED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_back),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(the_old_image_fills_what_it_has),
        cmocka_unit_test(a_changed_value_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
