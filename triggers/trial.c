/* See trial.h. */
#include "triggers/trial.h"

#include "triggers/check_private.h"
#include "triggers/event_row.h"
#include "triggers/explain.h"
#include "triggers/hearing.h"

#define CHUNK_BYTES ((size_t)64 << 10)
#define ARENA_BYTES (4 * TRIGGERS_EXPLANATION_MAX)

/* ---- On what is no table ---- */

static void refuse(triggers_explanation *explanation, const char *reason) {
    *explanation = (triggers_explanation){.outcome = core_slice_text("not matched"),
                                          .reason = core_slice_text(reason)};
}

/* As the matcher hears it (matcher_event.c). False: no memory. */
static bool occurrence_match(const triggers_definition *definition,
                             const triggers_occurrence *occurrence, core_arena *arena,
                             triggers_explanation *explanation) {
    core_change change;
    const triggers_body_facts facts = {
        .type = occurrence->type, .time_us = occurrence->time_us, .offset = occurrence->id};
    if (!triggers_hearing_hears(definition, occurrence->type)) {
        refuse(explanation, "the trigger is not on events of this type");
        return true;
    }
    if (!triggers_occurrence_row(occurrence, definition->on, arena, &change))
        return false;
    if (!triggers_hearing_counts(definition, &change)) {
        refuse(explanation, "the trigger is not on results of this outcome");
        return true;
    }
    return triggers_explain(definition, &change, NULL, &facts, arena, explanation);
}

static bool occurrence_explain(const triggers_definition *definition, core_slice event_json,
                               int64_t now_us, bool as_json, core_buffer *out, bool *matched,
                               core_error *error) {
    core_arena arena;
    triggers_occurrence occurrence;
    core_arena_init(&arena, CHUNK_BYTES, ARENA_BYTES);
    triggers_explanation *explanation = core_arena_alloc(&arena, sizeof *explanation);
    bool ok = explanation != NULL &&
              triggers_occurrence_read(event_json, now_us, &arena, &occurrence, error);
    if (ok && !occurrence_match(definition, &occurrence, &arena, explanation))
        ok = core_error_set(error, CORE_ERROR_INTERNAL, "no memory to explain the event");
    *matched = ok && core_slice_is(explanation->outcome, "matched");
    if (ok && as_json)
        triggers_explanation_json(definition, explanation, out);
    else if (ok)
        triggers_explanation_text(definition, explanation, out);
    core_arena_fini(&arena);
    return ok;
}

bool triggers_trial(triggers_check *check, const triggers_definition *definition,
                    core_slice event_json, int64_t now_us, bool as_json, core_buffer *out,
                    bool *matched, core_error *error) {
    triggers_check_table table;
    if (definition->on == TRIGGERS_ON_QUEUE)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the trigger is on a queue: its jobs go out as they are");
    if (definition->on != TRIGGERS_ON_TABLE)
        return occurrence_explain(definition, event_json, now_us, as_json, out, matched, error);
    if (check == NULL)
        return triggers_explain_event(definition, event_json, NULL, NULL, now_us, as_json, out,
                                      matched, error);
    bool ok = triggers_check_shape(check, definition, &table, error) &&
              triggers_explain_event(definition, event_json, &table.relation, &table.facts, now_us,
                                     as_json, out, matched, error);
    triggers_check_table_fini(&table);
    return ok;
}
