/* See rule.h. */
#include "triggers/rule.h"

#include "triggers/facts.h"
#include "triggers/shape.h"

#include <stdlib.h>

#define ARENA_CHUNK 1024u
#define ARENA_MAX   ((size_t)1 << 20)

static bool no_memory(triggers_rule_problem *problem) {
    return core_error_set(&problem->error, CORE_ERROR_INTERNAL, "no memory");
}

/* ---- The condition ---- */

static bool old_columns_carried(const triggers_rule *rule, const core_relation *relation,
                                triggers_rule_problem *problem) {
    uint16_t columns[CORE_COLUMNS_MAX];
    size_t count = expr_condition_columns(rule->condition, true, columns);
    for (size_t i = 0; i < count; i++)
        if (!triggers_rule_old_carried(relation, rule->definition->ops, columns[i], problem))
            return false;
    return true;
}

static bool condition_make(triggers_rule *rule, const core_relation *relation,
                           const triggers_relation_facts *facts, triggers_rule_problem *problem) {
    expr_refusal refusal;
    const expr_condition_spec spec = {.text = rule->definition->when,
                                      .relation = relation,
                                      .facts = facts->columns,
                                      .has_images = true};
    problem->part = "when";
    if (rule->definition->when.length == 0)
        return true;
    rule->condition = expr_condition_new(&spec, &refusal);
    if (rule->condition == NULL) {
        problem->position = refusal.position;
        problem->error = refusal.error;
        return false;
    }
    if (expr_condition_reads_settings(rule->condition))
        return core_error_set(&problem->error, CORE_ERROR_INPUT,
                              "a trigger's condition cannot ask for settings: nobody asks");
    return old_columns_carried(rule, relation, problem);
}

/* ---- Columns ---- */

static bool values_find(triggers_rule *rule, const core_relation *relation,
                        const triggers_selected *selected, size_t count,
                        const triggers_rule_value **values, triggers_rule_problem *problem) {
    triggers_rule_value *found = core_arena_array(&rule->arena, count, sizeof *found);
    if (found == NULL)
        return no_memory(problem);
    for (size_t i = 0; i < count; i++) {
        if (!triggers_rule_column_find(relation, rule->definition->ops, &selected[i], &found[i],
                                       problem))
            return false;
    }
    *values = found;
    return true;
}

static bool selected_find(triggers_rule *rule, const core_relation *relation,
                          triggers_rule_problem *problem) {
    const triggers_definition *definition = rule->definition;
    problem->part = "select";
    rule->selected_count = definition->selected_count;
    return definition->selected_count == 0 ||
           values_find(rule, relation, definition->selected, definition->selected_count,
                       &rule->selected, problem);
}

static bool is_primary(const core_relation *relation, const triggers_relation_facts *facts,
                       size_t column) {
    bool has_identity = relation->replica_identity == 'd' || relation->replica_identity == 'i';
    if (relation->replica_identity != 'f' && relation->replica_identity != '\0')
        return has_identity && relation->columns[column].key;
    for (size_t i = 0; i < facts->primary_key_count; i++)
        if (core_slice_equal(facts->primary_key[i], relation->columns[column].name))
            return true;
    return false;
}

/* What stands for the primary key where there is no table: events of one type are in order. */
static bool is_key_of_event(const triggers_definition *definition, const core_column *column) {
    return definition->on == TRIGGERS_ON_EVENT && core_slice_is(column->name, "type");
}

/* The new image's: a DELETE's is taken from the old one (key.c). */
static bool primary_key_find(triggers_rule *rule, const core_relation *relation,
                             const triggers_relation_facts *facts, triggers_rule_problem *problem) {
    triggers_rule_value *found =
        core_arena_array(&rule->arena, (size_t)relation->column_count + 1, sizeof *found);
    if (found == NULL)
        return no_memory(problem);
    for (uint16_t i = 0; i < relation->column_count; i++)
        if (is_primary(relation, facts, i) ||
            is_key_of_event(rule->definition, &relation->columns[i]))
            found[rule->keyed_count++] = (triggers_rule_value){.column = i};
    rule->keyed = found;
    return true;
}

/* A DELETE's key is the old row's. */
static bool keys_carried(const triggers_rule *rule, const core_relation *relation,
                         const triggers_rule_value *keys, size_t count,
                         triggers_rule_problem *problem) {
    for (size_t i = 0; i < count; i++)
        if (!triggers_rule_old_carried(relation, rule->definition->ops & TRIGGERS_OP_DELETE,
                                       keys[i].column, problem))
            return false;
    return true;
}

static bool keyed_find(triggers_rule *rule, const core_relation *relation,
                       const triggers_relation_facts *facts, triggers_rule_problem *problem) {
    const triggers_definition *definition = rule->definition;
    problem->part = "key";
    if (definition->keyed_count == 0)
        return primary_key_find(rule, relation, facts, problem);
    rule->keyed_count = definition->keyed_count;
    return values_find(rule, relation, definition->keyed, definition->keyed_count, &rule->keyed,
                       problem) &&
           keys_carried(rule, relation, rule->keyed, rule->keyed_count, problem);
}

/* ---- What the action needs ---- */

static size_t parameters_collect(const triggers_sql *sql, triggers_selected *out) {
    size_t count = 0;
    for (size_t i = 0; i < sql->parameter_count; i++) {
        const triggers_value *value = &sql->parameters[i];
        if (value->of == TRIGGERS_VALUE_NEW || value->of == TRIGGERS_VALUE_OLD)
            out[count++] = (triggers_selected){.is_old = value->of == TRIGGERS_VALUE_OLD,
                                               .column = value->column};
    }
    return count;
}

static size_t references_collect(const triggers_selected *from, size_t count,
                                 triggers_selected *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = from[i];
    return count;
}

/* Columns in the order in which arguments.c takes them. */
static bool arguments_find(triggers_rule *rule, const core_relation *relation,
                           triggers_rule_problem *problem) {
    triggers_selected wanted[TRIGGERS_PARAMETERS_MAX + 2 * TRIGGERS_KEYED_MAX];
    const triggers_definition *definition = rule->definition;
    const triggers_enqueue *job = &definition->job;
    size_t count = 0;
    problem->part = "do";
    if (definition->action == TRIGGERS_DO_SQL)
        count = parameters_collect(&definition->sql, wanted);
    if (definition->action == TRIGGERS_DO_JOB) {
        count = references_collect(job->unique, job->unique_count, wanted);
        count += references_collect(job->serial, job->serial_count, wanted + count);
    }
    if (definition->action == TRIGGERS_DO_WORKFLOW)
        count =
            references_collect(definition->workflow.run, definition->workflow.run_count, wanted);
    if (count == 0)
        return true;
    return values_find(rule, relation, wanted, count, &rule->arguments, problem) &&
           (definition->action == TRIGGERS_DO_SQL ||
            keys_carried(rule, relation, rule->arguments, count, problem));
}

/* ---- Life ---- */

triggers_rule *triggers_rule_new(const triggers_definition *definition,
                                 const core_relation *relation,
                                 const triggers_relation_facts *facts,
                                 triggers_rule_problem *problem) {
    *problem = (triggers_rule_problem){.part = "when"};
    triggers_rule *rule = calloc(1, sizeof *rule);
    if (rule == NULL) {
        (void)no_memory(problem);
        return NULL;
    }
    rule->definition = triggers_definition_hold(definition);
    core_arena_init(&rule->arena, ARENA_CHUNK, ARENA_MAX);
    if (facts != NULL)
        rule->facts = *facts;
    else if (definition->on != TRIGGERS_ON_TABLE)
        rule->facts.columns = triggers_shape_facts();
    else if (definition->facts.length > 0 &&
             !triggers_facts_read(definition->facts, relation, &rule->arena, &rule->facts))
        rule->facts = (triggers_relation_facts){.columns = NULL};
    facts = &rule->facts;
    if (condition_make(rule, relation, facts, problem) && selected_find(rule, relation, problem) &&
        triggers_template_read(rule, relation, problem) &&
        keyed_find(rule, relation, facts, problem) && arguments_find(rule, relation, problem))
        return rule;
    (void)core_error_wrap(&problem->error, "%s", problem->part);
    triggers_rule_free(rule);
    return NULL;
}

void triggers_rule_free(triggers_rule *rule) {
    if (rule == NULL)
        return;
    expr_condition_release(rule->condition);
    triggers_definition_release(rule->definition);
    core_arena_fini(&rule->arena);
    free(rule);
}
