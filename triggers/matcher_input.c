/* The matcher's feeds, opened where it goes on; see matcher.h. What a stream does not hold any more
 * although it was not matched is a gap (matcher_gap.c). */
#include "triggers/matcher_private.h"

#include "triggers/event_view.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    size_t max_messages, max_bytes;
} inboxes[TRIGGERS_INPUTS] = {
    [TRIGGERS_INPUT_CHANGES] = {1024, (size_t)2 << 20},
    [TRIGGERS_INPUT_EVENTS] = {1024, (size_t)2 << 20},
    [TRIGGERS_INPUT_CHANGES_NEAR] = {256, (size_t)2 << 20},
    [TRIGGERS_INPUT_EVENTS_NEAR] = {256, (size_t)2 << 20},
    [TRIGGERS_INPUT_CHANGES_FAR] = {256, (size_t)2 << 20},
    [TRIGGERS_INPUT_EVENTS_FAR] = {256, (size_t)2 << 20},
};

/* ---- where a stream ends ---- */

/* Of the message at `sequence`: the run that it is, and where the row begins that it is of. */
static bool run_at(triggers_matcher *matcher, uint64_t sequence, core_run *run, uint64_t *first,
                   bool *ends, core_error *error) {
    const char *stream = matcher->streams[TRIGGERS_STREAM_CHANGES].name;
    core_buffer_reset(&matcher->body);
    core_arena_reset(&matcher->arena);
    if (!fanout_stream_message(matcher->connection, stream, sequence, &matcher->body, error) ||
        !core_run_decode(core_buffer_slice(&matcher->body), &matcher->arena, run, error))
        return false;
    *first = core_assembly_first(core_buffer_slice(&matcher->body), sequence, ends);
    return true;
}

/* A new matcher begins at the end: who begins before it has a history. */
static bool changes_end(triggers_matcher *matcher, const fanout_stream_info *info,
                        triggers_place *place, uint64_t *first, core_error *error) {
    core_run run;
    bool ends = true;
    *first = info->last_sequence + 1;
    *place = (triggers_place){
        .at = {.epoch = CORE_OFFSET_BEGINNING_EPOCH, .sequence = info->last_sequence}};
    if (info->messages == 0)
        return true;
    if (!run_at(matcher, info->last_sequence, &run, first, &ends, error))
        return false;
    if (ends)
        *first = info->last_sequence + 1;
    memcpy(place->at.epoch, run.epoch, sizeof place->at.epoch);
    place->at.index = UINT32_MAX;
    place->lsn = run.last_transaction.commit_lsn;
    place->index = run.last_index;
    return true;
}

/* ---- where to go on ---- */

static bool changes_first(triggers_matcher *matcher, const fanout_stream_info *info,
                          const triggers_place *place, uint64_t *first, core_error *error) {
    core_run run;
    bool ends;
    const core_offset *at = &place->at;
    *first = info->first_sequence > 0 ? info->first_sequence : 1;
    if (at->sequence < info->first_sequence || at->sequence > info->last_sequence ||
        info->messages == 0)
        return true;
    if (strcmp(at->epoch, CORE_OFFSET_BEGINNING_EPOCH) == 0) {
        *first = at->sequence + 1;
        return true;
    }
    uint64_t begins;
    if (!run_at(matcher, at->sequence, &run, &begins, &ends, error))
        return error->code == CORE_ERROR_INPUT; /* aged away meanwhile */
    if (strcmp(run.epoch, at->epoch) == 0)
        *first = begins;
    return true; /* of another epoch: from the beginning, by the changes' own places */
}

/* An event that is done partly is read again. */
static void events_first(const triggers_matcher *matcher, const fanout_stream_info *info,
                         const triggers_place *place, bool is_partly, uint64_t *first) {
    const char *epoch = matcher->streams[TRIGGERS_STREAM_EVENTS].epoch;
    *first = info->first_sequence > 0 ? info->first_sequence : 1;
    uint64_t next = place->at.sequence + (is_partly ? 0 : 1);
    if (strcmp(place->at.epoch, epoch) == 0 && next > *first && next <= info->last_sequence + 1)
        *first = next;
}

/* ---- gaps ---- */

/* Whether the place is one of this stream, which it would go on behind. */
static bool place_is_ours(const triggers_matcher *matcher, triggers_input input) {
    const triggers_place *place = &matcher->position.places[input];
    if (triggers_input_kind(input) == TRIGGERS_STREAM_EVENTS)
        return strcmp(place->at.epoch, matcher->streams[TRIGGERS_STREAM_EVENTS].epoch) == 0;
    return triggers_input_is_live(input) ||
           strcmp(place->at.epoch, CORE_OFFSET_BEGINNING_EPOCH) != 0;
}

/* What stood between the place and the stream's first message is told, and then done with. */
static bool gap_look(triggers_matcher *matcher, triggers_input input, bool is_partly,
                     const fanout_stream_info *info, core_error *error) {
    triggers_place *place = &matcher->position.places[input];
    uint64_t next = place->at.sequence + (is_partly ? 0 : 1);
    char text[CORE_ERROR_TEXT_MAX];
    if (!place_is_ours(matcher, input) || info->first_sequence <= next)
        return true;
    (void)snprintf(text, sizeof text,
                   "messages %" PRIu64 " to %" PRIu64 " of %s were removed before they were "
                   "matched",
                   next, info->first_sequence - 1,
                   matcher->streams[triggers_input_kind(input)].name);
    if (!triggers_matcher_gap(matcher, input, text, error))
        return false;
    place->at.sequence = info->first_sequence - 1;
    place->at.index = UINT32_MAX;
    matcher->is_done = matcher->is_done || is_partly; /* the rest of it is gone as well */
    return true;
}

/* ---- opened ---- */

static bool stream_look(triggers_matcher *matcher, triggers_stream_kind kind,
                        fanout_stream_info *info, core_error *error) {
    triggers_matcher_stream *stream = &matcher->streams[kind];
    if (kind == TRIGGERS_STREAM_CHANGES)
        return fanout_stream_inspect(matcher->connection, stream->name, info, error);
    char subjects[CORE_SUBJECT_MAX];
    fanout_stream_spec spec =
        fanout_stream_event_spec(matcher->spec.config, stream->name, subjects, sizeof subjects);
    spec.keeps_limits = true;
    if (!fanout_stream_ensure(matcher->connection, &spec, info, error))
        return false;
    (void)snprintf(stream->filter, sizeof stream->filter, "%s", subjects);
    matcher->events_created_us = info->created_us;
    (void)snprintf(stream->epoch, sizeof stream->epoch, "%" PRIx64, (uint64_t)info->created_us);
    return true;
}

static bool input_first(triggers_matcher *matcher, triggers_input input,
                        const fanout_stream_info *info, uint64_t *first, core_error *error) {
    triggers_place *place = &matcher->position.places[input];
    bool is_events = triggers_input_kind(input) == TRIGGERS_STREAM_EVENTS;
    bool is_partly = !matcher->is_done && matcher->position.input == input;
    if (place->at.epoch[0] != '\0') {
        if (!gap_look(matcher, input, is_partly, info, error))
            return false;
        if (!is_events)
            return changes_first(matcher, info, place, first, error);
        events_first(matcher, info, place, is_partly && !matcher->is_done, first);
        return true;
    }
    if (!is_events)
        return changes_end(matcher, info, place, first, error);
    place->at.sequence = info->last_sequence;
    memcpy(place->at.epoch, matcher->streams[TRIGGERS_STREAM_EVENTS].epoch, sizeof place->at.epoch);
    *first = info->last_sequence + 1;
    return true;
}

bool triggers_matcher_input_open(triggers_matcher *matcher, triggers_input input,
                                 core_error *error) {
    triggers_stream_kind kind = triggers_input_kind(input);
    const triggers_matcher_stream *stream = &matcher->streams[kind];
    fanout_stream_info info;
    uint64_t first;
    core_assembly_reset(&matcher->assemblies[input]);
    if (!stream_look(matcher, kind, &info, error) ||
        !input_first(matcher, input, &info, &first, error))
        return false;
    const triggers_feed_spec spec = {.stream = stream->name,
                                     .filter = stream->filter,
                                     .first = first,
                                     .end = info.last_sequence,
                                     .is_events = kind == TRIGGERS_STREAM_EVENTS,
                                     .max_messages = inboxes[input].max_messages,
                                     .max_bytes = inboxes[input].max_bytes,
                                     .wake_fd = matcher->wake_fd};
    if (!triggers_feed_open(&matcher->feeds[input], matcher->connection, &spec, matcher->spec.log,
                            error))
        return false;
    CORE_LOG(matcher->spec.log, INFO, "triggers", "a stream is matched here",
             CORE_LOG_TEXT("stream", stream->name), CORE_LOG_NUMBER("from", first));
    return true;
}

bool triggers_matcher_inputs_open(triggers_matcher *matcher, core_error *error) {
    for (triggers_input input = 0; input < TRIGGERS_INPUTS; input++) {
        bool is_read = triggers_input_is_live(input) || matcher->rounds[input].count > 0;
        if (is_read && !triggers_matcher_input_open(matcher, input, error))
            return false;
    }
    return true;
}

void triggers_matcher_inputs_close(triggers_matcher *matcher) {
    for (size_t i = 0; i < TRIGGERS_INPUTS; i++)
        triggers_feed_close(&matcher->feeds[i]);
}
