/* See explain.h. */
#include "triggers/explain.h"

#include "triggers/arguments.h"
#include "triggers/members.h"
#include "triggers/shape.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A definition's parts bound to one shape: made once, then asked of many changes. */
struct triggers_explainer {
    const triggers_definition *definition; /* held */
    triggers_rule *rule;                   /* NULL: it does not fit, for `problem` */
    triggers_rule_problem problem;
    expr_clause clauses[EXPR_CLAUSES_MAX]; /* slices of the definition's `when` */
    expr_condition *conditions[EXPR_CLAUSES_MAX];
    size_t clause_count;
};

/* One change asked of it. */
typedef struct {
    const triggers_explainer *made;
    const core_change *change;
    const triggers_body_facts *body;
    core_arena *arena;
    triggers_images images;
    triggers_explanation *out;
} explainer;

/* ---- Texts that live in the arena ---- */

static bool keep(explainer *x, const core_buffer *text, core_slice *kept) {
    *kept = core_buffer_ok(text) ? core_arena_copy(x->arena, core_buffer_slice(text))
                                 : core_slice_make(NULL, 0);
    return kept->data != NULL;
}

static bool tell(explainer *x, const char *outcome, const char *format, ...) CORE_PRINTF(3, 4);
static bool tell(explainer *x, const char *outcome, const char *format, ...) {
    char text[CORE_ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    x->out->outcome = core_slice_text(outcome);
    x->out->reason = core_arena_copy(x->arena, core_slice_text(text));
    return x->out->reason.data != NULL;
}

/* ---- Clauses ---- */

static void values_write(const explainer *x, const expr_condition *condition, bool is_old,
                         core_json_writer *json) {
    uint16_t columns[CORE_COLUMNS_MAX];
    size_t count = expr_condition_columns(condition, is_old, columns);
    for (size_t i = 0; i < count; i++) {
        char name[TRIGGERS_IDENTIFIER_MAX + 8];
        const triggers_rule_value which = {.is_old = is_old, .column = columns[i]};
        const core_column *column = &x->change->relation->columns[columns[i]];
        const core_value *value = triggers_images_value(&x->images, &which);
        if (value == NULL)
            continue;
        (void)snprintf(name, sizeof name, "%s.%.*s", is_old ? "old" : "new",
                       CORE_SLICE_ARGS(column->name));
        core_json_key_text(json, name);
        core_column_value_json(json, column, value);
    }
}

static bool clause_explain(explainer *x, size_t at, triggers_explained_clause *explained) {
    const expr_clause *clause = &x->made->clauses[at];
    const expr_condition *condition = x->made->conditions[at];
    core_buffer values;
    *explained = (triggers_explained_clause){.text = clause->text, .position = clause->position};
    explained->verdict = expr_condition_evaluate(condition, x->images.new_tuple,
                                                 x->images.old_tuple, &explained->reason);
    core_buffer_init(&values, TRIGGERS_EXPLANATION_MAX);
    core_json_writer json = core_json_writer_make(&values);
    core_json_object_open(&json);
    values_write(x, condition, false, &json);
    values_write(x, condition, true, &json);
    core_json_object_close(&json);
    bool ok = keep(x, &values, &explained->values);
    core_buffer_fini(&values);
    return ok;
}

static bool clauses_explain(explainer *x) {
    for (size_t i = 0; i < x->made->clause_count; i++)
        if (!clause_explain(x, i, &x->out->clauses[i]))
            return false;
    x->out->clause_count = x->made->clause_count;
    return true;
}

/* ---- What it comes to ---- */

static const char *word_of(expr_verdict verdict) {
    return verdict == EXPR_VERDICT_UNKNOWN ? "null" : expr_verdict_name(verdict);
}

/* The first part that says what the whole says; else the first that does not hold. */
static const triggers_explained_clause *deciding(const explainer *x, expr_verdict verdict) {
    const triggers_explained_clause *first = NULL;
    for (size_t i = 0; i < x->out->clause_count; i++) {
        const triggers_explained_clause *clause = &x->out->clauses[i];
        if (clause->verdict == verdict)
            return clause;
        if (first == NULL && clause->verdict != EXPR_VERDICT_TRUE)
            first = clause;
    }
    return first;
}

static bool verdict_tell(explainer *x, expr_verdict verdict, const char *reason) {
    static const char *const outcomes[] = {[EXPR_VERDICT_FALSE] = "not matched",
                                           [EXPR_VERDICT_UNKNOWN] = "not matched",
                                           [EXPR_VERDICT_MISSING] = "missing",
                                           [EXPR_VERDICT_UNDECIDED] = "undecided",
                                           [EXPR_VERDICT_ERROR] = "error"};
    const triggers_explained_clause *clause = deciding(x, verdict);
    x->out->decided_by = clause != NULL ? (size_t)(clause - x->out->clauses) + 1 : 0;
    if (clause == NULL)
        return tell(x, outcomes[verdict], "the condition is %s%s%s", word_of(verdict),
                    reason != NULL ? ": " : "", reason != NULL ? reason : "");
    return tell(x, outcomes[verdict], "at character %zu of when: %.*s is %s%s%s, with %.*s",
                clause->position, CORE_SLICE_ARGS(clause->text), word_of(clause->verdict),
                reason != NULL ? ": " : "", reason != NULL ? reason : "",
                CORE_SLICE_ARGS(clause->values));
}

/* What is delivered, and its key. */
static bool delivery_explain(explainer *x, const triggers_rule *rule) {
    bool missing = false;
    core_buffer text;
    core_buffer_init(&text, TRIGGERS_EXPLANATION_MAX);
    bool ok = triggers_key_write(rule, x->change, &x->images, &text, &missing) &&
              keep(x, &text, &x->out->key);
    core_buffer_reset(&text);
    if (missing) {
        core_buffer_fini(&text);
        return tell(x, "missing", "the change does not carry a value of the key");
    }
    ok = ok && triggers_body_write(rule, x->change, &x->images, x->body, &text, &missing) &&
         keep(x, &text, &x->out->body);
    if (missing) {
        core_buffer_fini(&text);
        return tell(x, "missing", "the change does not carry a value of the template");
    }
    ok = ok && triggers_arguments_write(rule, x->change, &x->images, &text, &missing);
    core_buffer_fini(&text);
    if (missing)
        return tell(x, "missing", "the change does not carry a value of the action");
    x->out->outcome = core_slice_text("matched");
    return ok;
}

static bool rule_explain(explainer *x, const triggers_rule *rule) {
    expr_verdict verdict = EXPR_VERDICT_TRUE;
    const char *reason = NULL;
    if (rule->condition != NULL) {
        if (!clauses_explain(x))
            return false;
        verdict = expr_condition_evaluate(rule->condition, x->images.new_tuple, x->images.old_tuple,
                                          &reason);
    }
    return verdict == EXPR_VERDICT_TRUE ? delivery_explain(x, rule)
                                        : verdict_tell(x, verdict, reason);
}

/* Whether the row is what a trigger on something else than a table sees. */
static bool is_shape(triggers_on on, const core_relation *relation) {
    const core_relation *shape = triggers_shape(on);
    return core_slice_equal(relation->schema, shape->schema) &&
           core_slice_equal(relation->table, shape->table);
}

/* Before the condition is asked. */
static bool applies(explainer *x, bool *told) {
    const triggers_definition *definition = x->made->definition;
    const core_relation *relation = x->change->relation;
    const char *op = core_op_name(x->change->op);
    *told = true;
    if (definition->on != TRIGGERS_ON_TABLE) {
        *told = !is_shape(definition->on, relation);
        return !*told || tell(x, "not matched", "the trigger is not on a table");
    }
    if (relation->table.length > 0 && !core_slice_equal(relation->table, definition->table))
        return tell(x, "not matched", "the trigger is on %.*s, and the event of %.*s",
                    CORE_SLICE_ARGS(definition->table), CORE_SLICE_ARGS(relation->table));
    if ((definition->ops & triggers_op_of(x->change->op)) == 0)
        return tell(x, "not matched", "the trigger's ops do not name %s", op);
    *told = false;
    return true;
}

/* ---- Made ---- */

static bool clauses_make(triggers_explainer *made, const core_relation *relation,
                         const triggers_relation_facts *facts) {
    expr_condition_spec spec = {.text = made->definition->when,
                                .relation = relation,
                                .facts = facts->columns,
                                .has_images = true};
    size_t count = expr_condition_clauses(&spec, made->clauses);
    for (size_t i = 0; i < count; i++) {
        expr_refusal refusal;
        spec.text = made->clauses[i].text;
        made->conditions[i] = expr_condition_new(&spec, &refusal);
        if (made->conditions[i] == NULL)
            return false;
        made->clause_count++;
    }
    return true;
}

triggers_explainer *triggers_explainer_new(const triggers_definition *definition,
                                           const core_relation *relation,
                                           const triggers_relation_facts *facts) {
    triggers_explainer *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->definition = triggers_definition_hold(definition);
    made->rule = triggers_rule_new(definition, relation, facts, &made->problem);
    if (made->rule == NULL || made->rule->condition == NULL ||
        clauses_make(made, relation, &made->rule->facts))
        return made;
    triggers_explainer_free(made);
    return NULL;
}

void triggers_explainer_free(triggers_explainer *made) {
    if (made == NULL)
        return;
    for (size_t i = 0; i < made->clause_count; i++)
        expr_condition_release(made->conditions[i]);
    triggers_rule_free(made->rule);
    triggers_definition_release(made->definition);
    free(made);
}

bool triggers_explainer_explain(const triggers_explainer *made, const core_change *change,
                                const triggers_body_facts *body, core_arena *arena,
                                triggers_explanation *explanation) {
    bool told = false;
    explainer x = {
        .made = made, .change = change, .body = body, .arena = arena, .out = explanation};
    *explanation = (triggers_explanation){.clause_count = 0};
    core_value *room =
        core_arena_array(arena, (size_t)change->relation->column_count + 1, sizeof *room);
    if (room == NULL)
        return false;
    triggers_images_make(&x.images, change, room);
    if (!applies(&x, &told) || told)
        return told && explanation->reason.data != NULL;
    if (made->rule == NULL)
        return tell(&x, "unfit", "%s", made->problem.error.text);
    return rule_explain(&x, made->rule);
}

bool triggers_explain(const triggers_definition *definition, const core_change *change,
                      const triggers_relation_facts *facts, const triggers_body_facts *body,
                      core_arena *arena, triggers_explanation *explanation) {
    if (definition->disabled) {
        static const char reason[] = "the trigger is disabled";
        *explanation = (triggers_explanation){.outcome = core_slice_text("not matched"),
                                              .reason = core_slice_text(reason)};
        return true;
    }
    triggers_explainer *made = triggers_explainer_new(definition, change->relation, facts);
    bool ok = made != NULL && triggers_explainer_explain(made, change, body, arena, explanation);
    triggers_explainer_free(made);
    return ok;
}

/* ---- Writing ---- */

static void clause_json(core_json_writer *json, const triggers_explained_clause *clause) {
    core_json_object_open(json);
    triggers_member_text(json, "text", clause->text);
    core_json_key_text(json, "position");
    core_json_unsigned(json, clause->position);
    triggers_member_text(json, "result", core_slice_text(word_of(clause->verdict)));
    if (clause->reason != NULL)
        triggers_member_text(json, "reason", core_slice_text(clause->reason));
    core_json_key_text(json, "values");
    core_json_raw(json, clause->values);
    core_json_object_close(json);
}

void triggers_explanation_clauses(const triggers_explanation *explanation, core_json_writer *json) {
    core_json_array_open(json);
    for (size_t i = 0; i < explanation->clause_count; i++)
        clause_json(json, &explanation->clauses[i]);
    core_json_array_close(json);
}

void triggers_explanation_members(const triggers_explanation *explanation, core_json_writer *json) {
    triggers_member_text(json, "outcome", explanation->outcome);
    if (explanation->reason.length > 0)
        triggers_member_text(json, "reason", explanation->reason);
    core_json_key_text(json, "clauses");
    triggers_explanation_clauses(explanation, json);
    if (explanation->body.length > 0) {
        triggers_member_text(json, "key", explanation->key);
        core_json_key_text(json, "body");
        core_json_raw(json, explanation->body);
    }
}

void triggers_explanation_json(const triggers_definition *definition,
                               const triggers_explanation *explanation, core_buffer *out) {
    core_json_writer json = core_json_writer_make(out);
    core_json_object_open(&json);
    triggers_member_text(&json, "trigger", definition->name);
    triggers_explanation_members(explanation, &json);
    core_json_object_close(&json);
}

void triggers_explanation_text(const triggers_definition *definition,
                               const triggers_explanation *explanation, core_buffer *out) {
    core_buffer_format(out, "%.*s: %.*s\n", CORE_SLICE_ARGS(definition->name),
                       CORE_SLICE_ARGS(explanation->outcome));
    if (explanation->reason.length > 0)
        core_buffer_format(out, "  %.*s\n", CORE_SLICE_ARGS(explanation->reason));
    for (size_t i = 0; i < explanation->clause_count; i++) {
        const triggers_explained_clause *clause = &explanation->clauses[i];
        core_buffer_format(out, "  %-9s at %-4zu %.*s   ", word_of(clause->verdict),
                           clause->position, CORE_SLICE_ARGS(clause->text));
        core_buffer_slice_append(out, clause->values);
        core_buffer_text(out, "\n");
    }
    if (explanation->body.length == 0)
        return;
    core_buffer_text(out, "  key  ");
    core_buffer_slice_append(out, explanation->key);
    core_buffer_text(out, "\n  body ");
    core_buffer_slice_append(out, explanation->body);
    core_buffer_text(out, "\n");
}

/* ---- Of an event ---- */

static bool event_explain(const triggers_definition *definition, const triggers_event *event,
                          const triggers_relation_facts *facts, int64_t now_us, bool as_json,
                          core_arena *arena, core_buffer *out, bool *matched) {
    static const char no_offset[] = "0-0.0";
    const triggers_body_facts body = {
        .time_us = event->time_us != 0 ? event->time_us : now_us,
        .offset = event->offset.length > 0 ? event->offset : core_slice_text(no_offset)};
    triggers_explanation *explanation = core_arena_alloc(arena, sizeof *explanation);
    if (explanation == NULL ||
        !triggers_explain(definition, &event->change, facts, &body, arena, explanation))
        return false;
    *matched = core_slice_is(explanation->outcome, "matched");
    if (as_json)
        triggers_explanation_json(definition, explanation, out);
    else
        triggers_explanation_text(definition, explanation, out);
    return core_buffer_ok(out);
}

bool triggers_explain_event(const triggers_definition *definition, core_slice event_json,
                            const core_relation *relation, const triggers_relation_facts *facts,
                            int64_t now_us, bool as_json, core_buffer *out, bool *matched,
                            core_error *error) {
    core_arena arena;
    triggers_event event;
    *matched = false;
    core_arena_init(&arena, (size_t)64 << 10, 4 * TRIGGERS_EXPLANATION_MAX);
    bool ok = triggers_event_read(event_json, relation, &arena, &event, error);
    if (ok && !event_explain(definition, &event, facts, now_us, as_json, &arena, out, matched))
        ok = core_error_set(error, CORE_ERROR_INTERNAL, "no memory to explain the event");
    core_arena_fini(&arena);
    return ok;
}
