/* Where a source goes on: the decision made from what the stream, the position record and the slot
 * say, before START_REPLICATION. Pure logic.
 *
 * PostgreSQL silently forwards a start below the slot's confirmed position, so whether history is
 * missing must be found out here. Everything stored is skipped by (commit LSN, index): the order of
 * the stream, equal on every re-send. */
#ifndef WALCAST_CDC_START_H
#define WALCAST_CDC_START_H

#include "cdc/position.h"

typedef struct {
    const char *slot;
    const char *stream;
    /* The stream. `tail` is its last message's run, NULL when it has none (empty, or aged). */
    const core_run *tail;
    uint64_t last_sequence;
    int64_t stream_created_us;
    /* The record; NULL when there is none. */
    const cdc_position *record;
    /* The server and the slot. */
    uint64_t system_id;
    uint32_t timeline;
    core_lsn confirmed_lsn; /* the slot's */
    /* The slot's confirmed position as it was read at an earlier attempt, so surely before this
     * tail; 0: none. Another Walcast may move slot and stream between our two looks. */
    core_lsn confirmed_before_lsn;
    const char *fresh_epoch; /* to use when a new one is due */
    /* Prepared transactions come at their PREPARE and are only sent again from before it. */
    bool two_phase;
} cdc_start_facts;

typedef struct {
    cdc_position position; /* what is stored; commit_lsn 0: nothing to skip */
    bool new_epoch;
    core_lsn shown_lsn; /* what the tail shows (the ledger's start) */
    core_lsn start_lsn; /* for START_REPLICATION */
} cdc_start;

/* Whether the stream has a past that the slot must join on to; if so, a missing slot is a gap. */
bool cdc_start_has_state(const cdc_start_facts *facts);

/* Errors: GAP when changes are missing between stream and slot, with what to do; TRANSIENT when a
 * second look is needed first. */
CORE_MUST_CHECK bool cdc_start_decide(const cdc_start_facts *facts, cdc_start *start,
                                      core_error *error);

/* What a tail shows to be stored: its last transaction's end when it is whole, else its commit
 * record's start (all earlier ones are whole). */
core_lsn cdc_run_shown_lsn(const core_transaction *last, bool complete);
/* The place right before a row, for messages that do not hold it yet (a part, a SCHEMA). */
void cdc_place_before(core_lsn *commit_lsn, uint64_t *index, bool *complete);

#endif
