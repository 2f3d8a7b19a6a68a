/* See start.h. */
#include "cdc/start.h"

#include <stdio.h>

core_lsn cdc_run_shown_lsn(const core_transaction *last, bool complete) {
    return complete ? last->end_lsn : last->commit_lsn;
}

/* Commit records have at least a header: the LSN before one is nobody else's, but for a lone
 * message's, which then is stored. */
void cdc_place_before(core_lsn *commit_lsn, uint64_t *index, bool *complete) {
    *complete = *index == 0;
    if (*index == 0)
        (*commit_lsn)--;
    else
        (*index)--;
}

/* A part of a lone message (xid 0) tells in end_lsn what is stored before it: where its own WAL
 * record begins is not known. */
static core_lsn tail_shown_lsn(const core_run *tail) {
    const core_transaction *last = &tail->last_transaction;
    bool lone_part = !core_run_holds_last(tail) && last->xid == 0;
    return cdc_run_shown_lsn(last, tail->last_complete || lone_part);
}

static bool same_stream(const cdc_start_facts *facts) {
    return facts->record != NULL && facts->record->stream_created_us == facts->stream_created_us;
}

/* The stream ends before what the record saw acked: the broker lost acknowledged messages. */
static bool rolled_back(const cdc_start_facts *facts) {
    return same_stream(facts) && facts->last_sequence < facts->record->sequence;
}

static void epoch_copy(char target[CORE_EPOCH_TEXT_SIZE], const char *source) {
    (void)snprintf(target, CORE_EPOCH_TEXT_SIZE, "%s", source);
}

/* The stored position that the stream's tail, or failing it the record, gives. */
static void position_find(const cdc_start_facts *facts, cdc_start *start) {
    cdc_position *position = &start->position;
    bool record_holds = same_stream(facts) && !rolled_back(facts);
    if (record_holds)
        *position = *facts->record;
    if (facts->tail != NULL) {
        const core_transaction *last = &facts->tail->last_transaction;
        start->shown_lsn = tail_shown_lsn(facts->tail);
        position->commit_lsn = last->commit_lsn;
        position->index = facts->tail->last_index;
        position->complete = facts->tail->last_complete;
        if (!core_run_holds_last(facts->tail))
            cdc_place_before(&position->commit_lsn, &position->index, &position->complete);
        epoch_copy(position->epoch, facts->tail->epoch);
    }
    start->new_epoch = rolled_back(facts) || (facts->tail == NULL && !record_holds);
    if (start->new_epoch)
        epoch_copy(position->epoch, facts->fresh_epoch);
    if (position->end_lsn < start->shown_lsn)
        position->end_lsn = start->shown_lsn;
    position->sequence = facts->last_sequence;
    position->stream_created_us = facts->stream_created_us;
    position->system_id = facts->system_id;
    position->timeline = facts->timeline;
}

static bool cluster_check(const cdc_start_facts *facts, core_error *error) {
    const cdc_position *record = facts->record;
    if (!same_stream(facts))
        return true;
    if (record->system_id != facts->system_id)
        return core_error_set(error, CORE_ERROR_GAP,
                              "postgres.url leads to another cluster (system identifier %llu) than "
                              "the one that stream %s was made from (%llu): its changes do not "
                              "follow on; point postgres.url back, or name a new nats.stream",
                              (unsigned long long)facts->system_id, facts->stream,
                              (unsigned long long)record->system_id);
    if (record->timeline != facts->timeline)
        return core_error_set(error, CORE_ERROR_GAP,
                              "the server is on timeline %u, stream %s was made from timeline %u: "
                              "after a failover or a restore some of its changes may not exist "
                              "here; name a new nats.stream to start from what is there now",
                              facts->timeline, facts->stream, record->timeline);
    return true;
}

static bool gap_refuse(const cdc_start_facts *facts, core_lsn end_lsn, core_error *error) {
    return core_error_set(
        error, CORE_ERROR_GAP,
        "slot \"%s\" stands at " CORE_LSN_FORMAT ", but stream %s holds changes only up "
        "to " CORE_LSN_FORMAT ": what was committed between is missing%s; restore the stream, or "
        "name a new nats.stream to start from the slot's position",
        facts->slot, CORE_LSN_ARGS(facts->confirmed_lsn), facts->stream, CORE_LSN_ARGS(end_lsn),
        rolled_back(facts) ? " (the broker lost acknowledged messages)" : "");
}

bool cdc_start_has_state(const cdc_start_facts *facts) {
    return facts->tail != NULL || same_stream(facts);
}

static bool slot_check(const cdc_start_facts *facts, const cdc_start *start, core_error *error) {
    core_lsn end_lsn = start->position.end_lsn;
    if (!cdc_start_has_state(facts) || facts->confirmed_lsn <= end_lsn)
        return true;
    if (facts->confirmed_before_lsn > end_lsn)
        return gap_refuse(facts, end_lsn, error);
    return core_error_set(error, CORE_ERROR_TRANSIENT,
                          "slot \"%s\" stands at " CORE_LSN_FORMAT ", beyond what the stream "
                          "showed; looking again",
                          facts->slot, CORE_LSN_ARGS(facts->confirmed_lsn));
}

/* The confirmed position is before every PREPARE whose rows are not stored; the tail may be beyond.
 * What lies between comes again and is skipped. */
static void prepared_include(const cdc_start_facts *facts, cdc_start *start) {
    start->start_lsn = 0;
    start->shown_lsn = facts->confirmed_lsn;
    start->position.end_lsn = facts->confirmed_lsn;
}

bool cdc_start_decide(const cdc_start_facts *facts, cdc_start *start, core_error *error) {
    *start = (cdc_start){0};
    position_find(facts, start);
    if (!cluster_check(facts, error) || !slot_check(facts, start, error))
        return false;
    bool has_state = cdc_start_has_state(facts);
    /* Below the slot's own position PostgreSQL starts at the latter by itself. */
    start->start_lsn = has_state ? start->position.end_lsn : 0;
    if (start->position.end_lsn < facts->confirmed_lsn)
        start->position.end_lsn = facts->confirmed_lsn; /* a fresh start: history begins here */
    if (facts->two_phase)
        prepared_include(facts, start);
    return true;
}
