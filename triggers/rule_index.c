/* See rule_index.h. */
#include "triggers/rule_index.h"

#include "core/identifier.h"
#include "triggers/rule_table.h"

#include <stdlib.h>

#define INDEX_MAGIC UINT32_C(0x54524958) /* "TRIX" */
#define OPS         5
#define LINE_BYTES  64u
#define LINES_AHEAD 16u
#define ARENA_CHUNK 4096u
#define ARENA_MAX   ((size_t)1 << 20)

/* A definition on the table: its rule, or why there is none. */
typedef struct {
    const triggers_definition *definition; /* held */
    triggers_rule *rule;
    char *problem;
    unsigned ops;
} index_item;

/* Rules whose conditions are the same. */
typedef struct {
    const expr_condition *condition; /* a rule's; NULL: always */
    unsigned ops;                    /* of any of them */
    uint32_t first;                  /* in `members`; of one alone the item itself */
    uint32_t count;
    uint16_t lines; /* of `memory` that are fetched ahead */
    uint64_t round; /* in which it was found last */
    const uint8_t *memory;
} index_condition;

struct triggers_rule_index {
    uint32_t magic;
    core_arena arena; /* the relation */
    core_relation relation;
    const char *missing; /* the reason of MISSING */
    index_item *items;
    size_t item_count;
    unsigned ops;
    index_condition *conditions;
    size_t condition_count;
    uint32_t *members; /* items, condition after condition */
    triggers_rule_table tables[OPS];
    uint32_t *unfit; /* items without a rule */
    size_t unfit_count;
    /* One look. */
    core_value *old_values;
    triggers_images images;
    triggers_match *matches;
    size_t match_count;
    unsigned op;
    uint64_t round;
    size_t evaluated;
};

const char *triggers_verdict_name(triggers_verdict verdict) {
    static const char *const names[] = {"matched", "error", "missing", "undecided", "unfit"};
    return names[verdict];
}

bool triggers_definition_is_on(const triggers_definition *definition, const core_tenants *tenants,
                               core_slice schema, core_slice table) {
    char home[CORE_TENANT_SCHEMA_SIZE];
    if (definition->on != TRIGGERS_ON_TABLE || definition->disabled ||
        !core_slice_equal(definition->table, table) ||
        !core_slice_is(definition->environment, tenants->environment) ||
        !core_tenants_owns(tenants, definition->project, schema))
        return false;
    bool means_home = core_slice_is(definition->schema, CORE_TENANT_HOME) &&
                      core_tenants_home(tenants, definition->project, home);
    return means_home ? core_slice_is(schema, home) : core_slice_equal(definition->schema, schema);
}

/* ---- Making ---- */

/* What tells the reader of an outcome what to do. */
static bool missing_make(triggers_rule_index *index) {
    core_buffer text;
    core_buffer_init(&text, CORE_ERROR_TEXT_MAX);
    core_buffer_text(&text, "the condition hangs on a value that the change does not carry, since "
                            "the UPDATE left it as it was; mend it with: ALTER TABLE ");
    core_identifier_append(&text, index->relation.schema);
    core_buffer_text(&text, ".");
    core_identifier_append(&text, index->relation.table);
    core_buffer_text(&text, " REPLICA IDENTITY FULL");
    core_slice made = core_arena_copy(&index->arena, core_buffer_slice(&text));
    core_buffer_fini(&text);
    index->missing = (const char *)made.data;
    return index->missing != NULL;
}

static bool relation_copy(triggers_rule_index *index, const core_relation *relation) {
    core_column *columns =
        core_arena_array(&index->arena, (size_t)relation->column_count + 1, sizeof *columns);
    if (columns == NULL)
        return false;
    index->relation = *relation;
    index->relation.encoded = core_slice_make(NULL, 0);
    index->relation.columns = columns;
    index->relation.schema = core_arena_copy(&index->arena, relation->schema);
    index->relation.table = core_arena_copy(&index->arena, relation->table);
    for (size_t i = 0; i < relation->column_count; i++) {
        columns[i] = relation->columns[i];
        columns[i].name = core_arena_copy(&index->arena, relation->columns[i].name);
        columns[i].type_name = core_arena_copy(&index->arena, relation->columns[i].type_name);
        if (columns[i].name.data == NULL || columns[i].type_name.data == NULL)
            return false;
    }
    index->old_values =
        core_arena_array(&index->arena, (size_t)relation->column_count + 1, sizeof(core_value));
    return index->old_values != NULL && index->relation.schema.data != NULL &&
           index->relation.table.data != NULL;
}

static bool item_add(triggers_rule_index *index, const triggers_definition *definition,
                     const triggers_relation_facts *facts) {
    index_item *item = &index->items[index->item_count++];
    triggers_rule_problem problem;
    item->definition = triggers_definition_hold(definition);
    item->ops = definition->on == TRIGGERS_ON_TABLE ? definition->ops : TRIGGERS_OP_INSERT;
    index->ops |= item->ops;
    item->rule = triggers_rule_new(definition, &index->relation, facts, &problem);
    if (item->rule != NULL)
        return true;
    item->problem = strdup(problem.error.text);
    index->unfit[index->unfit_count++] = (uint32_t)(item - index->items);
    return item->problem != NULL && problem.error.code != CORE_ERROR_INTERNAL;
}

static core_slice condition_text(const index_item *item) {
    return item->rule->condition != NULL ? expr_condition_text(item->rule->condition)
                                         : core_slice_make(NULL, 0);
}

/* The same text means the same where the table's facts are the same. */
typedef struct {
    core_slice text, facts;
    uint32_t item;
} condition_sorted;

static int meaning_compare(const condition_sorted *a, const condition_sorted *b) {
    int order = core_slice_compare(a->text, b->text);
    return order != 0 ? order : core_slice_compare(a->facts, b->facts);
}

static int by_meaning(const void *left, const void *right) {
    const condition_sorted *a = left, *b = right;
    int order = meaning_compare(a, b);
    return order != 0 ? order : (a->item > b->item) - (a->item < b->item);
}

static void memory_note(index_condition *condition) {
    if (condition->condition == NULL)
        return;
    core_slice memory = expr_condition_memory(condition->condition);
    size_t lines = memory.length / LINE_BYTES + 1;
    condition->memory = memory.data;
    condition->lines = (uint16_t)(lines < LINES_AHEAD ? lines : LINES_AHEAD);
}

/* Equal ones become one condition. */
static void conditions_fill(triggers_rule_index *index, const condition_sorted *sorted,
                            size_t count) {
    for (size_t i = 0; i < count; i++) {
        const index_item *item = &index->items[sorted[i].item];
        if (i == 0 || meaning_compare(&sorted[i - 1], &sorted[i]) != 0)
            index->conditions[index->condition_count++] =
                (index_condition){.condition = item->rule->condition, .first = (uint32_t)i};
        index_condition *condition = &index->conditions[index->condition_count - 1];
        condition->count++;
        condition->ops |= item->ops;
        index->members[i] = sorted[i].item;
    }
    for (size_t i = 0; i < index->condition_count; i++)
        memory_note(&index->conditions[i]);
    for (size_t i = 0; i < index->condition_count; i++)
        if (index->conditions[i].count == 1)
            index->conditions[i].first = index->members[index->conditions[i].first];
}

static bool conditions_make(triggers_rule_index *index) {
    size_t count = 0;
    condition_sorted *sorted = calloc(index->item_count + 1, sizeof *sorted);
    if (sorted == NULL)
        return false;
    for (size_t i = 0; i < index->item_count; i++)
        if (index->items[i].rule != NULL)
            sorted[count++] = (condition_sorted){.text = condition_text(&index->items[i]),
                                                 .facts = index->items[i].definition->facts,
                                                 .item = (uint32_t)i};
    qsort(sorted, count, sizeof *sorted, by_meaning);
    conditions_fill(index, sorted, count);
    free(sorted);
    return true;
}

/* False and null for every row: nobody need look. */
static bool is_never(const index_condition *condition) {
    expr_verdict verdict = EXPR_VERDICT_TRUE;
    return condition->condition != NULL &&
           expr_condition_constant(condition->condition, &verdict, NULL) &&
           (verdict == EXPR_VERDICT_FALSE || verdict == EXPR_VERDICT_UNKNOWN);
}

static bool tables_make(triggers_rule_index *index) {
    triggers_rule_entry *entries = calloc(index->condition_count + 1, sizeof *entries);
    bool ok = entries != NULL;
    for (size_t op = 0; ok && op < OPS; op++) {
        size_t count = 0;
        for (size_t i = 0; i < index->condition_count; i++)
            if ((index->conditions[i].ops & 1u << op) != 0 && !is_never(&index->conditions[i]))
                entries[count++] = (triggers_rule_entry){
                    .condition = index->conditions[i].condition, .id = (uint32_t)i};
        ok = triggers_rule_table_make(&index->tables[op], &index->relation, entries, count);
    }
    free(entries);
    return ok;
}

static bool index_room(triggers_rule_index *index, size_t count) {
    index->items = calloc(count + 1, sizeof *index->items);
    index->unfit = calloc(count + 1, sizeof *index->unfit);
    index->conditions = calloc(count + 1, sizeof *index->conditions);
    index->members = calloc(count + 1, sizeof *index->members);
    index->matches = calloc(count + 1, sizeof *index->matches);
    return index->items != NULL && index->unfit != NULL && index->conditions != NULL &&
           index->members != NULL && index->matches != NULL;
}

static bool index_fill(triggers_rule_index *index, const triggers_definition *const *definitions,
                       size_t count, const triggers_relation_facts *facts) {
    for (size_t i = 0; i < count; i++)
        if (!item_add(index, definitions[i], facts))
            return false;
    return conditions_make(index) && tables_make(index);
}

triggers_rule_index *triggers_rule_index_of(const triggers_definition *const *definitions,
                                            size_t count, const core_relation *relation,
                                            const triggers_relation_facts *facts,
                                            core_error *error) {
    if (count > TRIGGERS_INDEX_RULES_MAX) {
        (void)core_error_set(error, CORE_ERROR_LIMIT,
                             "%zu triggers are on %.*s.%.*s: at most %u are taken", count,
                             CORE_SLICE_ARGS(relation->schema), CORE_SLICE_ARGS(relation->table),
                             TRIGGERS_INDEX_RULES_MAX);
        return NULL;
    }
    triggers_rule_index *index = calloc(1, sizeof *index);
    if (index != NULL) {
        index->magic = INDEX_MAGIC;
        core_arena_init(&index->arena, ARENA_CHUNK, ARENA_MAX);
    }
    if (index != NULL && index_room(index, count) && relation_copy(index, relation) &&
        missing_make(index) && index_fill(index, definitions, count, facts))
        return index;
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the triggers of %.*s.%.*s",
                         CORE_SLICE_ARGS(relation->schema), CORE_SLICE_ARGS(relation->table));
    triggers_rule_index_free(index);
    return NULL;
}

triggers_rule_index *triggers_rule_index_new(const triggers_set *set, const core_tenants *tenants,
                                             const core_relation *relation,
                                             const triggers_relation_facts *facts,
                                             core_error *error) {
    size_t count = 0;
    const triggers_definition **definitions = calloc(set->count + 1, sizeof *definitions);
    for (size_t i = 0; definitions != NULL && i < set->count; i++)
        if (triggers_definition_is_on(set->definitions[i], tenants, relation->schema,
                                      relation->table))
            definitions[count++] = set->definitions[i];
    if (definitions == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the set of triggers");
        return NULL;
    }
    triggers_rule_index *index = triggers_rule_index_of(definitions, count, relation, facts, error);
    free(definitions);
    return index;
}

void triggers_rule_index_free(triggers_rule_index *index) {
    if (index == NULL)
        return;
    CORE_MAGIC_CHECK(index, INDEX_MAGIC);
    for (size_t op = 0; op < OPS; op++)
        triggers_rule_table_fini(&index->tables[op]);
    for (size_t i = 0; i < index->item_count; i++) {
        triggers_rule_free(index->items[i].rule);
        triggers_definition_release(index->items[i].definition);
        free(index->items[i].problem);
    }
    free(index->items);
    free(index->unfit);
    free(index->conditions);
    free(index->members);
    free(index->matches);
    core_arena_fini(&index->arena);
    index->magic = 0;
    free(index);
}

size_t triggers_rule_index_count(const triggers_rule_index *index) {
    return index->item_count;
}

unsigned triggers_rule_index_ops(const triggers_rule_index *index) {
    return index->ops;
}

size_t triggers_rule_index_evaluated(const triggers_rule_index *index) {
    return index->evaluated;
}

/* ---- Looking ---- */

static void match_push(triggers_rule_index *index, const index_item *item, triggers_verdict verdict,
                       const char *reason) {
    if ((item->ops & index->op) == 0)
        return;
    index->matches[index->match_count++] =
        (triggers_match){.number = (uint32_t)(item - index->items),
                         .definition = item->definition,
                         .rule = item->rule,
                         .verdict = verdict,
                         .reason = reason};
}

/* False: nothing is to be told. */
static bool verdict_of(expr_verdict verdict, triggers_verdict *told) {
    switch (verdict) {
    case EXPR_VERDICT_TRUE:
        *told = TRIGGERS_VERDICT_TRUE;
        return true;
    case EXPR_VERDICT_ERROR:
        *told = TRIGGERS_VERDICT_ERROR;
        return true;
    case EXPR_VERDICT_UNDECIDED:
        *told = TRIGGERS_VERDICT_UNDECIDED;
        return true;
    case EXPR_VERDICT_MISSING:
        *told = TRIGGERS_VERDICT_MISSING;
        return true;
    case EXPR_VERDICT_FALSE:
    case EXPR_VERDICT_UNKNOWN:
        break;
    }
    return false;
}

/* Of ten thousand conditions few are in the cache: all at once instead of one after the other. */
static void condition_fetch(const triggers_rule_index *index, const index_condition *condition) {
    __builtin_prefetch(condition->condition);
    for (size_t i = 0; i < condition->lines; i++)
        __builtin_prefetch(condition->memory + i * LINE_BYTES);
    if (condition->count == 1)
        __builtin_prefetch(&index->items[condition->first]);
}

static void condition_look(triggers_rule_index *index, index_condition *condition) {
    expr_verdict verdict = EXPR_VERDICT_TRUE;
    triggers_verdict told = TRIGGERS_VERDICT_TRUE;
    const char *reason = NULL;
    if (condition->round == index->round)
        return;
    condition->round = index->round;
    if (condition->condition != NULL) {
        index->evaluated++;
        condition_fetch(index, condition);
        verdict = expr_condition_evaluate(condition->condition, index->images.new_tuple,
                                          index->images.old_tuple, &reason);
    }
    if (!verdict_of(verdict, &told))
        return;
    if (told == TRIGGERS_VERDICT_MISSING)
        reason = index->missing;
    const uint32_t *members =
        condition->count == 1 ? &condition->first : index->members + condition->first;
    for (size_t i = 0; i < condition->count; i++)
        match_push(index, &index->items[members[i]], told, reason);
}

static void conditions_look(void *context, const uint32_t *ids, size_t count) {
    triggers_rule_index *index = context;
    CORE_MAGIC_CHECK(index, INDEX_MAGIC);
    for (size_t i = 0; i < count; i++)
        condition_look(index, &index->conditions[ids[i]]);
}

/* ---- In the set's order; qsort may allocate ---- */

static void matches_sink(triggers_match *matches, size_t at, size_t count) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && matches[child + 1].number > matches[child].number)
            child++;
        if (matches[at].number >= matches[child].number)
            return;
        triggers_match kept = matches[at];
        matches[at] = matches[child];
        matches[child] = kept;
        at = child;
    }
}

static void matches_sort(triggers_match *matches, size_t count) {
    for (size_t i = count / 2; i > 0; i--)
        matches_sink(matches, i - 1, count);
    for (size_t left = count; left > 1; left--) {
        triggers_match greatest = matches[0];
        matches[0] = matches[left - 1];
        matches[left - 1] = greatest;
        matches_sink(matches, 0, left - 1);
    }
}

size_t triggers_rule_index_match(triggers_rule_index *index, const core_change *change,
                                 const triggers_match **matches, const triggers_images **images) {
    unsigned op = triggers_op_of(change->op);
    CORE_MAGIC_CHECK(index, INDEX_MAGIC);
    index->match_count = 0;
    index->evaluated = 0;
    index->op = op;
    index->round++;
    *matches = index->matches;
    *images = &index->images;
    if ((op & index->ops) == 0)
        return 0;
    assert(change->relation->column_count == index->relation.column_count);
    triggers_images_make(&index->images, change, index->old_values);
    for (size_t i = 0; i < index->unfit_count; i++)
        match_push(index, &index->items[index->unfit[i]], TRIGGERS_VERDICT_UNFIT,
                   index->items[index->unfit[i]].problem);
    triggers_rule_table_find(&index->tables[change->op - CORE_OP_INSERT], index->images.new_tuple,
                             index->images.old_tuple, conditions_look, index);
    matches_sort(index->matches, index->match_count);
    return index->match_count;
}
