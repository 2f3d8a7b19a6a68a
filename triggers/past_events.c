/* Events of the past; see past_private.h. What a trigger hears, and the row that it sees, are the
 * matcher's (hearing.h, event_row.h). */
#include "triggers/past_private.h"

#include "triggers/event_row.h"
#include "triggers/event_view.h"
#include "triggers/heard.h"
#include "triggers/hearing.h"

#include <stdio.h>

enum { NAME_BYTES_MAX = CORE_SUBJECT_TYPE_SIZE };

/* Of one type its subject; else every event of the project is looked at. */
bool triggers_past_event_filter(const triggers_past *it, char filter[CORE_SUBJECT_MAX]) {
    const triggers_definition *definition = it->spec->definition;
    core_slice type = definition->event_type;
    bool is_one =
        definition->on == TRIGGERS_ON_EVENT && type.length > 0 && type.data[type.length - 1] != '*';
    char project[256];
    core_subject_scope scope = core_subject_scope_of(it->spec->config);
    scope.project = project;
    if (!core_slice_to_text(definition->project, project, sizeof project) ||
        !core_subject_event(&scope, is_one ? type : core_slice_text("x"), filter))
        return false;
    if (!is_one)
        filter[strlen(filter) - 1] = '*'; /* in the place of the type */
    return true;
}

static bool event_give(triggers_past *it, const fanout_message *message, core_slice type,
                       core_error *error) {
    const triggers_heard heard = triggers_heard_of(message);
    char id[TRIGGERS_EVENT_ID_SIZE];
    core_offset at = {.sequence = message->sequence};
    core_change change;
    const triggers_definition *definition = it->spec->definition;
    if (!triggers_hearing_hears(definition, type))
        return true;
    (void)snprintf(id, sizeof id, "%s-%llu", it->epoch, (unsigned long long)message->sequence);
    memcpy(at.epoch, it->epoch, sizeof at.epoch);
    triggers_occurrence what = {.id = core_slice_text(id),
                                .type = type,
                                .source = heard.source,
                                .subject = heard.subject,
                                .time_us = heard.time_us};
    if (!heard.is_cut)
        what.data = triggers_occurrence_data(heard.payload, &it->arena);
    if ((!heard.is_cut && what.data.data == NULL) ||
        !triggers_occurrence_row(&what, definition->on, &it->arena, &change))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for event %s", id);
    if (!triggers_hearing_counts(definition, &change))
        return true;
    const triggers_past_event event = {
        .change = &change,
        .facts = {.type = type, .time_us = heard.time_us, .offset = what.id},
        .id = id,
        .behind = message->pending};
    triggers_past_give(it, &at, &event);
    return !it->over;
}

bool triggers_past_event_take(triggers_past *it, const fanout_message *message, core_error *error) {
    char memory[2][NAME_BYTES_MAX];
    core_buffer project = core_buffer_over(memory[0], NAME_BYTES_MAX);
    core_buffer type = core_buffer_over(memory[1], NAME_BYTES_MAX);
    core_arena_reset(&it->arena);
    const triggers_heard heard = triggers_heard_of(message);
    return !triggers_heard_names(&heard, &project, &type) ||
           event_give(it, message, core_buffer_slice(&type), error);
}
