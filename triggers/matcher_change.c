/* From a message of the change stream to what is matched; see matcher.h. */
#include "triggers/matcher_private.h"

/* How deep in a chain of triggers the change stands: its transaction said so before. */
static uint16_t depth_of(const triggers_place *place, const core_change *change) {
    bool is_told = place->chain_xid != 0 && place->chain_xid == change->transaction.xid;
    return is_told ? place->chain_depth : 0;
}

static void message_take(triggers_case *it) {
    triggers_place *place = &it->matcher->position.places[it->input];
    if (!core_message_tells_chain(&it->change->message))
        return;
    place->chain_xid = it->change->transaction.xid;
    place->chain_depth = core_message_chain_depth(&it->change->message);
}

static void place_move(triggers_case *it) {
    triggers_place *place = &it->matcher->position.places[it->input];
    place->at = it->at;
    place->lsn = it->change->transaction.commit_lsn;
    place->index = it->change->index;
}

/* cdc says that changes are missing for good. */
static bool gap_take(triggers_case *it, core_error *error) {
    triggers_matcher *matcher = it->matcher;
    if (triggers_matcher_is_done(matcher, it->input, &it->at, it->change, &it->is_partly))
        return true;
    place_move(it);
    matcher->is_done = true;
    return triggers_matcher_gap(matcher, it->input,
                                "changes are missing from the change stream, which its GAP event "
                                "tells of",
                                error);
}

static bool change_take(triggers_case *it, core_error *error) {
    triggers_matcher *matcher = it->matcher;
    const triggers_place *place = &matcher->position.places[it->input];
    char offset[CORE_OFFSET_TEXT_SIZE];
    if (it->change->op == CORE_OP_MESSAGE)
        message_take(it);
    if (it->change->op == CORE_OP_GAP)
        return gap_take(it, error);
    if (triggers_op_of(it->change->op) == 0 || it->change->relation == NULL ||
        triggers_matcher_is_done(matcher, it->input, &it->at, it->change, &it->is_partly))
        return true;
    place_move(it);
    core_offset_format(&it->at, offset);
    it->facts = (triggers_body_facts){.time_us = it->change->transaction.commit_time_us,
                                      .offset = core_slice_text(offset)};
    it->depth = depth_of(place, it->change);
    return triggers_matcher_match(it, triggers_matcher_index(matcher, it->change->relation), error);
}

static bool run_take(triggers_case *it, core_slice whole, core_error *error) {
    core_run run;
    core_run_reader reader;
    core_arena *arena = &it->matcher->arena;
    core_arena_reset(arena);
    if (!core_run_decode(whole, arena, &run, error))
        return false;
    if (run.rows == 0 || run.op == CORE_OP_SCHEMA)
        return true;
    if (!core_run_reader_init(&reader, &run, arena, error))
        return false;
    memcpy(it->at.epoch, run.epoch, sizeof it->at.epoch);
    while ((it->change = core_run_next(&reader)) != NULL) {
        it->at.index = core_run_row(&reader);
        if (!change_take(it, error))
            return false;
    }
    return true;
}

bool triggers_matcher_take_changes(triggers_matcher *matcher, triggers_input input,
                                   uint64_t sequence, core_slice message, core_error *error) {
    core_slice whole;
    triggers_case it = {.matcher = matcher, .input = input, .at = {.sequence = sequence}};
    switch (core_assembly_feed(&matcher->assemblies[input], message, sequence, &whole, error)) {
    case CORE_ASSEMBLY_WHOLE:
        return run_take(&it, whole, error) && triggers_matcher_tell_all(matcher, error);
    case CORE_ASSEMBLY_MORE:
        return true;
    case CORE_ASSEMBLY_REFUSED:
        break;
    }
    return false;
}
