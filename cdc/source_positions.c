/* Positions out: the record that is stored beside the stream, the feedback that moves the slot, and
 * the watch over a server that says nothing; see source_private.h.
 *
 * What the tail shows to be stored is confirmed at once. What it does not show (keepalives, empty
 * transactions) is confirmed after a position record says it, so that no restart can find the slot
 * beyond everything known. */
#include "cdc/source_private.h"

enum {
    RECORD_EVERY_MS = 1000,    /* the position record, while positions move and all is acked */
    RECORD_BUSY_MS = 5000,     /* the same while messages are always on their way */
    PROGRESS_EVERY_MS = 1000,  /* feedback, while the confirmed position moves */
    SENDER_TIMEOUT_MS = 60000, /* taken when the server has no wal_sender_timeout */
    /* A walsender may work for long on a transaction of which nothing is published, and older ones
     * answer nobody meanwhile. A dead link is found by TCP's own keepalives. */
    SILENCE_TIMEOUTS = 5,
};

static core_lsn later(core_lsn a, core_lsn b) {
    return a > b ? a : b;
}

static int64_t sooner(int64_t a_ms, int64_t b_ms) {
    return a_ms < b_ms ? a_ms : b_ms;
}

/* ---- Record ---- */

/* What may be confirmed: the tail shows it, or the stored record says it. */
static core_lsn confirmable_lsn(const cdc_source *source) {
    const cdc_ledger_entry *acked = &source->ledger->acked;
    core_lsn recorded =
        acked->safe_lsn < source->record.end_lsn ? acked->safe_lsn : source->record.end_lsn;
    return later(acked->shown_lsn, recorded);
}

static bool record_is_old(const cdc_source *source) {
    const cdc_ledger_entry *acked = &source->ledger->acked;
    return acked->sequence != source->record.sequence || acked->safe_lsn != source->record.end_lsn;
}

/* While messages are always on their way it is renewed now and then, in case the stream's tail is
 * lost; else as soon as all is acked. */
static bool record_is_due(const cdc_source *source, int64_t now_ms) {
    int64_t age_ms = now_ms - source->record_at_ms;
    if (!cdc_ledger_settled(source->ledger))
        return age_ms >= RECORD_BUSY_MS;
    /* A server that shuts down asks until all is confirmed: do not let it wait. */
    bool asked = source->reply_due && source->ledger->acked.safe_lsn > confirmable_lsn(source);
    return asked || age_ms >= RECORD_EVERY_MS;
}

/* A store that is full may have no room for the record either. Then the source waits as for the
 * stream's room, and trying the record again tells when there is some. */
static bool record_waits(cdc_source *source, const core_error *reason) {
    source->record_refused = reason->code == CORE_ERROR_FULL;
    return source->record_refused && source->state.current == SOURCE_FULL;
}

/* A write that the broker did not answer is tried again: whether the broker is lost, the publisher
 * finds out. One that another process forestalled ends our turn. */
static bool record_take(cdc_source *source, core_error *error) {
    cdc_position stored;
    core_error reason = {0};
    switch (cdc_position_writer_take(source->writer, &stored, &reason)) {
    case CDC_WRITE_NONE:
        return true;
    case CDC_WRITE_STORED:
        source->record = stored;
        if (source->record_refused)
            source->full_until_ms = core_clock_ms(source->clock);
        source->record_refused = false;
        return true;
    case CDC_WRITE_FAILED:
        break;
    }
    if (record_waits(source, &reason))
        return true;
    if (reason.code != CORE_ERROR_TRANSIENT) {
        *error = reason;
        return false;
    }
    CORE_LOG(source->log, WARN, "cdc", "the position record was not stored; trying again",
             CORE_LOG_TEXT("error", reason.text));
    return true;
}

static bool record_update(cdc_source *source, int64_t now_ms, core_error *error) {
    if (!record_take(source, error))
        return false;
    if (!record_is_old(source) || !record_is_due(source, now_ms) ||
        !cdc_position_writer_idle(source->writer))
        return true;
    cdc_position record = cdc_source_record_make(source);
    cdc_position_writer_post(source->writer, &record);
    source->record_at_ms = now_ms;
    return true;
}

/* ---- Feedback ---- */

static bool feedback_send(cdc_source *source, bool ping, core_error *error) {
    cdc_feedback feedback = {
        .written_lsn = later(source->received_lsn, source->confirmed_lsn),
        .flushed_lsn = source->confirmed_lsn,
        .applied_lsn = source->confirmed_lsn,
        .sent_us = core_clock_wall_us(source->clock),
        .reply = ping,
    };
    if (!source->wal->feedback(source->wal, &feedback, error))
        return false;
    source->told_lsn = source->confirmed_lsn;
    source->feedback_at_ms = core_clock_ms(source->clock);
    source->reply_due = false;
    source->ping_sent = source->ping_sent || ping;
    return true;
}

static int64_t status_every_ms(const cdc_source *source) {
    int64_t every_ms = core_config_integer(source->config, "postgres.status_interval");
    int64_t third_ms = source->server.sender_timeout_ms / 3;
    return third_ms > 0 && third_ms < every_ms ? third_ms : every_ms;
}

static int64_t sender_timeout_ms(const cdc_source *source) {
    int64_t timeout_ms = source->server.sender_timeout_ms;
    return timeout_ms > 0 ? timeout_ms : SENDER_TIMEOUT_MS;
}

/* A server that says nothing is asked, then given up. */
static bool silence_check(cdc_source *source, int64_t now_ms, core_error *error) {
    int64_t silence_ms = now_ms - source->received_at_ms;
    int64_t timeout_ms = sender_timeout_ms(source);
    if (source->state.current == SOURCE_BLOCKED || cdc_reorder_replaying(source->reorder)) {
        source->received_at_ms = now_ms; /* it is we who do not listen */
        return true;
    }
    if (silence_ms >= timeout_ms * SILENCE_TIMEOUTS)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "nothing came from the server for %lld ms", (long long)silence_ms);
    if (silence_ms >= timeout_ms / 2 && !source->ping_sent)
        return feedback_send(source, true, error);
    return true;
}

/* A snapshot waits for the stream to pass a position, and an idle server says nothing by itself. */
static bool poke(cdc_source *source, int64_t now_ms, core_error *error) {
    if (now_ms < cdc_source_snapshot_poke_ms(source))
        return true;
    source->snapshot.poked_ms = now_ms;
    return feedback_send(source, true, error);
}

bool cdc_source_positions_tell(cdc_source *source, core_error *error) {
    int64_t now_ms = core_clock_ms(source->clock);
    if (!record_update(source, now_ms, error))
        return false;
    source->confirmed_lsn = cdc_confirm_delay_put(&source->delay, confirmable_lsn(source), now_ms);
    int64_t since_ms = now_ms - source->feedback_at_ms;
    bool moved = source->confirmed_lsn > source->told_lsn && since_ms >= PROGRESS_EVERY_MS;
    if ((source->reply_due || moved || since_ms >= status_every_ms(source)) &&
        !feedback_send(source, false, error))
        return false;
    if (!poke(source, now_ms, error))
        return false;
    return silence_check(source, now_ms, error);
}

int64_t cdc_source_keep_left_ms(const cdc_source *source) {
    int64_t at_ms = source->feedback_at_ms + status_every_ms(source);
    int64_t now_ms = core_clock_ms(source->clock);
    return at_ms > now_ms ? at_ms - now_ms : 0;
}

/* Confirms nothing new: what only the tail shows may age away before the record says it. */
bool cdc_source_positions_keep(cdc_source *source, core_error *error) {
    return record_update(source, core_clock_ms(source->clock), error) &&
           (cdc_source_keep_left_ms(source) > 0 || feedback_send(source, false, error));
}

int64_t cdc_source_timers_left_ms(const cdc_source *source) {
    int64_t now_ms = core_clock_ms(source->clock);
    int64_t at_ms = source->feedback_at_ms + status_every_ms(source);
    if (!source->ping_sent)
        at_ms = sooner(at_ms, source->received_at_ms + sender_timeout_ms(source) / 2);
    at_ms = sooner(at_ms, source->maintained_at_ms + source->maintain_every_ms);
    at_ms = sooner(at_ms, source->watch_at_ms);
    if (record_is_old(source) && cdc_position_writer_idle(source->writer))
        at_ms = sooner(at_ms,
                       source->record_at_ms +
                           (cdc_ledger_settled(source->ledger) ? RECORD_EVERY_MS : RECORD_BUSY_MS));
    at_ms = sooner(at_ms, cdc_confirm_delay_next_ms(&source->delay));
    at_ms = sooner(at_ms, cdc_source_snapshot_poke_ms(source));
    at_ms = sooner(at_ms, cdc_source_snapshot_send_ms(source));
    if (source->confirmed_lsn > source->told_lsn)
        at_ms = sooner(at_ms, source->feedback_at_ms + PROGRESS_EVERY_MS);
    return at_ms > now_ms ? at_ms - now_ms : 0;
}

bool cdc_source_positions_close(cdc_source *source, core_error *error) {
    if (record_is_old(source) && !cdc_source_record_write(source, error))
        return false;
    source->confirmed_lsn = cdc_confirm_delay_put(&source->delay, confirmable_lsn(source),
                                                  core_clock_ms(source->clock));
    return feedback_send(source, false, error);
}
