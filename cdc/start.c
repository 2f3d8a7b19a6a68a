/* See start.h. */
#include "cdc/start.h"

#include "cdc/gap_text.h"

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

static void epoch_copy(char target[CORE_EPOCH_TEXT_SIZE], const char *source) {
    (void)snprintf(target, CORE_EPOCH_TEXT_SIZE, "%s", source);
}

/* ---- What is known ---- */

static bool of_this_stream(const cdc_start_facts *facts, const cdc_position *position) {
    return position != NULL && position->stream_created_us == facts->stream_created_us;
}

/* Each GAP counts up: one that was stored before the record was is the newer, whatever their
 * sequences. */
const cdc_position *cdc_start_known(const cdc_start_facts *facts) {
    bool has_gap = of_this_stream(facts, facts->tail_gap);
    bool has_record = of_this_stream(facts, facts->record);
    if (has_gap && (!has_record || facts->tail_gap->gaps > facts->record->gaps))
        return facts->tail_gap;
    return has_record ? facts->record : NULL;
}

static bool has_tail(const cdc_start_facts *facts) {
    return facts->tail != NULL || facts->tail_gap != NULL;
}

bool cdc_start_has_state(const cdc_start_facts *facts) {
    return has_tail(facts) || cdc_start_known(facts) != NULL;
}

/* ---- Where the stream stands ---- */

/* A part of a lone message (xid 0) tells in end_lsn what is stored before it: where its own WAL
 * record begins is not known. */
static core_lsn tail_shown_lsn(const core_run *tail) {
    const core_transaction *last = &tail->last_transaction;
    bool lone_part = !core_run_holds_last(tail) && last->xid == 0;
    return cdc_run_shown_lsn(last, core_run_is_complete(tail) || lone_part);
}

static void position_of_tail(const core_run *tail, cdc_position *position) {
    position->commit_lsn = tail->last_transaction.commit_lsn;
    position->index = tail->last_index;
    position->complete = core_run_is_complete(tail);
    if (!core_run_holds_last(tail))
        cdc_place_before(&position->commit_lsn, &position->index, &position->complete);
    epoch_copy(position->epoch, tail->epoch);
}

static bool place_is_before(const cdc_position *a, const cdc_position *b) {
    if (a->commit_lsn != b->commit_lsn)
        return a->commit_lsn < b->commit_lsn;
    return !a->complete && (b->complete || a->index < b->index);
}

/* The stream ends before what the record saw there. */
static bool behind_record(const cdc_start_facts *facts) {
    const cdc_position *known = cdc_start_known(facts);
    if (known == NULL || known->sequence > facts->last_sequence)
        return known != NULL;
    cdc_position end = {0};
    if (facts->tail == NULL || facts->first_missing != 0 || facts->tail_sequence < known->sequence)
        return false;
    position_of_tail(facts->tail, &end);
    return place_is_before(&end, known);
}

static bool behind_acks(const cdc_start_facts *facts) {
    return facts->last_sequence < facts->acked_sequence;
}

/* The broker lost acknowledged messages at the stream's end. */
static bool went_back(const cdc_start_facts *facts) {
    return behind_record(facts) || behind_acks(facts);
}

static bool lost_messages(const cdc_start_facts *facts) {
    return went_back(facts) || facts->first_missing != 0;
}

/* The last messages aged out and the record had not seen all of them. */
static bool aged_unrecorded(const cdc_start_facts *facts) {
    const cdc_position *known = cdc_start_known(facts);
    return !has_tail(facts) && known != NULL && known->sequence < facts->last_sequence;
}

/* The stored position that the stream's end, or failing it the record, gives. */
static void position_find(const cdc_start_facts *facts, cdc_start *start) {
    const cdc_position *known = cdc_start_known(facts);
    cdc_position *position = &start->position;
    bool lost = lost_messages(facts);
    if (known != NULL && (!lost || known == facts->tail_gap))
        *position = *known;
    if (lost && facts->tail_gap != NULL)
        *position = *facts->tail_gap;
    if (facts->tail != NULL) {
        start->shown_lsn = tail_shown_lsn(facts->tail);
        position_of_tail(facts->tail, position);
    } else if (facts->tail_gap != NULL)
        start->shown_lsn = facts->tail_gap->end_lsn;
    if (position->end_lsn < start->shown_lsn)
        position->end_lsn = start->shown_lsn;
}

/* ---- Timelines ---- */

/* The commit records of all that the stream holds stand before the fork; records do not straddle
 * it. */
static bool all_before_fork(const cdc_start_facts *facts, const cdc_position *position) {
    core_lsn commit_lsn = position->commit_lsn;
    if (facts->tail != NULL && facts->tail->last_transaction.commit_lsn > commit_lsn)
        commit_lsn = facts->tail->last_transaction.commit_lsn;
    return facts->fork_lsn != 0 && commit_lsn < facts->fork_lsn;
}

static bool timeline_moved(const cdc_start_facts *facts) {
    const cdc_position *known = cdc_start_known(facts);
    return known != NULL && known->timeline != facts->timeline;
}

/* What the old timeline had beyond the fork held nothing for the stream; what the new one has there
 * may. */
static void fork_take(const cdc_start_facts *facts, cdc_start *start) {
    if (!timeline_moved(facts) || facts->fork_lsn == 0)
        return;
    if (start->position.end_lsn > facts->fork_lsn)
        start->position.end_lsn = facts->fork_lsn;
    if (start->shown_lsn > facts->fork_lsn)
        start->shown_lsn = facts->fork_lsn;
}

/* ---- The reason ---- */

static bool publication_remade(const cdc_start_facts *facts) {
    const cdc_position *known = cdc_start_known(facts);
    bool remade = facts->publication.made;
    for (size_t i = 0; i < CDC_PUBLICATIONS; i++)
        remade = remade || (known->publication_oids[i] != 0 &&
                            known->publication_oids[i] != facts->publication.oids[i]);
    return remade;
}

/* What is left of the stream is of the history that the record tells of, and shows where it ends.
 */
static bool tail_tells(const cdc_start_facts *facts) {
    return has_tail(facts) && facts->tail_sequence >= cdc_start_known(facts)->gap_sequence;
}

static cdc_gap_reason lost_reason(const cdc_start_facts *facts) {
    return facts->first_missing != 0 ? CDC_GAP_STREAM_HOLED : CDC_GAP_STREAM_LOST;
}

/* Without a past of this stream only what is told to new consumers counts. */
static cdc_gap_reason fresh_reason(const cdc_start_facts *facts) {
    if (facts->slot_state.lost)
        return CDC_GAP_SLOT_LOST;
    return facts->record != NULL ? CDC_GAP_STREAM_REMADE : CDC_GAP_NONE;
}

static cdc_gap_reason server_reason(const cdc_start_facts *facts, const cdc_start *start) {
    const cdc_position *known = cdc_start_known(facts);
    if (known == NULL)
        return CDC_GAP_RECORD_MISSING;
    if (known->system_id != facts->system_id)
        return CDC_GAP_OTHER_CLUSTER;
    if (timeline_moved(facts))
        return all_before_fork(facts, &start->position) ? CDC_GAP_NONE : CDC_GAP_OTHER_TIMELINE;
    return start->position.end_lsn > facts->wal_lsn ? CDC_GAP_SERVER_BEHIND : CDC_GAP_NONE;
}

static cdc_gap_reason slot_reason(const cdc_start_facts *facts, const cdc_start *start) {
    if (lost_messages(facts) && !tail_tells(facts))
        return lost_reason(facts);
    if (publication_remade(facts))
        return CDC_GAP_PUBLICATION_REMADE;
    if (!facts->slot_state.exists)
        return CDC_GAP_SLOT_MISSING;
    if (facts->slot_state.lost)
        return CDC_GAP_SLOT_LOST;
    if (facts->slot_state.confirmed_lsn > start->position.end_lsn)
        return lost_messages(facts) ? lost_reason(facts) : CDC_GAP_SLOT_AHEAD;
    return lost_messages(facts) || aged_unrecorded(facts) ? CDC_GAP_REPLAYED : CDC_GAP_NONE;
}

static cdc_gap_reason reason_find(const cdc_start_facts *facts, const cdc_start *start) {
    if (!cdc_start_has_state(facts))
        return fresh_reason(facts);
    cdc_gap_reason reason = server_reason(facts, start);
    return reason != CDC_GAP_NONE ? reason : slot_reason(facts, start);
}

/* What another Walcast moved between two of our looks is no loss. */
static bool look_is_enough(const cdc_start_facts *facts, const cdc_start *start,
                           core_error *error) {
    bool slot_ahead = facts->slot_state.exists && cdc_start_has_state(facts) &&
                      facts->slot_state.confirmed_lsn > start->position.end_lsn;
    if (behind_record(facts) && !behind_acks(facts) && !facts->record_is_older)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "the position record is beyond what stream %s showed; looking again",
                              facts->stream);
    if (slot_ahead && facts->confirmed_before_lsn <= start->position.end_lsn)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "slot \"%s\" stands at " CORE_LSN_FORMAT ", beyond what the stream "
                              "showed; looking again",
                              facts->slot, CORE_LSN_ARGS(facts->slot_state.confirmed_lsn));
    return true;
}

static void gap_fill(const cdc_start_facts *facts, cdc_start *start) {
    const cdc_position *known = cdc_start_known(facts);
    const cdc_position *before = known != NULL ? known : facts->record;
    cdc_gap *gap = &start->gap;
    gap->from_lsn = start->position.end_lsn;
    gap->from_sequence = has_tail(facts) ? facts->tail_sequence
                         : known != NULL ? known->sequence
                                         : 0;
    if (before != NULL) {
        epoch_copy(gap->old_epoch, before->epoch);
        gap->old_system_id = before->system_id;
        gap->old_timeline = before->timeline;
    }
    if (gap->from_lsn == 0 && before != NULL)
        gap->from_lsn = before->end_lsn;
    if (facts->tail != NULL)
        epoch_copy(gap->old_epoch, facts->tail->epoch);
    cdc_gap_describe(facts, start);
}

/* ---- Going on ---- */

/* The confirmed position is before every PREPARE whose rows are not stored; the tail may be beyond.
 * What lies between comes again and is skipped. */
static void prepared_include(const cdc_start_facts *facts, cdc_start *start) {
    start->start_lsn = 0;
    start->shown_lsn = facts->slot_state.confirmed_lsn;
    start->position.end_lsn = facts->slot_state.confirmed_lsn;
}

static void position_finish(const cdc_start_facts *facts, cdc_start *start) {
    const cdc_position *known = cdc_start_known(facts);
    const cdc_position *before = known != NULL ? known : facts->record;
    cdc_position *position = &start->position;
    if (start->new_epoch)
        epoch_copy(position->epoch, facts->fresh_epoch);
    position->sequence = facts->last_sequence;
    position->stream_created_us = facts->stream_created_us;
    position->system_id = facts->system_id;
    position->timeline = facts->timeline;
    position->gaps = before != NULL ? before->gaps : 0;
    position->gap_sequence = known != NULL ? known->gap_sequence : 0;
    memcpy(position->publication_oids, facts->publication.oids, sizeof position->publication_oids);
    start->gap.to_lsn = position->end_lsn;
}

/* Below the slot's own position PostgreSQL starts at the latter by itself. */
static void go_on(const cdc_start_facts *facts, cdc_start *start) {
    start->start_lsn = cdc_start_has_state(facts) ? start->position.end_lsn : 0;
    if (start->position.end_lsn < facts->slot_state.confirmed_lsn)
        start->position.end_lsn = facts->slot_state.confirmed_lsn; /* fresh: history begins here */
    if (facts->slot_state.two_phase)
        prepared_include(facts, start);
    position_finish(facts, start);
}

bool cdc_start_decide(const cdc_start_facts *facts, cdc_start *start, core_error *error) {
    *start = (cdc_start){0};
    position_find(facts, start);
    fork_take(facts, start);
    cdc_gap_reason reason = reason_find(facts, start);
    if ((cdc_gap_asks(reason) || reason == CDC_GAP_REPLAYED) &&
        !look_is_enough(facts, start, error))
        return false;
    start->gap.reason = reason;
    start->new_epoch = cdc_gap_new_epoch(reason) || !cdc_start_has_state(facts);
    if (reason != CDC_GAP_NONE)
        gap_fill(facts, start);
    if (reason == CDC_GAP_NONE || reason == CDC_GAP_REPLAYED)
        go_on(facts, start);
    return true;
}

/* From where the slot sends what the stream cannot hold. The stream was beyond the fork, so it has
 * all of the history that both timelines share. */
static core_lsn resume_lsn(const cdc_start_facts *facts, const cdc_start *start) {
    core_lsn confirmed_lsn = facts->slot_state.confirmed_lsn;
    bool shares = start->gap.reason == CDC_GAP_OTHER_TIMELINE && !lost_messages(facts);
    return shares && facts->fork_lsn > confirmed_lsn ? facts->fork_lsn : confirmed_lsn;
}

void cdc_start_resume(const cdc_start_facts *facts, cdc_start *start) {
    cdc_position *position = &start->position;
    core_lsn lsn = resume_lsn(facts, start);
    assert(start->gap.reason != CDC_GAP_NONE && start->gap.reason != CDC_GAP_REPLAYED);
    position->commit_lsn = position->index = 0;
    position->complete = true;
    position->end_lsn = start->shown_lsn = start->start_lsn = lsn;
    position_finish(facts, start);
}

void cdc_start_gap_stored(cdc_start *start, uint64_t sequence) {
    start->position.sequence = sequence;
    start->position.gap_sequence = sequence;
    start->position.gaps++;
}
