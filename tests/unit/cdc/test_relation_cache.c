/* The relation cache: names, versions that differ with each difference, many tables, types by OID.
 */
#include "cdc/relation_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TABLES = 5000, MOOD_OID = 99999 };

static const core_column base_columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 20, .typmod = -1, .key = true},
    {.name = {(const uint8_t *)"mood", 4}, .type_oid = MOOD_OID, .typmod = -1},
};

static core_relation relation_make(uint32_t oid, const core_column *columns, uint16_t count) {
    return (core_relation){
        .oid = oid,
        .schema = core_slice_text("public"),
        .table = core_slice_text("todos"),
        .replica_identity = 'd',
        .column_count = count,
        .columns = columns,
    };
}

static int setup(void **state) {
    *state = cdc_relation_cache_new();
    return *state == NULL;
}

static int teardown(void **state) {
    cdc_relation_cache_free(*state);
    return 0;
}

static uint32_t put(cdc_relation_cache *cache, const core_relation *relation) {
    core_error error = {0};
    assert_true(cdc_relation_cache_put(cache, relation, &error));
    return cdc_relation_cache_get(cache, relation->oid)->version;
}

static void an_unknown_relation_is_not_there(void **state) {
    assert_null(cdc_relation_cache_get(*state, 1));
    assert_null(cdc_relation_cache_get(*state, 0));
}

static void the_cache_owns_its_copy(void **state) {
    char table[] = "todos";
    core_relation relation = relation_make(1, base_columns, 2);
    relation.table = core_slice_text(table);
    assert_int_not_equal(put(*state, &relation), 0);
    table[0] = 'X';
    const core_relation *held = cdc_relation_cache_get(*state, 1);
    assert_true(core_slice_is(held->table, "todos"));
    assert_true(core_slice_is(held->columns[0].name, "id"));
    assert_true(core_slice_is(held->columns[0].type_name, "int8"));
    assert_int_equal(held->columns[1].type_name.length, 0);
}

static void the_same_description_keeps_the_version(void **state) {
    core_relation relation = relation_make(1, base_columns, 2);
    uint32_t version = put(*state, &relation);
    assert_int_equal(put(*state, &relation), version);
    assert_int_equal(cdc_relation_cache_length(*state), 1);
}

static void assert_new(uint32_t version, uint32_t *seen, size_t *count) {
    for (size_t i = 0; i < *count; i++)
        assert_int_not_equal(version, seen[i]);
    seen[(*count)++] = version;
}

/* Each single difference is one. */
static void every_difference_gives_another_version(void **state) {
    uint32_t seen[16];
    size_t count = 0;
    core_column columns[2] = {base_columns[0], base_columns[1]};
    core_relation relation = relation_make(1, columns, 2);
    assert_new(put(*state, &relation), seen, &count);
    relation.table = core_slice_text("tasks");
    assert_new(put(*state, &relation), seen, &count);
    relation.schema = core_slice_text("My Schema");
    assert_new(put(*state, &relation), seen, &count);
    relation.replica_identity = 'f';
    assert_new(put(*state, &relation), seen, &count);
    relation.column_count = 1;
    assert_new(put(*state, &relation), seen, &count);
    columns[0].name = core_slice_text("ID");
    assert_new(put(*state, &relation), seen, &count);
    columns[0].type_oid = 23;
    assert_new(put(*state, &relation), seen, &count);
    columns[0].typmod = 8;
    assert_new(put(*state, &relation), seen, &count);
    columns[0].key = false;
    assert_new(put(*state, &relation), seen, &count);
}

static void types_get_their_names(void **state) {
    core_error error = {0};
    core_relation relation = relation_make(1, base_columns, 2);
    uint32_t unnamed = put(*state, &relation);
    assert_true(
        cdc_relation_cache_type_put(*state, MOOD_OID, core_slice_text("mood_type"), &error));
    uint32_t named = put(*state, &relation);
    assert_int_not_equal(named, unnamed);
    const core_relation *held = cdc_relation_cache_get(*state, 1);
    assert_true(core_slice_is(held->columns[1].type_name, "mood_type"));
    assert_true(cdc_relation_cache_type_put(*state, MOOD_OID, core_slice_text("renamed"), &error));
    assert_int_not_equal(put(*state, &relation), named);
}

static void thousands_of_tables_are_found_again(void **state) {
    char name[32];
    for (uint32_t i = 0; i < TABLES; i++) {
        core_relation relation = relation_make(16384 + i * 7, base_columns, 2);
        (void)snprintf(name, sizeof name, "table_%u", i);
        relation.table = core_slice_text(name);
        assert_int_not_equal(put(*state, &relation), 0);
    }
    assert_int_equal(cdc_relation_cache_length(*state), TABLES);
    for (uint32_t i = 0; i < TABLES; i++) {
        (void)snprintf(name, sizeof name, "table_%u", i);
        assert_true(core_slice_is(cdc_relation_cache_get(*state, 16384 + i * 7)->table, name));
    }
    assert_null(cdc_relation_cache_get(*state, 16385));
}

static void past_the_maximum_is_a_limit(void **state) {
    core_error error = {0};
    core_relation relation = relation_make(1, NULL, 0);
    for (uint32_t oid = 1; oid <= CDC_RELATIONS_MAX; oid++) {
        relation.oid = oid;
        assert_true(cdc_relation_cache_put(*state, &relation, &error));
    }
    relation.oid = CDC_RELATIONS_MAX + 1;
    assert_false(cdc_relation_cache_put(*state, &relation, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    relation.oid = 0;
    assert_false(cdc_relation_cache_put(*state, &relation, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_unknown_relation_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(the_cache_owns_its_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_description_keeps_the_version, setup, teardown),
        cmocka_unit_test_setup_teardown(every_difference_gives_another_version, setup, teardown),
        cmocka_unit_test_setup_teardown(types_get_their_names, setup, teardown),
        cmocka_unit_test_setup_teardown(thousands_of_tables_are_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(past_the_maximum_is_a_limit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
