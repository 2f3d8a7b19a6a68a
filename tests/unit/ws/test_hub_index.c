/* The subscription index: what a change matches, by table, wildcard and value, and its cost. */
#include "tests/unit/ws/hub_index_fixture.h"

#include <time.h>

static void test_tables_and_wildcards(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    core_relation orders = fixture_relation("public", "orders");
    core_relation elsewhere = fixture_relation("other", "todos");
    must_add(f, "public", "todos", "");
    must_add(f, "public", "", "");
    assert_int_equal(match_insert(f, &todos, "1", "a", "1"), 2);
    must_add(f, "", "todos", ""); /* also for tables that are known already */
    must_add(f, "", "", "");
    assert_int_equal(match_insert(f, &todos, "1", "a", "1"), 4);
    assert_int_equal(match_insert(f, &orders, "1", "a", "1"), 2);
    assert_int_equal(match_insert(f, &elsewhere, "1", "a", "1"), 2);
    drop_all(f);
    assert_int_equal(match_insert(f, &todos, "1", "a", "1"), 0);
}

static void test_values(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add(f, "public", "todos", "id=eq.1");
    must_add(f, "public", "todos", "name=eq.milk");
    must_add(f, "public", "todos", "price=eq.1.50");
    assert_int_equal(match_insert(f, &todos, "1", "x", "0"), 1);
    assert_string_equal(f->matched, "public.todos?id=eq.1 ");
    assert_int_equal(match_insert(f, &todos, "2", "milk", "1.5"), 2); /* 1.5 is 1.50 */
    assert_int_equal(match_insert(f, &todos, "2", "Milk", "1.51"), 0);
    assert_int_equal(match_insert(f, &todos, "2", NULL, NULL), 0);
    assert_int_equal(f->problems, 0);
    drop_all(f);
}

static void test_rules_are_shared(void **state) {
    fixture *f = *state;
    hub_rule *first = must_add(f, "public", "todos", "id=eq.1");
    hub_rule *second = must_add(f, "public", "todos", "id=eq.1");
    assert_ptr_equal(first, second);
    assert_int_equal(first->user_count, 2);
    core_relation todos = fixture_relation("public", "todos");
    assert_int_equal(match_insert(f, &todos, "1", NULL, NULL), 1);
    drop(f, first);
    assert_int_equal(match_insert(f, &todos, "1", NULL, NULL), 1);
    drop_all(f);
}

static void test_deletes(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add(f, "public", "todos", "id=eq.1");
    must_add(f, "public", "todos", "name=eq.milk");
    assert_int_equal(match_delete(f, &todos, CORE_OLD_FULL, "1", "milk"), 2);
    assert_int_equal(f->problems, 0);
    assert_int_equal(match_delete(f, &todos, CORE_OLD_KEY, "1", NULL), 1);
    assert_int_equal(f->problems, 1); /* said once */
    assert_non_null(strstr(f->problem, "REPLICA IDENTITY FULL"));
    assert_int_equal(match_delete(f, &todos, CORE_OLD_KEY, "1", NULL), 1);
    assert_int_equal(f->problems, 1);
    must_add(f, "public", "todos", "name=eq.eggs");
    assert_int_equal(match_delete(f, &todos, CORE_OLD_KEY, "9", NULL), 0);
    assert_int_equal(f->problems, 2); /* to the newcomer only */
    core_change bare = {.op = CORE_OP_DELETE, .relation = &todos};
    assert_int_equal(match(f, &bare), 0);
    drop_all(f);
}

/* (id, name): the new row; `was`: the old image's, of that kind. */
static unsigned match_update(fixture *f, const core_relation *relation, const char *id,
                             const char *name, core_old_kind kind, const char *was_id,
                             const char *was_name) {
    core_value values[3], old_values[3];
    core_change change = {.op = CORE_OP_UPDATE,
                          .relation = relation,
                          .old_kind = kind,
                          .new_tuple = fixture_tuple(values, id, name, "1")};
    if (kind != CORE_OLD_NONE)
        change.old_tuple = fixture_tuple(old_values, was_id, was_name, "1");
    return match(f, &change);
}

static void test_in_is_found_by_each_value_and_matches_once(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add(f, "public", "todos", "id=in.(1,2,02,3)");
    must_add(f, "public", "todos", "id=in.(3,4),name=neq.x");
    assert_int_equal(match_insert(f, &todos, "1", "a", "1"), 1);
    assert_int_equal(match_insert(f, &todos, "2", "a", "1"), 1);
    assert_int_equal(match_insert(f, &todos, "3", "a", "1"), 2);
    assert_int_equal(match_insert(f, &todos, "3", "x", "1"), 1);
    assert_int_equal(match_insert(f, &todos, "4", "a", "1"), 1);
    assert_int_equal(match_insert(f, &todos, "5", "a", "1"), 0);
    drop_all(f);
}

static void test_other_operators(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add(f, "public", "todos", "id=not.eq.1");
    must_add(f, "public", "todos", "price=gte.1.5");
    must_add(f, "public", "todos", "name=like.mil%");
    must_add(f, "public", "todos", "name=is.null");
    assert_int_equal(match_insert(f, &todos, "1", "milk", "1.50"), 2);
    assert_int_equal(match_insert(f, &todos, "2", NULL, "1.4"), 2);
    drop_all(f);
}

/* Which of several equalities an entry stands under does not change what it matches. */
static void test_the_least_filled_buckets_are_chosen(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add(f, "public", "todos", "name=eq.open");
    assert_int_equal(match_insert(f, &todos, "1", "open", "1"), 1); /* the shape is known */
    for (int i = 0; i < 1000; i++) {
        char filter[64];
        (void)snprintf(filter, sizeof filter, "name=eq.open,price=eq.%d", i);
        must_add(f, "public", "todos", filter);
    }
    hub_table *table =
        hub_map_first(&f->index.tables,
                      hub_rule_hash(&(hub_rule_key){.schema = todos.schema, .table = todos.table}))
            ->owner;
    const hub_shelf *shelf = table->shelves[HUB_INTERESTS - 2]; /* all but leaves */
    assert_non_null(shelf);
    size_t under_name = 0;
    for (hub_entry *entry = shelf->places[HUB_PLACE_EQUAL]; entry != NULL; entry = entry->next)
        under_name += entry->links[0].column == 1;
    assert_int_equal(under_name, 1); /* the one that has nothing else */
    assert_int_equal(match_insert(f, &todos, "1", "open", "7.0"), 2);
    assert_int_equal(match_insert(f, &todos, "1", "shut", "7"), 0);
    drop_all(f);
}

/* An entry is looked at only on operations that somebody wants of it. */
static void test_operations_that_nobody_wants_cost_nothing(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    hub_rule *rule = must_add_user(f, "id=gt.0", 1u << CORE_OP_INSERT, false);
    assert_int_equal(match_insert(f, &todos, "1", "a", "1"), 1);
    assert_int_equal(match_update(f, &todos, "1", "a", CORE_OLD_NONE, NULL, NULL), 0);
    must_add_user(f, "id=gt.0", 1u << CORE_OP_UPDATE, false); /* the same rule */
    assert_int_equal(match_update(f, &todos, "1", "a", CORE_OLD_NONE, NULL, NULL), 1);
    assert_int_equal(match_insert(f, &todos, "1", "a", "1"), 1);
    assert_int_equal(match_delete(f, &todos, CORE_OLD_FULL, "1", "a"), 0);
    (void)hub_rule_drop_user(rule, 0);
    assert_int_equal(match_insert(f, &todos, "1", "a", "1"), 0);
    assert_int_equal(match_update(f, &todos, "1", "a", CORE_OLD_NONE, NULL, NULL), 1);
    must_add_user(f, "", 1u << CORE_OP_DELETE, false);
    assert_int_equal(match_update(f, &todos, "1", "a", CORE_OLD_NONE, NULL, NULL), 1);
    assert_int_equal(match_delete(f, &todos, CORE_OLD_KEY, "1", NULL), 1);
    drop_all(f);
}

static void test_leaves_are_told_to_those_who_want_them(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add_user(f, "name=eq.milk", ANY, true);
    must_add_user(f, "name=like.m%", ANY, true);
    must_add_user(f, "name=eq.eggs", ANY, false);
    must_add_user(f, "", ANY, true); /* a row cannot leave it */
    assert_int_equal(match_update(f, &todos, "1", "mint", CORE_OLD_FULL, "1", "milk"), 2);
    assert_int_equal(f->left, 1);
    assert_non_null(strstr(f->matched, "left name=eq.milk "));
    assert_int_equal(match_update(f, &todos, "1", NULL, CORE_OLD_FULL, "1", "milk"), 1);
    assert_int_equal(f->left, 2); /* null matches nothing */
    (void)match_update(f, &todos, "1", "x", CORE_OLD_FULL, "1", "eggs");
    assert_int_equal(f->left, 0);
    (void)match_update(f, &todos, "1", "milk", CORE_OLD_FULL, "1", "milk");
    assert_int_equal(f->left, 0);
    assert_int_equal(f->problems, 0);
    drop_all(f);
}

static void test_leaves_by_keys_need_no_whole_image(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add_user(f, "id=lt.10", ANY, true);
    must_add_user(f, "id=eq.3", ANY, true);
    assert_int_equal(match_update(f, &todos, "3", "a", CORE_OLD_NONE, NULL, NULL), 2);
    assert_int_equal(f->left, 0); /* the key is as it was */
    assert_int_equal(match_update(f, &todos, "30", "a", CORE_OLD_KEY, "3", NULL), 0);
    assert_int_equal(f->left, 2);
    assert_int_equal(match_update(f, &todos, "4", "a", CORE_OLD_KEY, "3", NULL), 1);
    assert_int_equal(f->left, 1);
    assert_int_equal(f->problems, 0);
    drop_all(f);
}

static void test_leaves_that_cannot_be_told_are_a_problem_once(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add_user(f, "name=eq.milk", ANY, true);
    must_add_user(f, "name=eq.eggs", ANY, false);
    for (int i = 0; i < 2; i++) {
        (void)match_update(f, &todos, "1", "x", CORE_OLD_NONE, NULL, NULL);
        assert_int_equal(f->problems, 1);
    }
    assert_non_null(strstr(f->problem, "leaves filter name=eq.milk"));
    assert_non_null(strstr(f->problem, "REPLICA IDENTITY FULL"));
    must_add_user(f, "id=eq.1,name=neq.y", ANY, true);
    (void)match_update(f, &todos, "2", "x", CORE_OLD_KEY, "1", NULL);
    assert_int_equal(f->problems, 2);
    assert_int_equal(f->left, 0);
    todos.replica_identity = 'f'; /* another shape: said again if it comes to that */
    (void)match_update(f, &todos, "1", "x", CORE_OLD_FULL, "1", "milk");
    assert_int_equal(f->left, 1);
    assert_int_equal(f->problems, 2);
    drop_all(f);
}

static void test_a_value_that_is_unchanged_tells_no_leave(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add_user(f, "name=eq.milk", ANY, true);
    core_value values[3], old_values[3];
    core_change change = {.op = CORE_OP_UPDATE,
                          .relation = &todos,
                          .old_kind = CORE_OLD_FULL,
                          .new_tuple = fixture_tuple(values, "1", NULL, "1"),
                          .old_tuple = fixture_tuple(old_values, "1", "milk", "1")};
    values[1].kind = CORE_VALUE_UNCHANGED;
    assert_int_equal(match(f, &change), 0);
    assert_int_equal(f->left, 0);
    drop_all(f);
}

/* An update of id 1 whose name is large and was left as it was. */
static unsigned match_unchanged_name(fixture *f, const core_relation *relation, const char *price) {
    core_value values[3];
    core_change change = {.op = CORE_OP_UPDATE,
                          .relation = relation,
                          .new_tuple = fixture_tuple(values, "1", NULL, price)};
    values[1].kind = CORE_VALUE_UNCHANGED;
    return match(f, &change);
}

static void test_an_update_without_what_a_filter_reads_is_a_problem_once(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    (void)match_insert(f, &todos, "1", "x", "1");
    must_add_user(f, "name=neq.milk", ANY, false);
    must_add_user(f, "name=eq.milk", ANY, false);
    must_add_user(f, "price=gt.1,name=like.a%", ANY, false);
    must_add_user(f, "name=eq.eggs", 1u << CORE_OP_INSERT, false);
    must_add_user(f, "price=neq.7", ANY, false);
    assert_int_equal(match_unchanged_name(f, &todos, "1"), 1);
    assert_int_equal(f->problems, 2); /* the third is false whatever the name is */
    assert_int_equal(match_unchanged_name(f, &todos, "2"), 1);
    assert_int_equal(f->problems, 3);
    assert_non_null(strstr(f->problem, "filter price=gt.1,name=like.a% cannot be evaluated"));
    assert_non_null(strstr(f->problem, "REPLICA IDENTITY FULL"));
    assert_int_equal(match_unchanged_name(f, &todos, "2"), 1);
    assert_int_equal(f->problems, 3);
    hub_rule *late = must_add_user(f, "name=eq.beans", ANY, false);
    assert_int_equal(match_unchanged_name(f, &todos, "2"), 1);
    assert_int_equal(f->problems, 4);
    drop(f, late);
    assert_int_equal(match_insert(f, &todos, "2", NULL, NULL), 0); /* null is an answer */
    assert_int_equal(f->problems, 4);
    drop_all(f);
}

static void test_truncate_reaches_everybody(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add(f, "public", "todos", "id=eq.1");
    must_add(f, "public", "todos", "");
    core_change truncate = {.op = CORE_OP_TRUNCATE, .relation = &todos};
    assert_int_equal(match(f, &truncate), 2);
    drop_all(f);
}

static void test_shapes(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add(f, "public", "todos", "nothing=eq.1"); /* nobody knows the columns yet */
    must_add(f, "public", "todos", "id=eq.1");
    assert_int_equal(match_insert(f, &todos, "1", NULL, NULL), 1);
    assert_int_equal(f->problems, 1);
    assert_int_equal(match_insert(f, &todos, "1", NULL, NULL), 1);
    assert_int_equal(f->problems, 1);
    core_error error;
    hub_rule_key nowhere = fixture_key("public", "todos", "nowhere=eq.1"); /* now they are known */
    assert_null(add(f, nowhere, (hub_user){.operations = ANY}, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    core_column other[] = {{.name = core_slice_text("nothing"), .type_oid = 23, .key = true}};
    todos.columns = other;
    todos.column_count = 1;
    core_value value = fixture_value("1");
    core_change change = {
        .op = CORE_OP_INSERT, .relation = &todos, .new_tuple = {.count = 1, .values = &value}};
    assert_int_equal(match(f, &change), 1);
    assert_string_equal(f->matched, "public.todos?nothing=eq.1 ");
    assert_int_equal(f->problems, 2); /* id is gone */
    drop_all(f);
}

/* What this process has used, whoever else is on the machine. */
static int64_t processor_ms(void) {
    return (int64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

static void test_many_equalities_cost_what_matches(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    for (int i = 0; i < 5000; i++) {
        char filter[32];
        (void)snprintf(filter, sizeof filter, "id=eq.%d", i);
        must_add(f, "public", "todos", filter);
    }
    int64_t start_ms = processor_ms();
    for (int i = 0; i < 5000; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        assert_int_equal(match_insert(f, &todos, id, NULL, NULL), 1);
    }
    /* Linear evaluation would be 25 million; a generous bound for a sanitizer's build. */
    assert_in_range(processor_ms() - start_ms, 0, 1000);
    drop_all(f);
}

/* Rules that share a value: each is added and dropped without a walk over the others. */
static void test_many_of_one_value_come_and_go(void **state) {
    fixture *f = *state;
    core_relation todos = fixture_relation("public", "todos");
    must_add(f, "public", "todos", "");
    (void)match_insert(f, &todos, "1", "a", "1");
    int64_t start_ms = processor_ms();
    enum { COUNT = 50000 };
    hub_rule **rules = calloc(COUNT, sizeof(hub_rule *));
    assert_non_null(rules);
    for (int i = 0; i < COUNT; i++) {
        char filter[64];
        (void)snprintf(filter, sizeof filter, "name=eq.a,id=gt.%d", i);
        rules[i] = must_add(f, "public", "todos", filter);
    }
    for (int i = 0; i < COUNT; i++)
        drop(f, rules[i]);
    free(rules);
    /* A walk would be 1250 million steps, and so many again. */
    assert_in_range(processor_ms() - start_ms, 0, 5000);
    drop_all(f);
}

/* Of any schema each project gets its own: the tenant by its pattern, the rest the source's. */
static void test_any_schema_is_ones_own(void **state) {
    fixture *f = *state;
    static const char *const patterns[] = {"proj_{project_id}"};
    const core_tenants tenants = {"default", "dev", patterns, 1};
    f->index.tenants = &tenants;
    must_add_tenant(f, "acme", "todos");
    must_add_tenant(f, "acme", "");
    core_relation own = fixture_relation("public", "todos"),
                  theirs = fixture_relation("proj_acme", "todos"),
                  others = fixture_relation("proj_beta", "todos");
    assert_int_equal(match_insert(f, &theirs, "1", "a", "1"), 2);
    assert_int_equal(match_insert(f, &own, "1", "a", "1"), 0);
    assert_int_equal(match_insert(f, &others, "1", "a", "1"), 0);
    must_add(f, "", "", "");
    must_add(f, "proj_beta", "todos", ""); /* a table that is there before its wildcards */
    must_add_tenant(f, "beta", "todos");
    assert_int_equal(match_insert(f, &theirs, "1", "a", "1"), 2);
    assert_int_equal(match_insert(f, &own, "1", "a", "1"), 1);
    assert_int_equal(match_insert(f, &others, "1", "a", "1"), 2);
    drop_all(f);
    f->index.tenants = NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tables_and_wildcards, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_schema_is_ones_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rules_are_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deletes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_is_found_by_each_value_and_matches_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_other_operators, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_least_filled_buckets_are_chosen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_operations_that_nobody_wants_cost_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_leaves_are_told_to_those_who_want_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_leaves_by_keys_need_no_whole_image, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaves_that_cannot_be_told_are_a_problem_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_value_that_is_unchanged_tells_no_leave, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_an_update_without_what_a_filter_reads_is_a_problem_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncate_reaches_everybody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_equalities_cost_what_matches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_of_one_value_come_and_go, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
