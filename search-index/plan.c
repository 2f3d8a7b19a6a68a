/* See plan.h. */
#include "search-index/plan.h"

#include <stdlib.h>

#define ARENA_CHUNK_BYTES ((size_t)4096)
#define ARENA_MAX_BYTES   ((size_t)4 << 20)

/* A table's columns while they are gathered. */
typedef struct {
    search_plan *plan;
    search_plan_table *table;
    core_slice *names; /* room for CORE_COLUMNS_MAX */
    size_t count;
} column_set;

static bool no_memory(core_error *error) {
    return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the plan of an index");
}

/* Its place among the table's columns, where it is put if it is not there yet. */
static size_t column_add(column_set *set, core_slice name) {
    for (size_t i = 0; i < set->count; i++)
        if (core_slice_equal(set->names[i], name))
            return i;
    if (set->count == CORE_COLUMNS_MAX)
        return SIZE_MAX;
    set->names[set->count] = name;
    return set->count++;
}

/* ---- Outputs ---- */

static bool output_make(column_set *set, const search_field *field, search_output *output) {
    core_slice *parts = core_arena_array(&set->plan->arena, SEARCH_OUTPUT_PARTS, sizeof *parts);
    size_t count = 0;
    if (parts == NULL)
        return false;
    parts[count++] = field->column;
    for (size_t i = 0; i < field->step_count; i++)
        parts[count++] = field->steps[i];
    *output = (search_output){.parts = parts,
                              .part_count = count,
                              .column = column_add(set, field->column),
                              .steps = field->steps,
                              .step_count = field->step_count};
    return output->column != SIZE_MAX;
}

static int output_compare(const void *a, const void *b) {
    const search_output *left = a, *right = b;
    for (size_t i = 0; i < left->part_count && i < right->part_count; i++) {
        int order = core_slice_compare(left->parts[i], right->parts[i]);
        if (order != 0)
            return order;
    }
    return (left->part_count > right->part_count) - (left->part_count < right->part_count);
}

static bool output_is_there(const search_output *outputs, size_t count, core_slice name) {
    for (size_t i = 0; i < count; i++)
        if (outputs[i].part_count == 1 && core_slice_equal(outputs[i].parts[0], name))
            return true;
    return false;
}

/* A column of a JSON document that is there in parts cannot stand there as a whole. */
static bool output_is_begun(const search_output *outputs, size_t count, core_slice name) {
    for (size_t i = 0; i < count; i++)
        if (core_slice_equal(outputs[i].parts[0], name))
            return true;
    return false;
}

/* Fields of `related`, -1: the row's own, and its primary key. */
static bool outputs_make(column_set *set, int related) {
    search_plan *plan = set->plan;
    const search_definition *definition = plan->definition;
    size_t room = definition->field_count + SEARCH_KEY_COLUMNS_MAX, count = 0;
    search_output *outputs = core_arena_array(&plan->arena, room, sizeof *outputs);
    if (outputs == NULL)
        return false;
    for (size_t i = 0; i < definition->field_count; i++)
        if (definition->fields[i].related == related &&
            !output_make(set, &definition->fields[i], &outputs[count++]))
            return false;
    for (size_t i = 0; related < 0 && i < set->table->key_count; i++) {
        const search_field field = {.column = set->names[set->table->key[i]]};
        if (!output_is_there(outputs, count, field.column) &&
            !output_is_begun(outputs, count, field.column) &&
            !output_make(set, &field, &outputs[count++]))
            return false;
    }
    qsort(outputs, count, sizeof *outputs, output_compare);
    set->table->outputs = outputs;
    set->table->output_count = count;
    return true;
}

/* ---- Tables ---- */

static bool key_make(column_set *set, const search_table_facts *facts) {
    size_t *key = core_arena_array(&set->plan->arena, facts->key_count, sizeof *key);
    for (size_t i = 0; key != NULL && i < facts->key_count; i++)
        key[i] = column_add(set, facts->key[i]);
    set->table->key = key;
    set->table->key_count = facts->key_count;
    return key != NULL;
}

static void set_end(column_set *set) {
    uint64_t fingerprint = core_slice_hash(set->table->table);
    for (size_t i = 0; i < set->count; i++) {
        fingerprint = core_slice_hash_more(fingerprint, set->names[i]);
        fingerprint = core_slice_hash_more(fingerprint, core_slice_make("", 1));
    }
    set->table->columns = set->names;
    set->table->column_count = set->count;
    set->table->fingerprint = fingerprint;
}

static bool table_make(search_plan *plan, size_t index) {
    const search_definition *definition = plan->definition;
    const search_table_facts *facts = &plan->facts.tables[index];
    column_set set = {.plan = plan, .table = &plan->tables[index]};
    bool is_own = index < plan->own_count;
    int related = is_own ? -1 : (int)(index - plan->own_count);
    set.names = core_arena_array(&plan->arena, CORE_COLUMNS_MAX, sizeof *set.names);
    *set.table = (search_plan_table){.schema = facts->schema, .table = facts->table};
    if (set.names == NULL || !key_make(&set, facts) || !outputs_make(&set, related))
        return false;
    for (size_t i = 0; is_own && i < plan->related_count; i++)
        if (!plan->related[i].is_child)
            plan->related[i].column = column_add(&set, definition->related[i].key);
    if (!is_own && plan->related[related].is_child)
        plan->related[related].column = column_add(&set, definition->related[related].key);
    for (size_t i = 0; is_own && i < plan->facts.when_count; i++)
        (void)column_add(&set, plan->facts.when[i]);
    for (size_t i = 0; is_own && i < facts->when_count; i++)
        (void)column_add(&set, facts->when[i]);
    set_end(&set);
    return true;
}

static bool tables_make(search_plan *plan, core_error *error) {
    const search_definition *definition = plan->definition;
    plan->table_count = plan->facts.table_count;
    plan->own_count = definition->table_count;
    plan->related_count = definition->related_count;
    plan->tables = core_arena_array(&plan->arena, plan->table_count, sizeof *plan->tables);
    plan->related = core_arena_array(&plan->arena, plan->related_count + 1, sizeof *plan->related);
    if (plan->tables == NULL || plan->related == NULL)
        return no_memory(error);
    for (size_t i = 0; i < plan->related_count; i++)
        plan->related[i] = (search_plan_related){.name = definition->related[i].name,
                                                 .is_child = definition->related[i].is_child};
    for (size_t i = 0; i < plan->table_count; i++)
        if (!table_make(plan, i))
            return no_memory(error);
    plan->has_id = plan->own_count > 1 || plan->tables[0].key_count > 1;
    return true;
}

search_plan *search_plan_new(const search_definition *definition, core_slice facts,
                             core_error *error) {
    search_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        (void)no_memory(error);
        return NULL;
    }
    plan->definition = search_definition_hold(definition);
    core_arena_init(&plan->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    if (search_facts_read(facts, definition, &plan->arena, &plan->facts, error) &&
        tables_make(plan, error))
        return plan;
    search_plan_free(plan);
    return NULL;
}

void search_plan_free(search_plan *plan) {
    if (plan == NULL)
        return;
    core_arena_fini(&plan->arena);
    search_definition_release(plan->definition);
    free(plan);
}

core_slice search_plan_primary_key(const search_plan *plan) {
    const search_plan_table *table = &plan->tables[0];
    return plan->has_id ? core_slice_text(SEARCH_ID_ATTRIBUTE) : table->columns[table->key[0]];
}

/* ---- The schema ---- */

static const struct {
    const char *name;
    search_rule_kind kind;
} rules[] = {
    {"words", SEARCH_RULE_WORDS},         {"typo", SEARCH_RULE_TYPO},
    {"proximity", SEARCH_RULE_PROXIMITY}, {"attribute", SEARCH_RULE_ATTRIBUTE},
    {"sort", SEARCH_RULE_SORT},           {"exactness", SEARCH_RULE_EXACTNESS},
};

static bool rule_read(core_slice text, search_ranking_rule *rule) {
    for (size_t i = 0; i < CORE_COUNT_OF(rules); i++)
        if (core_slice_is(text, rules[i].name)) {
            *rule = (search_ranking_rule){.kind = rules[i].kind};
            return true;
        }
    for (size_t i = text.length; i > 0; i--) {
        if (text.data[i - 1] != ':')
            continue;
        core_slice order = core_slice_make(text.data + i, text.length - i);
        rule->attribute = core_slice_make(text.data, i - 1);
        rule->kind = core_slice_is(order, "asc") ? SEARCH_RULE_ASCENDING : SEARCH_RULE_DESCENDING;
        return rule->attribute.length > 0 &&
               (core_slice_is(order, "asc") || core_slice_is(order, "desc"));
    }
    return false;
}

static void attribute_make(const search_field *field, search_attribute *attribute) {
    *attribute = (search_attribute){
        .name = field->name,
        .weight = (field->uses & SEARCH_USE_SEARCH) != 0 ? field->weight : 0,
        .is_filterable = (field->uses & (SEARCH_USE_FILTER | SEARCH_USE_FACET)) != 0,
        .is_sortable = (field->uses & SEARCH_USE_SORT) != 0,
        .is_displayed = true,
    };
}

search_schema *search_plan_schema(const search_plan *plan, core_error *error) {
    const search_definition *it = plan->definition;
    search_schema_spec spec = search_schema_defaults();
    search_attribute attributes[SEARCH_FIELDS_MAX + 1];
    search_ranking_rule ranking[SEARCH_RANKING_RULES_MAX];
    for (size_t i = 0; i < it->field_count; i++)
        attribute_make(&it->fields[i], &attributes[i]);
    spec.attribute_count = it->field_count;
    if (plan->own_count > 1)
        attributes[spec.attribute_count++] =
            (search_attribute){.name = core_slice_text(SEARCH_TABLE_ATTRIBUTE),
                               .is_filterable = true,
                               .is_displayed = true};
    for (size_t i = 0; i < it->ranking_count; i++)
        if (!rule_read(it->ranking[i], &ranking[i])) {
            (void)core_error_set(error, CORE_ERROR_INPUT, "ranking: %.*s is no rule",
                                 CORE_SLICE_ARGS(it->ranking[i]));
            return NULL;
        }
    if (it->ranking_count > 0) {
        spec.ranking_rules = ranking;
        spec.ranking_rule_count = it->ranking_count;
    }
    spec.primary_key = search_plan_primary_key(plan);
    spec.attributes = attributes;
    spec.shows_all = true;
    spec.language = it->language;
    spec.stop_words = it->stop_words;
    spec.stop_word_count = it->stop_word_count;
    spec.synonyms = it->synonyms;
    spec.synonym_count = it->synonym_count;
    spec.typo = it->typo;
    spec.separators = it->separators;
    spec.separator_count = it->separator_count;
    spec.non_separators = it->non_separators;
    spec.non_separator_count = it->non_separator_count;
    spec.max_total_hits = it->max_total_hits;
    spec.max_facet_values = it->max_facet_values;
    return search_schema_new(&spec, error);
}
