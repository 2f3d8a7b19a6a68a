/* Streaming: frames in, runs out, acks in; see source_private.h.
 *
 * A round is bounded, so that acks, timers and the stop request get their turn whatever waits in
 * the socket. When the publisher's window is full the socket is not read (PostgreSQL holds the
 * WAL) but feedback goes on, which keeps the walsender content. */
#include "cdc/source_private.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum {
    ROUND_MESSAGES = 512,
    DRAIN_LOOK_MS = 1000,
    MAINTAIN_EVERY_MS = 250, /* looking takes 0.3 ms with 10 tables, 3 ms with 1,000 */
    MAINTAIN_EVERY_MAX_MS = 60000,
    MAINTAIN_SHARE = 50, /* looking for new tables takes at most 1/50 of the time */
    FINISH_MS = 2000,
    INITIAL_LOOK_MS = 500,
};

static core_lsn later(core_lsn a, core_lsn b) {
    return a > b ? a : b;
}

static int64_t sooner(int64_t a_ms, int64_t b_ms) {
    return a_ms < b_ms ? a_ms : b_ms;
}

static int64_t now_us(const cdc_source *source) {
    return source->clock->monotonic_ns(source->clock) / (CORE_NS_PER_MS / CORE_US_PER_MS);
}

/* ---- Acks ---- */

static bool acks_take(cdc_source *source, core_error *error) {
    uint64_t acked_sequence = 0;
    /* What was acked before a refusal counts: the tail that would show it may age away. */
    bool ok = fanout_publisher_poll(source->publisher, &acked_sequence, error);
    source->acked_any = source->acked_any || acked_sequence > source->ledger->acked.sequence;
    cdc_ledger_ack(source->ledger, acked_sequence);
    return ok;
}

/* ---- Holds ---- */

/* A position that a prepared transaction allows to be confirmed: it is never sent again after its
 * PREPARE, and its rows are not stored before its COMMIT PREPARED. */
static core_lsn held_back(const cdc_source *source, core_lsn lsn) {
    core_lsn hold_lsn = cdc_reorder_hold_lsn(source->reorder);
    return hold_lsn != 0 && hold_lsn < lsn ? hold_lsn : lsn;
}

/* All before `lsn` has come. What is at hand of it counts once it is sent; then this must not be
 * forgotten, since the server does not say again what it knows to be received. */
static void progress_take(cdc_source *source, core_lsn lsn) {
    if (cdc_run_builder_in_transaction(source->builder))
        return;
    cdc_source_snapshot_passed(source, lsn);
    if (cdc_run_builder_pending(source->builder)) {
        source->progress_lsn = later(source->progress_lsn, lsn);
        return;
    }
    cdc_reorder_sent(source->reorder);
    cdc_ledger_progress(source->ledger, held_back(source, lsn));
}

/* ---- Runs out ---- */

static void run_note(cdc_source *source, const cdc_run *run, uint64_t sequence) {
    cdc_ledger_entry entry = {
        .sequence = sequence,
        .shown_lsn = held_back(source, run->shown_lsn),
        .safe_lsn = held_back(source, run->safe_lsn),
        .commit_lsn = run->last.commit_lsn,
        .index = run->last_index,
        .complete = run->last_complete,
        .commit_time_us = run->last.commit_time_us,
    };
    if (!run->holds_last)
        cdc_place_before(&entry.commit_lsn, &entry.index, &entry.complete);
    cdc_ledger_publish(source->ledger, &entry);
    source->snapshot.last_sequence = sequence;
}

bool cdc_source_message_send(cdc_source *source, const cdc_run *run, bool *full,
                             core_error *error) {
    uint64_t sequence = 0;
    const cdc_run *message = cdc_message_stage_next(source->stage, run, error);
    *full = false;
    if (message == NULL)
        return false;
    switch (fanout_publisher_send(source->publisher, message->subject, message->payload, &sequence,
                                  error)) {
    case FANOUT_FULL:
        *full = true;
        return true;
    case FANOUT_BROKEN:
        return false;
    case FANOUT_SENT:
        break;
    }
    run_note(source, message, sequence);
    return true;
}

/* Sends the closed run if there is one, all messages of it; `*full` when the rest must wait. */
static bool run_send(cdc_source *source, bool *full, core_error *error) {
    const cdc_run *run;
    if (!cdc_source_snapshot_flush(source, full, error) || *full)
        return *full;
    while ((run = cdc_run_builder_run(source->builder)) != NULL) {
        if (!cdc_source_message_send(source, run, full, error) || *full)
            return *full;
        if (cdc_message_stage_taken(source->stage))
            cdc_run_builder_taken(source->builder);
        cdc_pacing_rest(&source->pacing);
        if (cdc_run_builder_run(source->builder) == NULL) {
            cdc_reorder_sent(source->reorder);
            cdc_ledger_progress(source->ledger, held_back(source, source->progress_lsn));
            source->progress_lsn = 0;
        }
    }
    return true;
}

/* ---- Frames in ---- */

static void keepalive_take(cdc_source *source) {
    const cdc_frame *frame = &source->frame;
    source->reply_due = source->reply_due || frame->reply;
    source->received_lsn = later(source->received_lsn, frame->end_lsn);
    /* All the server had to send before it has come; a transaction under way has not. One that is
     * streamed and not committed may be confirmed past: all of it comes again. */
    progress_take(source, frame->end_lsn);
}

/* The message just decoded, if one was, is to be fed; its text becomes UTF-8. */
static bool message_hold(cdc_source *source, core_error *error) {
    return !source->message_held || source->transcoder == NULL ||
           cdc_transcoder_message(source->transcoder, &source->message, error);
}

static bool frame_take(cdc_source *source, core_slice bytes, core_error *error) {
    cdc_frame *frame = &source->frame;
    if (!cdc_frame_read(bytes, frame, error))
        return false;
    source->received_bytes += bytes.length;
    source->server_lsn = later(source->server_lsn, frame->end_lsn);
    if (frame->kind == CDC_FRAME_KEEPALIVE) {
        keepalive_take(source);
        return true;
    }
    source->received_lsn = later(source->received_lsn, frame->start_lsn);
    bool plain = false;
    if (!cdc_reorder_take(source->reorder, frame->payload, &plain, error))
        return false;
    if (!plain) {
        /* What committed before this message has come before it. The server counts it as received
         * and may send no keepalive behind it that would say so. */
        if (!cdc_reorder_replaying(source->reorder))
            progress_take(source, frame->start_lsn);
        return true;
    }
    core_arena_reset(&source->message_arena);
    source->message_held =
        cdc_message_read(frame->payload, &source->message_arena, &source->message, error);
    return source->message_held && message_hold(source, error);
}

/* The next message of the held transaction whose commit was read last. */
static bool replay_next(cdc_source *source, core_error *error) {
    core_arena_reset(&source->message_arena);
    return cdc_reorder_next(source->reorder, &source->message_arena, &source->message,
                            &source->message_held, error) &&
           message_hold(source, error);
}

/* Rows of a snapshot that is being read may be older than this. */
static void change_note(cdc_source *source) {
    const cdc_message *message = &source->message;
    const cdc_row *row = &message->row;
    if (message->kind == CDC_TRUNCATE) {
        for (uint32_t i = 0; i < message->truncate.count; i++) {
            uint32_t oid = message->truncate.relation_oids[i];
            const core_change change = {.op = CORE_OP_TRUNCATE,
                                        .relation = cdc_run_builder_relation(source->builder, oid)};
            cdc_source_snapshot_note(source, &change);
        }
        return;
    }
    const core_change change = {
        .op = message->kind == CDC_INSERT   ? CORE_OP_INSERT
              : message->kind == CDC_UPDATE ? CORE_OP_UPDATE
                                            : CORE_OP_DELETE,
        .relation = cdc_run_builder_relation(source->builder, row->relation_oid),
        .transaction = {.xid = source->recent->xids[(source->recent->count - 1) % CDC_RECENT_XIDS]},
        .old_kind = row->old_kind,
        .old_tuple = row->old_tuple,
        .new_tuple = row->new_tuple,
    };
    cdc_source_snapshot_note(source, &change);
}

static void message_note(cdc_source *source) {
    switch (source->message.kind) {
    case CDC_BEGIN:
        cdc_recent_xids_add(source->recent, source->message.begin.xid);
        break;
    case CDC_INSERT:
    case CDC_UPDATE:
    case CDC_DELETE:
    case CDC_TRUNCATE:
        if (source->snapshot.count > 0)
            change_note(source);
        break;
    default:
        break;
    }
}

static bool message_feed(cdc_source *source, core_error *error) {
    switch (cdc_run_builder_feed(source->builder, &source->message, source->frame.sent_us, error)) {
    case CDC_RUN_READY:
        return true; /* the message stays held and is fed again */
    case CDC_REFUSED:
        return false;
    case CDC_FED:
        break;
    }
    source->message_held = false;
    message_note(source);
    bool ends = source->message.kind == CDC_COMMIT || source->message.kind == CDC_MESSAGE;
    if (ends)
        progress_take(source, cdc_run_builder_whole_lsn(source->builder));
    return true;
}

/* What cannot be taken in stops the source: it says where. */
static bool position_wrap(const cdc_source *source, core_error *error) {
    if (error->code != CORE_ERROR_INPUT && error->code != CORE_ERROR_LIMIT)
        return false;
    return core_error_wrap(error, "slot \"%s\" at LSN " CORE_LSN_FORMAT,
                           core_config_text(source->config, "postgres.slot"),
                           CORE_LSN_ARGS(source->received_lsn));
}

/* Nothing waits in the socket: closes the run at hand if it is whole and its time has come. */
static void dry_take(cdc_source *source) {
    cdc_run_builder *builder = source->builder;
    bool whole = cdc_run_builder_pending(builder) && !cdc_run_builder_in_transaction(builder);
    if (!whole)
        cdc_pacing_rest(&source->pacing);
    else if (cdc_pacing_publish(&source->pacing, cdc_ledger_settled(source->ledger),
                                now_us(source)))
        cdc_run_builder_flush(builder);
}

/* The next frame; `*dry` when none waits and nothing is to be sent. */
static bool input_next(cdc_source *source, bool *dry, core_error *error) {
    core_slice bytes;
    switch (source->wal->next(source->wal, &bytes, error)) {
    case CDC_WAL_MESSAGE:
        source->round_messages++;
        return frame_take(source, bytes, error) || position_wrap(source, error);
    case CDC_WAL_DRY:
        dry_take(source);
        *dry = cdc_run_builder_run(source->builder) == NULL;
        return true;
    case CDC_WAL_BROKEN:
        break;
    }
    return false;
}

/* Takes in up to a round's worth. `*wait`: nothing more can be done now. */
static bool input_take(cdc_source *source, bool *wait, core_error *error) {
    for (unsigned i = 0; i < ROUND_MESSAGES && !*wait; i++) {
        bool full = false;
        if (!run_send(source, &full, error))
            return false;
        bool is_blocked = source->state.current == SOURCE_BLOCKED;
        if (full != is_blocked)
            cdc_source_move(source, full ? SOURCE_BLOCKED : SOURCE_STREAMING);
        bool acted = false;
        if (full) {
            *wait = true;
            continue;
        }
        if (!cdc_run_builder_in_transaction(source->builder) &&
            !cdc_source_snapshot_step(source, &acted, error))
            return false;
        if (acted)
            continue;
        if (source->message_held) {
            if (!message_feed(source, error))
                return position_wrap(source, error);
        } else if (cdc_reorder_replaying(source->reorder)) {
            if (!replay_next(source, error))
                return position_wrap(source, error);
        } else if (!input_next(source, wait, error))
            return false;
    }
    return true;
}

/* ---- Round ---- */

static void figures_update(cdc_source *source) {
    core_metrics *metrics = source->metrics;
    cdc_run_counts counts = cdc_run_builder_counts(source->builder);
    core_metrics_add(metrics, CORE_METRIC_CDC_ROWS, (int64_t)(counts.rows - source->counted.rows));
    core_metrics_add(metrics, CORE_METRIC_CDC_TRANSACTIONS,
                     (int64_t)(counts.transactions - source->counted.transactions));
    cdc_source_snapshot_flow(source, counts.changing - source->counted.changing, now_us(source));
    core_metrics_add(metrics, CORE_METRIC_CDC_SKIPPED_ROWS,
                     (int64_t)(counts.skipped_rows - source->counted.skipped_rows));
    core_metrics_add(metrics, CORE_METRIC_CDC_RECEIVED_BYTES, (int64_t)source->received_bytes);
    core_metrics_set(metrics, CORE_METRIC_CDC_CONFIRMED_LSN, (int64_t)source->confirmed_lsn);
    core_metrics_set(metrics, CORE_METRIC_CDC_RECEIVED_LSN, (int64_t)source->received_lsn);
    cdc_store_figures held = cdc_reorder_figures(source->reorder);
    core_metrics_set(metrics, CORE_METRIC_CDC_HELD_TRANSACTIONS, (int64_t)held.transactions);
    core_metrics_set(metrics, CORE_METRIC_CDC_HELD_MEMORY_BYTES, (int64_t)held.memory_bytes);
    core_metrics_set(metrics, CORE_METRIC_CDC_HELD_SPILL_BYTES, (int64_t)held.spill_bytes);
    core_lsn written_lsn = later(source->server_lsn, source->health.written_lsn);
    core_lsn ahead = later(written_lsn, source->confirmed_lsn) - source->confirmed_lsn;
    core_metrics_set(metrics, CORE_METRIC_CDC_LAG_BYTES, (int64_t)ahead);
    cdc_source_lag_update(source);
    source->counted = counts;
    source->received_bytes = 0;
}

static void maintain(cdc_source *source) {
    int64_t started_ms = core_clock_ms(source->clock);
    if (started_ms - source->maintained_at_ms < source->maintain_every_ms)
        return;
    source->wal->maintain(source->wal);
    cdc_source_mark(source);
    source->maintained_at_ms = core_clock_ms(source->clock);
    int64_t rest_ms = (source->maintained_at_ms - started_ms) * MAINTAIN_SHARE;
    source->maintain_every_ms = sooner(rest_ms, MAINTAIN_EVERY_MAX_MS);
    if (source->maintain_every_ms < MAINTAIN_EVERY_MS)
        source->maintain_every_ms = MAINTAIN_EVERY_MS;
}

/* What may end a sleep besides a request. */
typedef struct {
    bool input;
    bool acks;
    int64_t timeout_us;
} source_wake;

static bool source_sleep(cdc_source *source, const source_wake *wake, core_error *error) {
    if (!fanout_publisher_sleep(source->publisher))
        return true;
    struct pollfd fds[] = {
        {.fd = source->stop_fd, .events = POLLIN},
        {.fd = wake->acks ? fanout_publisher_wake_fd(source->publisher) : -1, .events = POLLIN},
        {.fd = wake->input ? source->wal->fd(source->wal) : -1, .events = POLLIN},
        {.fd = cdc_position_writer_wake_fd(source->writer), .events = POLLIN},
        {.fd = cdc_snapshot_gate_wake_fd(source->gate), .events = POLLIN},
    };
    const struct timespec timeout = {
        .tv_sec = wake->timeout_us / (CORE_MS_PER_S * CORE_US_PER_MS),
        .tv_nsec = wake->timeout_us % (CORE_MS_PER_S * CORE_US_PER_MS) * 1000,
    };
    int ready = ppoll(fds, CORE_COUNT_OF(fds), &timeout, NULL);
    fanout_publisher_wake_clear(source->publisher);
    if (ready > 0 && fds[4].revents != 0)
        cdc_snapshot_gate_wake_clear(source->gate);
    if (ready > 0 && (fds[2].revents & POLLNVAL) != 0)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "the connection's socket is gone");
    return true;
}

/* At a high rate a nap that neither a few bytes nor an ack cuts short; else until anything comes.
 */
static bool stream_sleep(cdc_source *source, core_error *error) {
    bool blocked = source->state.current == SOURCE_BLOCKED;
    bool nap = source->pacing.busy && !blocked;
    int64_t timers_us = cdc_source_timers_left_ms(source) * CORE_US_PER_MS;
    source_wake wake = {
        .input = !nap && !blocked,
        .acks = !nap,
        .timeout_us =
            blocked ? timers_us : cdc_pacing_sleep_us(&source->pacing, timers_us, now_us(source)),
    };
    return source_sleep(source, &wake, error);
}

static void round_count(cdc_source *source) {
    cdc_pacing_count(&source->pacing, source->round_messages, now_us(source));
    if (source->round_messages > 0) {
        source->received_at_ms = core_clock_ms(source->clock);
        source->ping_sent = false;
    }
    source->round_messages = 0;
}

/* Acks that came since `acked_sequence` let go on what waited for them: nothing else would wake us
 * for it. */
static bool is_released(const cdc_source *source, uint64_t acked_sequence) {
    bool waits = source->state.current == SOURCE_BLOCKED || source->snapshot.count > 0;
    return waits && source->ledger->acked.sequence > acked_sequence;
}

bool cdc_source_stream(cdc_source *source, core_error *error) {
    bool wait = false;
    if (!acks_take(source, error))
        return false;
    uint64_t acked_sequence = source->ledger->acked.sequence;
    source->snapshot.rests = false; /* a step of this round says so, if one is reached */
    if (!input_take(source, &wait, error) || !acks_take(source, error))
        return false;
    round_count(source);
    if (!cdc_source_positions_tell(source, error))
        return false;
    figures_update(source);
    maintain(source);
    return !wait || is_released(source, acked_sequence) || stream_sleep(source, error);
}

/* ---- Initial snapshot ---- */

bool cdc_source_initial(cdc_source *source, bool *done, core_error *error) {
    bool full = false;
    bool acted = false;
    if (!acks_take(source, error) || !run_send(source, &full, error))
        return false;
    if (!full && !cdc_source_snapshot_step(source, &acted, error))
        return false;
    figures_update(source);
    *done = cdc_snapshot_gate_initial_ended(source->gate) && !source->snapshot.has_run &&
            cdc_ledger_settled(source->ledger);
    source_wake wake = {.acks = true, .timeout_us = INITIAL_LOOK_MS * CORE_US_PER_MS};
    return *done || (acted && !full) || source_sleep(source, &wake, error);
}

/* ---- Drain ---- */

bool cdc_source_drain_step(cdc_source *source, bool *done, core_error *error) {
    bool full = false;
    if (!acks_take(source, error))
        return false;
    cdc_run_builder_flush(source->builder);
    if (!run_send(source, &full, error))
        return false;
    int64_t left_ms = source->drain_until_ms - core_clock_ms(source->clock);
    bool sent = cdc_run_builder_run(source->builder) == NULL;
    *done = (sent && cdc_ledger_settled(source->ledger)) || left_ms <= 0;
    if (*done)
        return true;
    if (!cdc_source_positions_tell(source, error))
        return false;
    source_wake wake = {.acks = true,
                        .timeout_us = sooner(left_ms, DRAIN_LOOK_MS) * CORE_US_PER_MS};
    return source_sleep(source, &wake, error);
}

void cdc_source_finish(cdc_source *source) {
    core_error error = {0};
    if (acks_take(source, &error) && cdc_source_positions_close(source, &error))
        source->wal->finish(source->wal, FINISH_MS);
    else
        CORE_LOG(source->log, WARN, "cdc", "the last position was not confirmed",
                 CORE_LOG_TEXT("error", error.text));
    figures_update(source);
}
