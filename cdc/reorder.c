/* See reorder.h. The state says which messages may come; whatever else comes stops the source, and
 * PostgreSQL keeps the WAL. */
#include "cdc/reorder.h"

#include "cdc/pgoutput_parts.h"
#include "cdc/pgoutput_stream.h"

#include <stdlib.h>

typedef enum {
    REORDER_BETWEEN,    /* transactions, blocks and prepared transactions */
    REORDER_BLOCK,      /* within a block of `current` */
    REORDER_PREPARING,  /* between Begin Prepare and Prepare of `current` */
    REORDER_DESCRIBING, /* what `current`, just prepared, says of tables and types is given out */
    REORDER_REPLAYING,  /* `current` is given out */
    REORDER_STATES
} reorder_state;

static const core_state_row reorder_rows[REORDER_STATES] = {
    [REORDER_BETWEEN] = {"between transactions", CORE_STATE_BIT(REORDER_BLOCK) |
                                                     CORE_STATE_BIT(REORDER_PREPARING) |
                                                     CORE_STATE_BIT(REORDER_DESCRIBING) |
                                                     CORE_STATE_BIT(REORDER_REPLAYING)},
    [REORDER_BLOCK] = {"in a stream block", CORE_STATE_BIT(REORDER_BETWEEN)},
    [REORDER_PREPARING] = {"in a prepared transaction", CORE_STATE_BIT(REORDER_BETWEEN)},
    [REORDER_DESCRIBING] = {"describing a prepared transaction", CORE_STATE_BIT(REORDER_BETWEEN)},
    [REORDER_REPLAYING] = {"replaying a transaction", CORE_STATE_BIT(REORDER_BETWEEN)},
};

struct cdc_reorder {
    core_state state;
    cdc_transaction_store *store;
    cdc_held_transaction *current;
    uint32_t current_xid;
    core_lsn stored_lsn;
    core_lsn ended_lsn; /* the least hold of what was given out but is not sent; 0: none */
    bool wants_whole;
    /* Of the replay: */
    bool begun;
    cdc_begin begin;
    cdc_commit commit;
};

cdc_reorder *cdc_reorder_new(const cdc_store_limits *limits, core_error *error) {
    cdc_reorder *reorder = calloc(1, sizeof *reorder);
    cdc_transaction_store *store = cdc_transaction_store_new(limits, error);
    if (reorder == NULL || store == NULL) {
        cdc_transaction_store_free(store);
        free(reorder);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the reorder buffer");
        return NULL;
    }
    reorder->store = store;
    cdc_reorder_start(reorder, 0);
    return reorder;
}

void cdc_reorder_free(cdc_reorder *reorder) {
    if (reorder == NULL)
        return;
    cdc_transaction_store_free(reorder->store);
    free(reorder);
}

void cdc_reorder_start(cdc_reorder *reorder, core_lsn stored_lsn) {
    cdc_transaction_store_clear(reorder->store);
    core_state_init(&reorder->state, "cdc reorder", reorder_rows, REORDER_STATES, REORDER_BETWEEN);
    reorder->current = NULL;
    reorder->stored_lsn = stored_lsn;
    reorder->ended_lsn = 0;
    reorder->wants_whole = false;
}

/* ---- Control messages ---- */

static bool unexpected(const cdc_reorder *reorder, uint8_t letter, uint32_t xid,
                       core_error *error) {
    return core_error_set(error, CORE_ERROR_INPUT,
                          "pgoutput message '%c' of transaction %u does not fit what came before "
                          "it (%s)",
                          cdc_letter_shown(letter), xid, core_state_name(&reorder->state));
}

static bool held_open(cdc_reorder *reorder, uint32_t xid, bool fresh, reorder_state next,
                      core_error *error) {
    reorder->current = fresh ? cdc_transaction_store_begin(reorder->store, xid, error)
                             : cdc_transaction_store_find(reorder->store, xid);
    if (reorder->current == NULL) {
        reorder->wants_whole = fresh;
        return fresh ? false : unexpected(reorder, CDC_STREAM_START, xid, error);
    }
    reorder->current_xid = xid;
    core_state_move(&reorder->state, next);
    return true;
}

static void held_close(cdc_reorder *reorder) {
    reorder->current = NULL;
    core_state_move(&reorder->state, REORDER_BETWEEN);
}

static bool replay_start(cdc_reorder *reorder, const cdc_control *control,
                         cdc_held_transaction *transaction) {
    reorder->current = transaction;
    reorder->begun = false;
    reorder->begin = (cdc_begin){
        .commit_lsn = control->lsn, .commit_time_us = control->time_us, .xid = control->xid};
    reorder->commit = (cdc_commit){.commit_lsn = control->lsn,
                                   .end_lsn = control->end_lsn,
                                   .commit_time_us = control->time_us};
    core_state_move(&reorder->state, REORDER_REPLAYING);
    return true;
}

static bool abort_take(cdc_reorder *reorder, const cdc_control *control,
                       cdc_held_transaction *transaction, core_error *error) {
    if (control->subxid == control->xid) {
        cdc_transaction_store_drop(reorder->store, transaction);
        return true;
    }
    if (cdc_transaction_store_abort(reorder->store, transaction, control->subxid, error))
        return true;
    reorder->wants_whole = true;
    return false;
}

static bool commit_unknown(const cdc_reorder *reorder, const cdc_control *control,
                           core_error *error) {
    return control->lsn <= reorder->stored_lsn ||
           core_error_set(
               error, CORE_ERROR_GAP,
               "transaction %u, prepared as '%.*s', was committed, but what it wrote was "
               "given at its PREPARE to another reader of this slot; drop the slot and "
               "name a new nats.stream to start from what is there now",
               control->xid, (int)control->gid.length, (const char *)control->gid.data);
}

/* What ends or goes on with a transaction that is held. */
static bool held_take(cdc_reorder *reorder, const cdc_control *control, core_error *error) {
    cdc_held_transaction *transaction = cdc_transaction_store_find(reorder->store, control->xid);
    bool rolls_back = control->kind == CDC_ROLLBACK_PREPARED || control->kind == CDC_STREAM_ABORT;
    if (rolls_back && transaction == NULL)
        return true; /* told even where nothing was sent: 18 after finding it aborted by itself */
    if (control->kind == CDC_COMMIT_PREPARED && transaction == NULL)
        return commit_unknown(reorder, control, error);
    if (transaction == NULL)
        return unexpected(reorder, (uint8_t)control->kind, control->xid, error);
    switch (control->kind) {
    case CDC_STREAM_ABORT:
        return abort_take(reorder, control, transaction, error);
    case CDC_STREAM_COMMIT:
    case CDC_COMMIT_PREPARED:
        return replay_start(reorder, control, transaction);
    case CDC_STREAM_PREPARE:
        cdc_transaction_store_prepare(reorder->store, transaction, control->lsn);
        reorder->current = transaction;
        core_state_move(&reorder->state, REORDER_DESCRIBING);
        return true;
    default:
        assert(control->kind == CDC_ROLLBACK_PREPARED);
        cdc_transaction_store_drop(reorder->store, transaction);
        return true;
    }
}

static bool between_take(cdc_reorder *reorder, const cdc_control *control, core_error *error) {
    switch (control->kind) {
    case CDC_STREAM_START:
        return held_open(reorder, control->xid, control->first, REORDER_BLOCK, error);
    case CDC_BEGIN_PREPARE:
        return held_open(reorder, control->xid, true, REORDER_PREPARING, error);
    case CDC_STREAM_STOP:
    case CDC_PREPARE:
        return unexpected(reorder, (uint8_t)control->kind, control->xid, error);
    default:
        return held_take(reorder, control, error);
    }
}

static bool control_take(cdc_reorder *reorder, core_slice bytes, core_error *error) {
    cdc_control control;
    if (!cdc_control_read(bytes, &control, error))
        return false;
    unsigned state = reorder->state.current;
    if (state == REORDER_BETWEEN)
        return between_take(reorder, &control, error);
    if (state == REORDER_BLOCK && control.kind == CDC_STREAM_STOP) {
        held_close(reorder);
        return true;
    }
    if (state == REORDER_PREPARING && control.kind == CDC_PREPARE &&
        control.xid == reorder->current_xid) {
        cdc_transaction_store_prepare(reorder->store, reorder->current, control.lsn);
        held_close(reorder);
        return true;
    }
    return unexpected(reorder, (uint8_t)control.kind, control.xid, error);
}

/* ---- Changes ---- */

static bool held_append(cdc_reorder *reorder, uint32_t subxid, uint8_t letter, core_slice rest,
                        core_error *error) {
    if (cdc_transaction_store_append(reorder->store, reorder->current, subxid, letter, rest, error))
        return true;
    reorder->wants_whole = true;
    return false;
}

static bool block_take(cdc_reorder *reorder, core_slice bytes, core_error *error) {
    cdc_block_message message;
    if (!cdc_block_message_read(bytes, &message, error))
        return false;
    uint32_t subxid = message.subxid != 0 ? message.subxid : reorder->current_xid;
    /* PostgreSQL gives logical messages the top-level xid, whichever sub-transaction they are of.
     */
    if (message.letter == CDC_MESSAGE && subxid == reorder->current_xid)
        subxid = 0;
    return held_append(reorder, subxid, message.letter, message.rest, error);
}

/* What a prepared transaction describes is described for all that come after, even before its
 * commit (blocks describe for themselves): so it is both stored and plain. */
static bool prepared_take(cdc_reorder *reorder, core_slice bytes, bool *plain, core_error *error) {
    uint8_t letter = bytes.data[0];
    *plain = letter == CDC_RELATION || letter == CDC_TYPE;
    if (letter == CDC_BEGIN || letter == CDC_COMMIT)
        return unexpected(reorder, letter, reorder->current_xid, error);
    core_slice rest = core_slice_make(bytes.data + 1, bytes.length - 1);
    return held_append(reorder, reorder->current_xid, letter, rest, error);
}

bool cdc_reorder_take(cdc_reorder *reorder, core_slice bytes, bool *plain, core_error *error) {
    assert(!cdc_reorder_replaying(reorder));
    *plain = false;
    if (bytes.length > 0 && cdc_control_is(bytes.data[0]))
        return control_take(reorder, bytes, error);
    if (bytes.length > 0 && reorder->state.current == REORDER_BLOCK)
        return block_take(reorder, bytes, error);
    if (bytes.length > 0 && reorder->state.current == REORDER_PREPARING)
        return prepared_take(reorder, bytes, plain, error);
    *plain = true;
    return true;
}

/* ---- Replay ---- */

bool cdc_reorder_replaying(const cdc_reorder *reorder) {
    unsigned state = reorder->state.current;
    return state == REORDER_REPLAYING || state == REORDER_DESCRIBING;
}

static void replay_end(cdc_reorder *reorder, cdc_message *message) {
    *message = (cdc_message){.kind = CDC_COMMIT, .commit = reorder->commit};
    reorder->ended_lsn = cdc_reorder_hold_lsn(reorder);
    cdc_transaction_store_drop(reorder->store, reorder->current);
    held_close(reorder);
}

static bool stored_give(cdc_reorder *reorder, core_arena *arena, cdc_message *message, bool *given,
                        core_error *error) {
    bool describing = reorder->state.current == REORDER_DESCRIBING;
    core_slice bytes = {0};
    cdc_store_result result =
        cdc_transaction_store_next(reorder->store, reorder->current, describing, &bytes, error);
    *given = result == CDC_STORE_MESSAGE &&
             (!describing || bytes.data[0] == CDC_RELATION || bytes.data[0] == CDC_TYPE);
    if (*given)
        return cdc_message_read(bytes, arena, message, error);
    if (result == CDC_STORE_BROKEN) {
        reorder->wants_whole = true;
        return false;
    }
    if (result == CDC_STORE_END && describing) {
        held_close(reorder);
    } else if (result == CDC_STORE_END) {
        replay_end(reorder, message);
        *given = true;
    }
    return true;
}

bool cdc_reorder_next(cdc_reorder *reorder, core_arena *arena, cdc_message *message, bool *given,
                      core_error *error) {
    assert(cdc_reorder_replaying(reorder));
    if (reorder->begun || reorder->state.current == REORDER_DESCRIBING)
        return stored_give(reorder, arena, message, given, error);
    reorder->begun = true;
    *given = true;
    *message = (cdc_message){.kind = CDC_BEGIN, .begin = reorder->begin};
    return true;
}

core_lsn cdc_reorder_hold_lsn(const cdc_reorder *reorder) {
    core_lsn held_lsn = cdc_transaction_store_prepared_lsn(reorder->store);
    bool ended_first = held_lsn == 0 || (reorder->ended_lsn != 0 && reorder->ended_lsn < held_lsn);
    return ended_first ? reorder->ended_lsn : held_lsn;
}

void cdc_reorder_sent(cdc_reorder *reorder) {
    reorder->ended_lsn = 0;
}

bool cdc_reorder_wants_whole(const cdc_reorder *reorder) {
    return reorder->wants_whole;
}

cdc_store_figures cdc_reorder_figures(const cdc_reorder *reorder) {
    return cdc_transaction_store_figures(reorder->store);
}
