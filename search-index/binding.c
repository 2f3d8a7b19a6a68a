/* See binding.h. */
#include "search-index/binding.h"

#include <stdio.h>

#define ARENA_CHUNK_BYTES ((size_t)4096)
#define ARENA_MAX_BYTES   ((size_t)4 << 20)

void search_binding_init(search_binding *binding, const search_plan *plan, size_t table) {
    *binding = (search_binding){.plan = plan, .table = &plan->tables[table]};
    core_arena_init(&binding->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
}

void search_binding_fini(search_binding *binding) {
    expr_condition_release(binding->when);
    binding->when = NULL;
    core_arena_fini(&binding->arena);
}

static bool no_memory(core_error *error) {
    return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a table's columns");
}

/* Of several tables each may lack some. */
static void absent_note(search_binding *binding, core_slice column) {
    const search_plan_table *table = binding->table;
    const search_plan *plan = binding->plan;
    bool may_lack = plan->own_count > 1 && (size_t)(table - plan->tables) < plan->own_count;
    if (binding->problem[0] == '\0' && !may_lack)
        (void)snprintf(binding->problem, sizeof binding->problem,
                       "table %.*s.%.*s has no column %.*s any more: documents lack it",
                       CORE_SLICE_ARGS(table->schema), CORE_SLICE_ARGS(table->table),
                       CORE_SLICE_ARGS(column));
}

static int column_find(const core_relation *relation, core_slice name) {
    for (uint16_t i = 0; i < relation->column_count; i++)
        if (core_slice_equal(relation->columns[i].name, name))
            return i;
    return -1;
}

static bool columns_find(search_binding *binding, const core_relation *relation,
                         core_error *error) {
    const search_plan_table *table = binding->table;
    core_column *columns = core_arena_array(&binding->arena, table->column_count, sizeof *columns);
    int *places = core_arena_array(&binding->arena, table->column_count, sizeof *places);
    if (columns == NULL || places == NULL)
        return no_memory(error);
    for (size_t i = 0; i < table->column_count; i++) {
        places[i] = column_find(relation, table->columns[i]);
        if (places[i] < 0) {
            absent_note(binding, table->columns[i]);
            continue;
        }
        columns[i] = relation->columns[places[i]];
        columns[i].name = table->columns[i];
        columns[i].type_name = core_arena_copy(&binding->arena, columns[i].type_name);
        if (columns[i].type_name.data == NULL)
            return no_memory(error);
    }
    binding->columns = columns;
    binding->places = places;
    return true;
}

/* Documents go by the key that the definition was checked with. */
static bool key_check(const search_binding *binding, core_error *error) {
    const search_plan_table *table = binding->table;
    for (size_t i = 0; i < table->key_count; i++)
        if (binding->places[table->key[i]] < 0 || !binding->columns[table->key[i]].key)
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "the key of %.*s.%.*s is not %.*s any more: put the index's "
                                  "definition again",
                                  CORE_SLICE_ARGS(table->schema), CORE_SLICE_ARGS(table->table),
                                  CORE_SLICE_ARGS(table->columns[table->key[i]]));
    return true;
}

static void when_compile(search_binding *binding, const core_relation *relation) {
    expr_refusal refusal;
    const search_definition *definition = binding->plan->definition;
    size_t index = (size_t)(binding->table - binding->plan->tables);
    if (index >= binding->plan->own_count)
        return;
    bool is_whole = definition->when.length > 0;
    const expr_condition_spec spec = {
        .text = is_whole ? definition->when : definition->tables[index].when, .relation = relation};
    if (spec.text.length == 0)
        return;
    binding->when = expr_condition_new(&spec, &refusal);
    binding->when_fails = binding->when == NULL;
    if (binding->when_fails)
        (void)snprintf(binding->problem, sizeof binding->problem, "when: %s", refusal.error.text);
}

bool search_binding_bind(search_binding *binding, const core_relation *relation,
                         core_error *error) {
    if (binding->is_bound && binding->version == relation->version)
        return true;
    expr_condition_release(binding->when);
    core_arena_reset(&binding->arena);
    binding->when = NULL;
    binding->is_bound = false;
    binding->when_fails = false;
    binding->problem[0] = '\0';
    binding->row_count = relation->column_count;
    binding->row =
        core_arena_array(&binding->arena, (size_t)relation->column_count + 1, sizeof *binding->row);
    if (binding->row == NULL)
        return no_memory(error);
    if (!columns_find(binding, relation, error) || !key_check(binding, error))
        return false;
    when_compile(binding, relation);
    binding->version = relation->version;
    binding->is_bound = true;
    return true;
}
