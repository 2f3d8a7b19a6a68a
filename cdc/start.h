/* Where a source goes on: the decision made from what the stream, the position record, the server
 * and the slot say, before START_REPLICATION. Pure logic.
 *
 * PostgreSQL silently forwards a start below the slot's confirmed position, and the broker may lose
 * what it acknowledged, so whether history is missing must be found out here. Everything stored is
 * skipped by (commit LSN, index): the order of the stream, equal on every re-send.
 *
 * A gap that `cdc.on_gap` accepts is gone on behind by `cdc_start_resume`: from the slot's
 * position, with nothing skipped, since positions of the history before may not mean anything any
 * more. What the slot sends of a history that is still in the stream may then come a second time;
 * the new epoch says so. */
#ifndef WALCAST_CDC_START_H
#define WALCAST_CDC_START_H

#include "cdc/gap.h"
#include "cdc/wal_stream.h"

typedef struct {
    const char *slot;
    const char *stream;
    /* The last message of what the stream holds without a hole, NULL when it has none (empty, or
     * aged): either a run of changes, or a GAP, of which the position behind it counts. */
    const core_run *tail;
    const cdc_position *tail_gap;
    uint64_t tail_sequence;
    uint64_t first_missing; /* the hole behind it; 0: none since the last GAP */
    uint64_t last_sequence;
    int64_t stream_created_us;
    /* The record; NULL when there is none. It is read after the tail and may be newer, unless it
     * was read at an earlier attempt already. */
    const cdc_position *record;
    bool record_is_older;
    uint64_t acked_sequence; /* that this process saw acked in this stream */
    /* The server. */
    uint64_t system_id;
    uint32_t timeline;
    core_lsn wal_lsn;
    core_lsn fork_lsn; /* where its timeline left that of the known position; 0: not its child */
    /* The slot and the publication, read after all of the stream. */
    cdc_slot_state slot_state;
    cdc_publication_state publication;
    /* The slot's confirmed position as it was read at an earlier attempt, so surely before this
     * tail; 0: none. Another Walcast may move slot and stream between our two looks. */
    core_lsn confirmed_before_lsn;
    const char *fresh_epoch; /* to use when a new one is due */
} cdc_start_facts;

typedef struct {
    cdc_position position; /* what is stored; commit_lsn 0: nothing to skip */
    bool new_epoch;
    core_lsn shown_lsn; /* what the tail shows (the ledger's start) */
    core_lsn start_lsn; /* for START_REPLICATION */
    cdc_gap gap;        /* to be told, and when it asks to be decided on, before going on */
} cdc_start;

/* What the stream's last GAP or the record says, whichever is newer; NULL when neither is of this
 * stream. */
const cdc_position *cdc_start_known(const cdc_start_facts *facts);
/* Whether the stream has a past that the slot must join on to; if so, a missing slot is a gap. */
bool cdc_start_has_state(const cdc_start_facts *facts);

/* TRANSIENT error when a second look is needed first. With a gap that needs `cdc_start_resume`
 * (every one but REPLAYED) only `gap` and `new_epoch` are of use until that is called. */
CORE_MUST_CHECK bool cdc_start_decide(const cdc_start_facts *facts, cdc_start *start,
                                      core_error *error);
/* Behind a gap: from the slot's position as the facts have it now. */
void cdc_start_resume(const cdc_start_facts *facts, cdc_start *start);
/* The GAP event is stored there. */
void cdc_start_gap_stored(cdc_start *start, uint64_t sequence);

/* What a tail shows to be stored: its last transaction's end when it is whole, else its commit
 * record's start (all earlier ones are whole). */
core_lsn cdc_run_shown_lsn(const core_transaction *last, bool complete);
/* The place right before a row, for messages that do not hold it yet (a part, a SCHEMA). */
void cdc_place_before(core_lsn *commit_lsn, uint64_t *index, bool *complete);

#endif
