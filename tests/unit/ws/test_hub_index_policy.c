/* The subscription index: rules that a policy narrows to its rows. */
#include "tests/unit/ws/hub_index_fixture.h"

static hub_rule *must_add_policy(fixture *f, const core_relation *relation, const char *filter,
                                 const char *text) {
    expr_refusal refusal;
    expr_condition_spec spec = {.text = core_slice_text(text), .relation = relation};
    expr_condition *policy = expr_condition_new(&spec, &refusal);
    assert_non_null(policy);
    hub_rule_key key = fixture_key("public", "todos", filter);
    key.policy = policy;
    key.policy_serial = 1;
    hub_rule *rule = must_add_key(f, key, (hub_user){.operations = ANY});
    expr_condition_release(policy);
    return rule;
}

static unsigned match_update_without_name(fixture *f, const core_relation *relation,
                                          const char *price) {
    core_value values[3];
    core_change change = {.op = CORE_OP_UPDATE,
                          .relation = relation,
                          .new_tuple = fixture_tuple(values, "1", NULL, price)};
    values[1] = (core_value){.kind = CORE_VALUE_UNCHANGED};
    return match(f, &change);
}

static unsigned match_update_name_later(fixture *f, const core_relation *relation, const char *name,
                                        const char *price) {
    core_value values[3];
    core_change change = {.op = CORE_OP_UPDATE,
                          .relation = relation,
                          .new_tuple = fixture_tuple(values, "1", name, price)};
    values[1].read_later = true;
    return match(f, &change);
}

static void test_a_policy_narrows_to_its_rows(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    hub_rule *plain = must_add(f, "public", "todos", "");
    (void)match_insert(f, &todos, "1", "a", "1"); /* policies come when the shape is known */
    must_add_policy(f, &todos, "", "name = 'a'");
    must_add_policy(f, &todos, "price=gt.5", "name = 'a'");
    must_add_policy(f, &todos, "", "id > 0"); /* bounds nothing */
    drop(f, plain);
    assert_int_equal(match_insert(f, &todos, "1", "a", "1"), 2);
    assert_int_equal(match_insert(f, &todos, "1", "a", "9"), 3);
    assert_int_equal(match_insert(f, &todos, "1", "b", "9"), 1);
    drop_all(f);
}

static void test_a_policy_of_several_columns_is_found_by_each_and_matches_once(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    char text[64];
    hub_rule *plain = must_add(f, "public", "todos", "");
    (void)match_insert(f, &todos, "1", "a", "1");
    for (int i = 0; i < 100; i++) {
        (void)snprintf(text, sizeof text, "name IN ('a', 'b') OR price = %d", i);
        must_add_policy(f, &todos, "", text);
    }
    hub_rule *filtered = must_add_policy(f, &todos, "id=gt.5", "name = 'a' OR price = 7");
    drop(f, plain);
    assert_int_equal(match_insert(f, &todos, "1", "c", "7"), 1);
    assert_int_equal(match_insert(f, &todos, "9", "c", "7.0"), 2);
    assert_int_equal(match_insert(f, &todos, "1", "c", "100"), 0);
    assert_int_equal(match_insert(f, &todos, "1", "b", "7"), 100); /* both: once */
    assert_int_equal(match_insert(f, &todos, "1", "b", "7"), 100);
    /* Without one of the columns the other may still find it: the policies decide, all of them. */
    assert_int_equal(match_update_without_name(f, &todos, "7"), 100);
    assert_int_equal(match_update_without_name(f, &todos, "100"), 100);
    assert_int_equal(f->problems, 0);
    drop(f, filtered);
    assert_int_equal(match_insert(f, &todos, "9", "c", "7"), 1);
    drop_all(f);
}

/* It may be another one than the row had: filters take it all the same, policies do not. */
static void test_a_value_that_was_read_later_leads_to_filters_and_not_past_policies(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    hub_rule *plain = must_add(f, "public", "todos", "");
    (void)match_insert(f, &todos, "1", "a", "1");
    must_add(f, "public", "todos", "name=eq.b");
    must_add_policy(f, &todos, "name=eq.b", "price > 0"); /* found by its filter */
    drop(f, plain);
    assert_int_equal(match_update_name_later(f, &todos, "b", "1"), 2);
    assert_int_equal(match_update_name_later(f, &todos, "a", "1"), 0);
    assert_int_equal(f->problems, 0);
    hub_rule *policy = must_add_policy(f, &todos, "", "name = 'a'");
    assert_int_equal(match_update_name_later(f, &todos, "b", "1"), 2);
    assert_int_equal(f->problems, 1);
    assert_non_null(strstr(f->problem, "row-level security cannot be evaluated"));
    assert_int_equal(match_update_name_later(f, &todos, "b", "1"), 2);
    assert_int_equal(f->problems, 1); /* once */
    assert_int_equal(match_insert(f, &todos, "1", "a", "1"), 1);
    drop(f, policy);
    (void)must_add_policy(f, &todos, "", "name = 'a' OR price = 7");
    assert_int_equal(match_update_name_later(f, &todos, "b", "1"), 3); /* decides by itself */
    assert_int_equal(match_update_name_later(f, &todos, "b", "1"), 3);
    assert_int_equal(match_update_without_name(f, &todos, "1"), 1);
    assert_int_equal(f->problems, 3); /* of the two that stand under the name alone */
    drop_all(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_policy_narrows_to_its_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_policy_of_several_columns_is_found_by_each_and_matches_once, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_value_that_was_read_later_leads_to_filters_and_not_past_policies, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
