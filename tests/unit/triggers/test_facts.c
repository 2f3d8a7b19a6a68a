/* What a check saw of a table comes back for the same shape, and as far as it goes for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "triggers/facts.h"

enum { COLUMNS = 3, ARENA_BYTES = 8192 };

static const core_column columns[COLUMNS] = {
    {.name = {.data = (const uint8_t *)"id", .length = 2}},
    {.name = {.data = (const uint8_t *)"a \"text\"", .length = 8}},
    {.name = {.data = (const uint8_t *)"mood", .length = 4}},
};
static const core_relation relation = {
    .column_count = COLUMNS, .columns = columns, .replica_identity = 'f'};

static void test_comes_back(void **state) {
    uint8_t memory[512];
    core_buffer out = core_buffer_over(memory, sizeof memory);
    core_arena arena;
    const expr_column_facts seen[COLUMNS] = {
        {.collation = EXPR_COLLATION_DEFAULT}, {.collation = EXPR_COLLATION_C}, {.is_enum = true}};
    const core_slice key[] = {columns[0].name, columns[1].name};
    const triggers_relation_facts facts = {
        .columns = seen, .primary_key = key, .primary_key_count = 2};
    triggers_relation_facts back;
    (void)state;
    core_arena_init(&arena, ARENA_BYTES, ARENA_BYTES);
    triggers_facts_write(&relation, &facts, &out);
    assert_true(triggers_facts_read(core_buffer_slice(&out), &relation, &arena, &back));
    assert_int_equal(back.primary_key_count, 2);
    assert_true(core_slice_equal(back.primary_key[1], columns[1].name));
    for (size_t i = 0; i < COLUMNS; i++) {
        assert_int_equal(back.columns[i].collation, seen[i].collation);
        assert_int_equal(back.columns[i].is_enum, seen[i].is_enum);
    }
    core_relation fewer = relation;
    fewer.column_count = 1;
    assert_true(triggers_facts_read(core_buffer_slice(&out), &fewer, &arena, &back));
    assert_int_equal(back.primary_key_count, 1);
    core_arena_fini(&arena);
}

static void test_what_is_none_is_refused(void **state) {
    static const char *const wrong[] = {
        "", "[]", "{\"primary_key\":1}", "{\"enum\":[1]}", "{\"enum\":[\"a\"]", "{} x"};
    core_arena arena;
    triggers_relation_facts back;
    (void)state;
    core_arena_init(&arena, ARENA_BYTES, ARENA_BYTES);
    for (size_t i = 0; i < CORE_COUNT_OF(wrong); i++)
        if (triggers_facts_read(core_slice_text(wrong[i]), &relation, &arena, &back))
            fail_msg("%s was taken", wrong[i]);
    assert_true(triggers_facts_read(core_slice_text("{}"), &relation, &arena, &back));
    assert_int_equal(back.primary_key_count, 0);
    core_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
