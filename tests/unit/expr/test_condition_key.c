/* The keys of SQL conditions: by which column and values an index finds them. */
#include "expr/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const core_column columns[] = {
    {.name = {(const uint8_t *)"id", 2}, .type_oid = 23, .key = true},
    {.name = {(const uint8_t *)"big", 3}, .type_oid = 20, .key = true},
    {.name = {(const uint8_t *)"title", 5}, .type_oid = 1043},
    {.name = {(const uint8_t *)"price", 5}, .type_oid = 1700},
    {.name = {(const uint8_t *)"owner", 5}, .type_oid = 2950},
    {.name = {(const uint8_t *)"code", 4}, .type_oid = 1042},
    {.name = {(const uint8_t *)"done", 4}, .type_oid = 16},
};

static core_relation relation_make(void) {
    return (core_relation){.schema = core_slice_text("public"),
                           .table = core_slice_text("orders"),
                           .column_count = CORE_COUNT_OF(columns),
                           .columns = columns};
}

#define UUID "00000000-0000-0000-0000-00000000000a"

/* Which column the first key is of, how many values it has, how many keys there are, and a text
 * that it must find. */
static const struct {
    const char *text;
    int column; /* -1: no key */
    size_t values;
    size_t keys;
    const char *found;
} cases[] = {
    {"id = 7", 0, 1, 1, "7"},
    {"7 = id", 0, 1, 1, "7"},
    {"id = 7::bigint", 0, 1, 1, "7"},
    {"big = 7", 1, 1, 1, "7"},
    {"title = 'x'", 2, 1, 1, "x"},
    {"(title)::text = 'x'::text", 2, 1, 1, "x"},
    {"price = 1.50", 3, 1, 1, "1.5"},
    {"price = 2", 3, 1, 1, "2.000"},
    {"owner = '" UUID "'", 4, 1, 1, UUID},
    {"code = 'a'", 5, 1, 1, "a     "},
    {"id IN (1, 2, 2, 3)", 0, 3, 1, "3"},
    {"id = ANY (ARRAY[1, NULL, 2])", 0, 2, 1, "2"},
    {"title = ANY (string_to_array('a,b', ','))", 2, 2, 1, "b"},
    {"id = 1 OR id = 2 OR id IN (3, 4)", 0, 4, 1, "4"},
    {"id = 1 AND title = 'x' AND price > 1", 0, 1, 2, "1"},
    {"(id = 1 AND title = 'x') AND big = 2", 0, 1, 3, "1"},
    {"price > 1 AND id = 1", 0, 1, 1, "1"},
    {"done", 6, 1, 1, "t"},
    {"NOT done", 6, 1, 1, "f"},
    {"done IS TRUE AND id = 1", 6, 1, 2, "t"},
    {"done IS NOT TRUE", -1, 0, 0, NULL},
    {"done = false", 6, 1, 1, "f"},
    {"id IS NOT DISTINCT FROM 7", 0, 1, 1, "7"},
    {"id IS DISTINCT FROM 7", -1, 0, 0, NULL},
    {"id = 1 OR big = 1", -1, 0, 0, NULL},
    {"id = 1 OR price > 1", -1, 0, 0, NULL},
    {"NOT id = 1", -1, 0, 0, NULL},
    {"id <> 1", -1, 0, 0, NULL},
    {"id = big", -1, 0, 0, NULL},
    {"id + 1 = 2", -1, 0, 0, NULL},
    {"id = 1.5", -1, 0, 0, NULL}, /* compared as numerics */
    {"id::text = '7'", -1, 0, 0, NULL},
    {"id NOT IN (1, 2)", -1, 0, 0, NULL},
    {"id IN (1, big)", -1, 0, 0, NULL},
    {"title LIKE 'x'", -1, 0, 0, NULL},
    {"true", -1, 0, 0, NULL},
};

static expr_condition *compile(const char *text) {
    core_relation relation = relation_make();
    expr_refusal refusal;
    expr_condition_spec spec = {.text = core_slice_text(text), .relation = &relation};
    expr_condition *condition = expr_condition_new(&spec, &refusal);
    if (condition == NULL)
        fail_msg("%s: %s", text, refusal.error.text);
    return condition;
}

static bool key_finds(const expr_key *key, const char *text) {
    core_relation relation = relation_make();
    core_value values[CORE_COUNT_OF(columns)] = {{0}};
    core_tuple tuple = {.count = CORE_COUNT_OF(columns), .values = values};
    uint64_t hash = 0;
    values[key->column] = (core_value){.kind = CORE_VALUE_TEXT, .bytes = core_slice_text(text)};
    if (!expr_row_hash(&relation, key->column, &tuple, &hash))
        return false;
    for (size_t i = 0; i < key->count; i++)
        if (key->hashes[i] == hash)
            return true;
    return false;
}

static void test_keys(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        expr_key key;
        size_t count = 0;
        expr_condition *condition = compile(cases[i].text);
        bool has_key = expr_condition_key(condition, 0, &key);
        if (has_key != (cases[i].column >= 0))
            fail_msg("%s: %s", cases[i].text, has_key ? "has a key" : "has no key");
        if (has_key && (key.column != cases[i].column || key.count != cases[i].values ||
                        !key_finds(&key, cases[i].found)))
            fail_msg("%s: column %u, %u values", cases[i].text, key.column, key.count);
        while (expr_condition_key(condition, count, &key))
            count++;
        if (count != cases[i].keys)
            fail_msg("%s: %zu keys", cases[i].text, count);
        expr_condition_release(condition);
    }
}

/* Of how many columns a row that is taken has one of the values, and which they are. */
static const struct {
    const char *text;
    size_t count;
    uint16_t columns[3];
} alternative_cases[] = {
    {"done OR owner = '" UUID "'", 2, {6, 4}},
    {"price > 1 AND (done OR (id = 1 AND price > 2) OR id = 3)", 2, {6, 0}},
    {"id = 1", 1, {0}},
    {"(done OR big = 1) OR (title = 'x' AND price > 1)", 3, {6, 1, 2}},
    {"done OR price > 1", 0, {0}},
    {"price > 1", 0, {0}},
};

static void test_alternatives(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(alternative_cases); i++) {
        expr_key keys[EXPR_ALTERNATIVES_MAX];
        expr_condition *condition = compile(alternative_cases[i].text);
        size_t count = expr_condition_alternatives(condition, keys);
        if (count != alternative_cases[i].count)
            fail_msg("%s: %zu", alternative_cases[i].text, count);
        for (size_t k = 0; k < count; k++)
            assert_int_equal(keys[k].column, alternative_cases[i].columns[k]);
        expr_condition_release(condition);
    }
}

static void test_columns(void **state) {
    (void)state;
    uint16_t indexes[CORE_COUNT_OF(columns)];
    core_relation relation = relation_make();
    expr_condition *keys = compile("big = 1 OR id = 2 OR id + big = 3");
    assert_int_equal(expr_condition_columns(keys, false, indexes), 2);
    assert_int_equal(indexes[0], 0);
    assert_int_equal(indexes[1], 1);
    assert_int_equal(expr_condition_columns(keys, true, indexes), 0);
    assert_true(expr_condition_reads_keys_only(keys, &relation));
    expr_condition_release(keys);
    expr_condition *others = compile("id = 1 AND title IS NULL");
    assert_false(expr_condition_reads_keys_only(others, &relation));
    expr_condition_release(others);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys),
                                       cmocka_unit_test(test_alternatives),
                                       cmocka_unit_test(test_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
