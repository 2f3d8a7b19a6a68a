/* From an event to what is matched; see matcher.h. An application's event is heard by triggers on
 * its type; Walcast's own, whose types begin with "walcast.", by those that they are for. */
#include "triggers/matcher_private.h"

#include "triggers/event_row.h"
#include "triggers/event_view.h"
#include "triggers/hearing.h"
#include "triggers/redeliver.h"

#include <inttypes.h>
#include <stdio.h>

bool triggers_matcher_event_case(triggers_case *it, const triggers_heard *heard, core_slice id,
                                 core_change *change, triggers_rule_index **index,
                                 core_error *error) {
    triggers_matcher *matcher = it->matcher;
    triggers_on on;
    core_slice name;
    *index = NULL;
    core_buffer_reset(&matcher->names[0]);
    core_buffer_reset(&matcher->names[1]);
    if (!triggers_heard_names(heard, &matcher->names[0], &matcher->names[1]))
        return true;
    core_slice project = core_buffer_slice(&matcher->names[0]);
    triggers_occurrence what = {.id = id,
                                .type = core_buffer_slice(&matcher->names[1]),
                                .source = heard->source,
                                .subject = heard->subject,
                                .time_us = heard->time_us};
    it->facts = (triggers_body_facts){.type = what.type, .time_us = heard->time_us, .offset = id};
    it->depth = heard->depth;
    if (triggers_hearing_kind(what.type, &on, &name))
        *index = triggers_matcher_event_index(matcher, on, project, name);
    if (*index == NULL)
        return true;
    if (!heard->is_cut)
        what.data = triggers_occurrence_data(heard->payload, &matcher->arena);
    if ((!heard->is_cut && what.data.data == NULL) ||
        !triggers_occurrence_row(&what, on, &matcher->arena, change))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for event %.*s",
                              CORE_SLICE_ARGS(id));
    it->change = change;
    it->result = on == TRIGGERS_ON_RESULT ? triggers_hearing_result(change) : 0;
    return true;
}

static bool event_take(triggers_case *it, const triggers_heard *heard, core_error *error) {
    triggers_matcher *matcher = it->matcher;
    char id[TRIGGERS_EVENT_ID_SIZE];
    core_change change;
    triggers_rule_index *index;
    (void)snprintf(id, sizeof id, "%s-%" PRIu64, it->at.epoch, it->at.sequence);
    if (!triggers_matcher_event_case(it, heard, core_slice_text(id), &change, &index, error))
        return false;
    if (index != NULL || !core_slice_begins(core_buffer_slice(&matcher->names[1]),
                                            core_slice_text(TRIGGERS_REDELIVER_TYPE)))
        return triggers_matcher_match(it, index, error);
    core_slice project = core_arena_copy(&matcher->arena, core_buffer_slice(&matcher->names[0]));
    return project.data != NULL
               ? triggers_matcher_redeliver(it, project, heard->payload, error)
               : core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a redelivery");
}

bool triggers_matcher_take_event(triggers_matcher *matcher, triggers_input input, uint64_t sequence,
                                 core_slice message, core_error *error) {
    triggers_heard heard;
    triggers_case it = {.matcher = matcher, .input = input, .at = {.sequence = sequence}};
    const char *epoch = matcher->streams[TRIGGERS_STREAM_EVENTS].epoch;
    memcpy(it.at.epoch, epoch, sizeof it.at.epoch);
    if (triggers_matcher_is_done(matcher, input, &it.at, NULL, &it.is_partly))
        return true;
    matcher->position.places[input].at = it.at;
    core_arena_reset(&matcher->arena);
    return triggers_heard_read(message, &heard, error) && event_take(&it, &heard, error) &&
           triggers_matcher_tell_all(matcher, error);
}
