/* The source's side of snapshots: opens windows, notes what the live stream changes in them, and
 * sends rows that were read, between two transactions, once the stream has passed the moment at
 * which they were read; see snapshot_gate.h and source_private.h.
 *
 * Why this is right. Rows were read under a database snapshot S. A transaction that S sees wrote
 * its commit record before S was taken, so before `high_lsn`: once the stream has passed that, each
 * is in it. One that S does not see and that is in the stream already either was published after
 * the window was opened, then its keys were noted and their rows are dropped, or before (its commit
 * waits for a synchronous standby): then the rows are read again. So no row goes out behind a newer
 * change of its key, and what follows it in the stream is newer. */
#include "cdc/source_private.h"

#include <stdio.h>

enum {
    RUN_ROWS = 4096, /* nobody waits for a single row here, so messages are large */
    RUN_BYTES = 64 << 10,
    POKE_EVERY_MS = 5, /* asking an idle server how far it is */
};

/* ---- Tickets ---- */

/* The tickets to look at, so that a change costs no lock. */
static void tickets_list(cdc_source *source) {
    cdc_snapshot_ticket *ticket = NULL;
    source->snapshot.count = 0;
    source->snapshot.waits = false;
    while ((ticket = cdc_snapshot_gate_next(source->gate, ticket)) != NULL)
        source->snapshot.tickets[source->snapshot.count++] = ticket;
}

static void ticket_move(cdc_source *source, cdc_snapshot_ticket *ticket, cdc_ticket_state state) {
    cdc_snapshot_gate_move(source->gate, ticket, state);
}

static void ticket_again(cdc_source *source, cdc_snapshot_ticket *ticket, const char *reason) {
    (void)snprintf(ticket->reason, sizeof ticket->reason, "%s", reason);
    ticket_move(source, ticket, CDC_TICKET_AGAIN);
}

static bool is_initial(const cdc_source *source) {
    return source->state.current == SOURCE_SNAPSHOTTING;
}

static void window_open(cdc_source *source, cdc_snapshot_ticket *ticket) {
    const cdc_snapshot_table *table = ticket->table;
    cdc_snapshot_window *window = &ticket->window;
    ticket->published = source->recent->count;
    ticket->last_sequence = 0;
    cdc_snapshot_window_fini(window);
    if (ticket->cut)
        cdc_snapshot_window_init(window, 0, false, NULL, 0);
    else {
        core_slice key[CDC_SNAPSHOT_KEY_MAX];
        bool keyed = table->rows == CDC_ROWS_KEYED;
        for (size_t i = 0; keyed && i < table->key_count; i++)
            key[i] = table->relation.columns[table->key[i]].name;
        cdc_snapshot_window_init(window, table->relation.oid, table->rows == CDC_ROWS_WHOLE, key,
                                 keyed ? table->key_count : 0);
    }
    ticket_move(source, ticket, CDC_TICKET_OPEN);
}

void cdc_source_snapshot_note(cdc_source *source, const core_change *change) {
    for (size_t i = 0; i < source->snapshot.count; i++)
        cdc_snapshot_window_note(&source->snapshot.tickets[i]->window, change);
}

/* ---- Placing ---- */

/* The table as the stream describes it from here on; false when that cannot be (then the source
 * stops, as it would at the table's next change). */
static bool relation_settle(cdc_source *source, cdc_snapshot_ticket *ticket, bool *same,
                            core_error *error) {
    const cdc_snapshot_table *table = ticket->table;
    const core_relation *held = NULL;
    core_slice names[CORE_COLUMNS_MAX];
    for (size_t i = 0; i < table->relation.column_count; i++)
        names[i] = table->columns[i].type_name;
    if (!cdc_run_builder_describe(source->builder, &table->relation, names, &held, error))
        return false;
    core_buffer_reset(&ticket->relation);
    core_buffer_slice_append(&ticket->relation, held->encoded);
    *same = core_slice_equal(ticket->encoded, held->encoded);
    return true;
}

/* Rows that were read before changes began to flow are many. Those that are not sent are read
 * again, fewer at a time; alike ones of which a part was sent would count twice. */
static bool is_too_much(const cdc_source *source, const cdc_snapshot_ticket *ticket) {
    return cdc_snapshot_gate_yields(source->gate) && !ticket->yields && !ticket->addressed &&
           ticket->table->rows == CDC_ROWS_KEYED &&
           cdc_snapshot_chunk_bytes(ticket->chunk) > 2 * CDC_FLOW_PIECE_BYTES;
}

/* Everything that may keep the rows out of the stream; else they are SENDING, or PLACED. */
static bool ticket_place(cdc_source *source, cdc_snapshot_ticket *ticket, core_error *error) {
    bool same = false;
    /* A cut asks of all that was published, rows only of what their window has not noted. */
    uint64_t until = ticket->cut ? source->recent->count : ticket->published;
    uint32_t unseen =
        is_initial(source) ? 0 : cdc_recent_xids_unseen(source->recent, until, &ticket->visibility);
    if (unseen != 0) {
        char reason[128];
        (void)snprintf(reason, sizeof reason,
                       "transaction %u is in the stream but not seen yet: its commit waits for a "
                       "synchronous standby",
                       unseen);
        ticket_again(source, ticket, reason);
        return true;
    }
    ticket->after_sequence = source->snapshot.last_sequence;
    if (ticket->cut) {
        ticket_move(source, ticket, CDC_TICKET_PLACED);
        return true;
    }
    if (ticket->window.spoilt) {
        ticket_again(source, ticket, "too much of the table changed while its rows were read");
        return true;
    }
    if (!relation_settle(source, ticket, &same, error))
        return false;
    if (!same) {
        ticket_again(source, ticket, "the table's shape changed");
        return true;
    }
    cdc_snapshot_chunk_overtake(ticket->chunk, &ticket->window, &ticket->visibility);
    ticket_move(source, ticket, ticket->addressed ? CDC_TICKET_PLACED : CDC_TICKET_SENDING);
    return true;
}

/* ---- Sending ---- */

/* Behind whole transactions, with nothing of them at hand: the place that rows of READ have. A run
 * that this closes goes first: `*acted`, come again. */
static bool place_get(cdc_source *source, core_transaction *place, bool *acted) {
    cdc_run_builder_flush(source->builder);
    *acted = *acted || cdc_run_builder_run(source->builder) != NULL;
    return cdc_run_builder_place(source->builder, place);
}

/* While changes flow rows go out evenly: what is between two messages is the changes'. */
static bool send_rests(const cdc_source *source) {
    return cdc_snapshot_gate_yields(source->gate) &&
           core_clock_ms(source->clock) < source->snapshot.send_at_ms;
}

static bool inflight_full(const cdc_source *source) {
    const cdc_source_snapshot *snapshot = &source->snapshot;
    uint64_t most = cdc_snapshot_gate_yields(source->gate) ? 1 : CDC_SNAPSHOT_INFLIGHT;
    return !is_initial(source) && snapshot->sent >= most &&
           snapshot->inflight[(snapshot->sent - most) % CDC_SNAPSHOT_INFLIGHT] >
               source->ledger->acked.sequence;
}

/* The run that is to be sent next. */
static bool run_load(cdc_source *source, cdc_snapshot_ticket *ticket, const core_transaction *place,
                     bool *more, core_error *error) {
    cdc_source_snapshot *snapshot = &source->snapshot;
    core_transaction transaction = *place;
    transaction.commit_time_us = ticket->read_us;
    core_slice payload;
    uint32_t rows;
    if (!cdc_snapshot_chunk_take(ticket->chunk, &transaction, ticket->mark_sequence, &payload,
                                 &rows, error))
        return false;
    *more = rows > 0;
    if (!*more)
        return true;
    snapshot->run = (cdc_run){.subject = snapshot->subject,
                              .payload = payload,
                              .rows = rows,
                              .last = transaction,
                              .last_complete = true,
                              .holds_last = true,
                              .before_lsn = transaction.end_lsn,
                              .shown_lsn = transaction.end_lsn,
                              .safe_lsn = transaction.end_lsn};
    snapshot->has_run = true;
    snapshot->owner = ticket;
    return cdc_run_builder_subject(source->builder, &ticket->table->relation, CORE_OP_READ,
                                   snapshot->subject, error);
}

/* A run of rows that waits for room goes before any live change: one could overtake it. */
bool cdc_source_snapshot_flush(cdc_source *source, bool *full, core_error *error) {
    cdc_source_snapshot *snapshot = &source->snapshot;
    *full = false;
    if (!snapshot->has_run)
        return true;
    while (snapshot->has_run) {
        if (!cdc_source_message_send(source, &snapshot->run, full, error) || *full)
            return *full;
        snapshot->owner->last_sequence = snapshot->last_sequence;
        snapshot->has_run = !cdc_message_stage_taken(source->stage);
    }
    snapshot->inflight[snapshot->sent++ % CDC_SNAPSHOT_INFLIGHT] = snapshot->last_sequence;
    snapshot->send_at_ms =
        core_clock_ms(source->clock) + cdc_snapshot_flow_send_ms(snapshot->run.payload.length);
    return true;
}

static bool ticket_send(cdc_source *source, cdc_snapshot_ticket *ticket,
                        const core_transaction *place, core_error *error) {
    bool more = false;
    bool full = false;
    cdc_snapshot_chunk_overtake(ticket->chunk, &ticket->window, &ticket->visibility);
    if (ticket->window.spoilt) {
        ticket_again(source, ticket, "too much of the table changed while its rows were sent");
        return true;
    }
    if (is_too_much(source, ticket)) {
        ticket_again(source, ticket, "changes began to flow: fewer rows are read at a time");
        return true;
    }
    switch (cdc_run_builder_shape(source->builder, ticket->table->relation.oid, place, error)) {
    case CDC_REFUSED:
        return false;
    case CDC_RUN_READY:
        return true; /* the shape goes first */
    case CDC_FED:
        break;
    }
    if (!run_load(source, ticket, place, &more, error))
        return false;
    if (!more) {
        ticket_move(source, ticket, CDC_TICKET_SENT);
        return true;
    }
    return cdc_source_snapshot_flush(source, &full, error);
}

/* ---- A round ---- */

static bool is_passed(const cdc_source *source, const cdc_snapshot_ticket *ticket) {
    return is_initial(source) || source->snapshot.passed_lsn >= ticket->high_lsn;
}

/* One step of one ticket. `*acted`: something was done, come again. */
static bool ticket_step(cdc_source *source, cdc_snapshot_ticket *ticket, bool *acted,
                        core_error *error) {
    core_transaction place;
    const cdc_ticket_state state = ticket->state;
    switch (state) {
    case CDC_TICKET_ASKED:
        window_open(source, ticket);
        return true;
    case CDC_TICKET_READ:
        if (!is_passed(source, ticket)) {
            source->snapshot.waits = true;
            return true;
        }
        if (!place_get(source, &place, acted))
            return true;
        *acted = true;
        return ticket_place(source, ticket, error);
    case CDC_TICKET_SENDING:
        source->snapshot.rests = source->snapshot.rests || send_rests(source);
        if (send_rests(source) || inflight_full(source) || !place_get(source, &place, acted))
            return true;
        *acted = true;
        return ticket_send(source, ticket, &place, error);
    case CDC_TICKET_SENT:
        if (ticket->last_sequence <= source->ledger->acked.sequence)
            ticket_move(source, ticket, CDC_TICKET_DONE);
        return true;
    default:
        return true;
    }
}

bool cdc_source_snapshot_step(cdc_source *source, bool *acted, core_error *error) {
    *acted = false;
    if (!cdc_snapshot_gate_busy(source->gate)) {
        source->snapshot.count = 0;
        source->snapshot.waits = false;
        return true;
    }
    if (source->snapshot.has_run)
        return true; /* it waits for room; nothing may pass it */
    tickets_list(source);
    for (size_t i = 0; i < source->snapshot.count && !source->snapshot.has_run; i++)
        if (!ticket_step(source, source->snapshot.tickets[i], acted, error))
            return false;
    return true;
}

void cdc_source_snapshot_flow(cdc_source *source, uint64_t transactions, int64_t now_us) {
    bool flows = cdc_snapshot_flow_count(&source->snapshot.flow, transactions, now_us);
    cdc_snapshot_gate_yield_set(source->gate, flows && source->snapshot.yields);
}

void cdc_source_snapshot_passed(cdc_source *source, core_lsn lsn) {
    if (lsn > source->snapshot.passed_lsn)
        source->snapshot.passed_lsn = lsn;
}

int64_t cdc_source_snapshot_send_ms(const cdc_source *source) {
    return source->snapshot.rests ? source->snapshot.send_at_ms : INT64_MAX;
}

int64_t cdc_source_snapshot_poke_ms(const cdc_source *source) {
    return source->snapshot.waits ? source->snapshot.poked_ms + POKE_EVERY_MS : INT64_MAX;
}

void cdc_source_snapshot_begin(cdc_source *source, const char *exported) {
    cdc_snapshot_session session = {.start_sequence = source->record.sequence};
    (void)snprintf(session.exported, sizeof session.exported, "%s", exported);
    (void)snprintf(session.database, sizeof session.database, "%s", source->server.database);
    cdc_run_limits limits = cdc_run_builder_limits(source->builder);
    session.limits = (cdc_snapshot_run_limits){
        .run_rows = RUN_ROWS,
        .run_bytes = limits.run_bytes < RUN_BYTES ? limits.run_bytes : RUN_BYTES,
        .row_max = limits.row_max,
        .message_max = limits.message_max,
    };
    memcpy(session.epoch, source->record.epoch, sizeof session.epoch);
    source->snapshot.last_sequence = source->record.sequence;
    source->snapshot.passed_lsn = 0;
    source->snapshot.sent = 0; /* what was on its way is of another connection */
    source->snapshot.send_at_ms = 0;
    source->snapshot.yields = core_config_integer(source->config, "snapshot.live_share") < 100;
    cdc_snapshot_gate_begin(source->gate, &session);
}

void cdc_source_snapshot_end(cdc_source *source, const char *reason) {
    cdc_snapshot_gate_end(source->gate, reason);
    source->snapshot.count = 0;
    source->snapshot.has_run = source->snapshot.waits = false;
}
