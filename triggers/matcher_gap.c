/* What was missed: changes or events that were gone before they were matched; see matcher.h. It is
 * logged, counted, for an hour a warning of readiness, and an outcome of each trigger that the
 * input is heard by, since whoever looks there must not take "nothing" for "no match". */
#include "triggers/matcher_private.h"

#include <stdio.h>

enum { GAP_TOLD_MS = 60 * 60 * 1000 };

static void gap_note(triggers_matcher *matcher, const char *text) {
    (void)pthread_mutex_lock(&matcher->lock);
    matcher->gap_until_ms = core_clock_ms(matcher->spec.clock) + GAP_TOLD_MS;
    (void)snprintf(matcher->gap, sizeof matcher->gap, "triggers have missed something: %s", text);
    (void)pthread_mutex_unlock(&matcher->lock);
    core_metrics_add(matcher->spec.metrics, CORE_METRIC_TRIGGERS_GAPS, 1);
    CORE_LOG(matcher->spec.log, ERROR, "triggers", "triggers have missed something",
             CORE_LOG_TEXT("reason", text));
}

bool triggers_matcher_gap(triggers_matcher *matcher, triggers_input input, const char *text,
                          core_error *error) {
    const triggers_set *set = matcher->set;
    gap_note(matcher, text);
    for (size_t i = 0; i < set->count; i++) {
        const triggers_definition *definition = set->definitions[i];
        bool is_of = (definition->on == TRIGGERS_ON_TABLE) ==
                     (triggers_input_kind(input) == TRIGGERS_STREAM_CHANGES);
        if (!is_of || definition->disabled || !triggers_matcher_hears(matcher, input, definition))
            continue;
        triggers_entry entry = {.kind = TRIGGERS_ENTRY_LOST,
                                .project = definition->project,
                                .trigger = definition->name,
                                .reason = core_slice_text(text)};
        if (!triggers_matcher_tell(matcher, &entry, error))
            return false;
    }
    return triggers_matcher_tell_all(matcher, error);
}
