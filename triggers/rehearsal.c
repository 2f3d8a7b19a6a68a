/* See rehearsal.h. The definition is compiled once for each shape that the table had. */
#include "triggers/rehearsal.h"
#include "triggers/members.h"

#include <inttypes.h>
#include <stdio.h>

#define CHUNK_BYTES ((size_t)64 << 10)

typedef struct {
    const triggers_past_spec *spec;
    triggers_rehearsal_take take;
    void *context;
    triggers_explainer *explainer;
    uint32_t oid, version; /* of the shape that it is made for */
    core_arena arena;
} rehearsal;

static bool explainer_ready(rehearsal *it, const core_relation *relation) {
    if (it->explainer != NULL && it->oid == relation->oid && it->version == relation->version)
        return true;
    triggers_explainer_free(it->explainer);
    it->explainer = triggers_explainer_new(it->spec->definition, relation, NULL);
    it->oid = relation->oid;
    it->version = relation->version;
    return it->explainer != NULL;
}

static bool event_take(void *context, const triggers_past_event *event, core_error *error) {
    rehearsal *it = context;
    core_arena_reset(&it->arena);
    triggers_explanation *explanation = core_arena_alloc(&it->arena, sizeof *explanation);
    if (explanation == NULL || !explainer_ready(it, event->change->relation) ||
        !triggers_explainer_explain(it->explainer, event->change, &event->facts, &it->arena,
                                    explanation))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory to explain %s", event->id);
    return it->take(it->context, event, explanation, error);
}

bool triggers_rehearse(const triggers_past_spec *spec, triggers_rehearsal_take take, void *context,
                       core_error *error) {
    rehearsal it = {.spec = spec, .take = take, .context = context};
    core_arena_init(&it.arena, CHUNK_BYTES, 4 * TRIGGERS_EXPLANATION_MAX);
    bool ok = triggers_past_read(spec, event_take, &it, error);
    core_arena_fini(&it.arena);
    triggers_explainer_free(it.explainer);
    return ok;
}

/* ---- What it comes to ---- */

/* The text as far as a row keeps it. */
static core_slice text_cut(core_slice text) {
    const triggers_tally_row *row = NULL;
    size_t most = sizeof row->text - 1;
    return core_slice_make(text.data, text.length < most ? text.length : most);
}

static bool row_is(const triggers_tally_row *row, const triggers_explanation *explanation,
                   expr_verdict verdict) {
    return core_slice_equal(row->outcome, explanation->outcome) &&
           row->clause == explanation->decided_by && row->verdict == verdict &&
           (row->clause != 0 || core_slice_is(text_cut(explanation->reason), row->text));
}

/* The row of that reason; the last one takes all that find no room. */
static triggers_tally_row *row_find(triggers_tally *tally,
                                    const triggers_explanation *explanation) {
    const triggers_explained_clause *clause =
        explanation->decided_by > 0 ? &explanation->clauses[explanation->decided_by - 1] : NULL;
    expr_verdict verdict = clause != NULL ? clause->verdict : EXPR_VERDICT_TRUE;
    core_slice text = clause != NULL ? clause->text : explanation->reason;
    for (size_t i = 0; i < tally->count; i++)
        if (row_is(&tally->rows[i], explanation, verdict))
            return &tally->rows[i];
    if (tally->count == TRIGGERS_TALLY_MAX)
        return &tally->rows[TRIGGERS_TALLY_MAX - 1];
    triggers_tally_row *row = &tally->rows[tally->count++];
    *row = (triggers_tally_row){
        .outcome = explanation->outcome, .clause = explanation->decided_by, .verdict = verdict};
    if (tally->count == TRIGGERS_TALLY_MAX)
        text = core_slice_text("other reasons");
    (void)snprintf(row->text, sizeof row->text, "%.*s", CORE_SLICE_ARGS(text));
    return row;
}

void triggers_tally_add(triggers_tally *tally, const triggers_explanation *explanation) {
    tally->events++;
    if (core_slice_is(explanation->outcome, "matched"))
        tally->matched++;
    else
        row_find(tally, explanation)->count++;
}

static const char *result_of(const triggers_tally_row *row) {
    return row->verdict == EXPR_VERDICT_UNKNOWN ? "null" : expr_verdict_name(row->verdict);
}

void triggers_tally_json(const triggers_tally *tally, core_json_writer *json) {
    core_json_object_open(json);
    triggers_member_number(json, "events", tally->events);
    triggers_member_number(json, "matched", tally->matched);
    core_json_key_text(json, "others");
    core_json_array_open(json);
    for (size_t i = 0; i < tally->count; i++) {
        const triggers_tally_row *row = &tally->rows[i];
        core_json_object_open(json);
        triggers_member_text(json, "outcome", row->outcome);
        triggers_member_number(json, "count", row->count);
        triggers_member_text(json, row->clause > 0 ? "clause" : "reason",
                             core_slice_text(row->text));
        if (row->clause > 0)
            triggers_member_text(json, "result", core_slice_text(result_of(row)));
        core_json_object_close(json);
    }
    core_json_array_close(json);
    core_json_object_close(json);
}

void triggers_tally_text(const triggers_tally *tally, core_buffer *out) {
    core_buffer_format(out, "%" PRIu64 " events: %" PRIu64 " would be delivered, %" PRIu64 " not\n",
                       tally->events, tally->matched, tally->events - tally->matched);
    for (size_t i = 0; i < tally->count; i++) {
        const triggers_tally_row *row = &tally->rows[i];
        core_buffer_format(out, "%9" PRIu64 "  %.*s: %s%s%s\n", row->count,
                           CORE_SLICE_ARGS(row->outcome), row->text, row->clause > 0 ? " is " : "",
                           row->clause > 0 ? result_of(row) : "");
    }
}
