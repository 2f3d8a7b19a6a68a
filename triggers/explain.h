/* Why a trigger does, or does not, act on a change: for `walcast trigger test` and for whoever asks
 * of one event. Not for the path of changes: it asks each clause by itself, and writes texts. */
#ifndef WALCAST_TRIGGERS_EXPLAIN_H
#define WALCAST_TRIGGERS_EXPLAIN_H

#include "triggers/body.h"
#include "triggers/event_file.h"

/* Of one part of the condition, joined to the others by AND. */
typedef struct {
    core_slice text;
    size_t position; /* in characters of `when`, from 1 */
    expr_verdict verdict;
    const char *reason; /* with an error or undecided; static */
    core_slice values;  /* a JSON object: what it read, {"new.status":"paid"}; what the change does
                           not carry is not in it */
} triggers_explained_clause;

typedef struct {
    core_slice outcome; /* "matched", "not matched", "error", "missing", "undecided", "unfit" */
    core_slice reason;  /* one line; empty with "matched" */
    triggers_explained_clause clauses[EXPR_CLAUSES_MAX];
    size_t clause_count;
    size_t decided_by; /* the clause that the reason names, from 1; 0: none */
    core_slice key;    /* with "matched": as triggers_key_write has it */
    core_slice body;   /* with "matched": as triggers_body_write has it */
} triggers_explanation;

#define TRIGGERS_EXPLANATION_MAX ((size_t)64 << 20)

/* Made once, then asked of many changes of the one shape; immutable, the relation and the facts are
 * not needed afterwards. A definition that does not fit the shape is no error but an outcome. NULL
 * when memory is out. */
typedef struct triggers_explainer triggers_explainer;
CORE_MUST_CHECK triggers_explainer *triggers_explainer_new(const triggers_definition *definition,
                                                           const core_relation *relation,
                                                           const triggers_relation_facts *facts);
void triggers_explainer_free(triggers_explainer *explainer);
/* Of a change of that shape; all is in `arena`, or slices of the definition. Whether the definition
 * is disabled is not asked. False when memory is out. */
CORE_MUST_CHECK bool triggers_explainer_explain(const triggers_explainer *explainer,
                                                const core_change *change,
                                                const triggers_body_facts *body, core_arena *arena,
                                                triggers_explanation *explanation);
/* Both at once, and whether it is disabled, for one change, whose relation is the definition's
 * table or what an event tells of it. */
CORE_MUST_CHECK bool triggers_explain(const triggers_definition *definition,
                                      const core_change *change,
                                      const triggers_relation_facts *facts,
                                      const triggers_body_facts *body, core_arena *arena,
                                      triggers_explanation *explanation);
/* As members of a JSON object: outcome, reason, clauses, key, body; as one such object; and as
 * lines to read. */
void triggers_explanation_members(const triggers_explanation *explanation, core_json_writer *json);
/* The clauses alone, as a JSON array. */
void triggers_explanation_clauses(const triggers_explanation *explanation, core_json_writer *json);
void triggers_explanation_json(const triggers_definition *definition,
                               const triggers_explanation *explanation, core_buffer *out);
void triggers_explanation_text(const triggers_definition *definition,
                               const triggers_explanation *explanation, core_buffer *out);

/* `walcast trigger test`: of an event's JSON (event_file.h); `relation` and `facts` may be NULL.
 * Appends JSON or lines to `out`; `*matched` says whether it would act. False with an error. */
CORE_MUST_CHECK bool triggers_explain_event(const triggers_definition *definition,
                                            core_slice event_json, const core_relation *relation,
                                            const triggers_relation_facts *facts, int64_t now_us,
                                            bool as_json, core_buffer *out, bool *matched,
                                            core_error *error);

#endif
