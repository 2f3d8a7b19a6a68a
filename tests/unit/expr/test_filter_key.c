/* What an index and an access check learn of a filter. */
#include "expr/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const core_column columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 20, .key = true},
    {.name = {(const uint8_t *)"name", 4}, .type_oid = 25},
    {.name = {(const uint8_t *)"price", 5}, .type_oid = 1700},
};
static const core_relation relation = {.column_count = 3, .columns = columns};

typedef struct {
    expr_filter *filter;
    expr_bound *bound;
} pair;

static pair bind(const char *text) {
    core_error error = {.text = ""};
    pair made = {.filter = expr_filter_new(core_slice_text(text), &error)};
    if (made.filter == NULL)
        fail_msg("%s", error.text);
    made.bound = expr_filter_bind(made.filter, &relation, &error);
    if (made.bound == NULL)
        fail_msg("%s", error.text);
    return made;
}

static void drop(pair made) {
    expr_bound_free(made.bound);
    expr_filter_free(made.filter);
}

static bool key_holds(const expr_key *key, const char *row) {
    core_value values[3] = {{.kind = CORE_VALUE_NULL}};
    core_tuple tuple = {.count = 3, .values = values};
    uint64_t hash = 0;
    values[key->column] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(row)};
    assert_true(expr_row_hash(&relation, key->column, &tuple, &hash));
    for (size_t i = 0; i < key->count; i++)
        if (key->hashes[i] == hash)
            return true;
    return false;
}

static void equalities_that_all_must_hold_are_keys(void **state) {
    (void)state;
    pair made = bind("price=gt.1,id=eq.+042,name=not.eq.x,price=in.(1.0,2,1.00),name=like.a%");
    expr_key key;
    assert_true(expr_bound_key(made.bound, 0, &key));
    assert_int_equal(key.column, 0);
    assert_int_equal(key.count, 1);
    assert_true(key_holds(&key, "42"));
    assert_false(key_holds(&key, "43"));
    assert_true(expr_bound_key(made.bound, 1, &key));
    assert_int_equal(key.column, 2);
    assert_int_equal(key.count, 2); /* 1.0 is 1.00 */
    assert_true(key_holds(&key, "1"));
    assert_true(key_holds(&key, "2.000"));
    assert_false(key_holds(&key, "3"));
    assert_false(expr_bound_key(made.bound, 2, &key));
    drop(made);
}

static void no_other_condition_is_a_key(void **state) {
    (void)state;
    static const char *const filters[] = {"",           "id=not.eq.1",     "id=not.in.(1,2)",
                                          "id=neq.1",   "id=isdistinct.1", "id=is.null",
                                          "name=like.a"};
    for (size_t i = 0; i < CORE_COUNT_OF(filters); i++) {
        expr_key key;
        pair made = bind(filters[i]);
        assert_false(expr_bound_key(made.bound, 0, &key));
        drop(made);
    }
}

static void a_value_that_is_not_told_has_no_hash(void **state) {
    (void)state;
    core_value values[] = {{.kind = CORE_VALUE_NULL}, {.kind = CORE_VALUE_UNCHANGED}};
    core_tuple tuple = {.count = 2, .values = values};
    uint64_t hash;
    for (uint16_t column = 0; column < 4; column++)
        assert_false(expr_row_hash(&relation, column, &tuple, &hash));
    values[0] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text("x")};
    assert_false(expr_row_hash(&relation, 0, &tuple, &hash)); /* no int8 */
}

static void it_tells_which_columns_it_reads(void **state) {
    (void)state;
    core_slice names[EXPR_FILTER_TERMS_MAX];
    pair made = bind("price=gt.1,id=eq.1,price=lt.5,name=is.null");
    assert_int_equal(expr_filter_columns(made.filter, names), 3);
    assert_true(core_slice_is(names[0], "price") && core_slice_is(names[1], "id") &&
                core_slice_is(names[2], "name"));
    assert_false(expr_bound_reads_keys_only(made.bound, &relation));
    core_value values[3] = {{.kind = CORE_VALUE_NULL}};
    core_tuple tuple = {.count = 3, .values = values};
    assert_true(expr_bound_is_covered(made.bound, &tuple));
    values[2].kind = CORE_VALUE_UNCHANGED;
    assert_false(expr_bound_is_covered(made.bound, &tuple));
    drop(made);
    made = bind("id=gt.1,id=lt.9");
    assert_int_equal(expr_filter_columns(made.filter, names), 1);
    assert_true(expr_bound_reads_keys_only(made.bound, &relation));
    assert_true(expr_bound_is_covered(made.bound, &tuple));
    drop(made);
    made = bind("");
    assert_int_equal(expr_filter_columns(made.filter, names), 0);
    drop(made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equalities_that_all_must_hold_are_keys),
        cmocka_unit_test(no_other_condition_is_a_key),
        cmocka_unit_test(a_value_that_is_not_told_has_no_hash),
        cmocka_unit_test(it_tells_which_columns_it_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
