/* A gap is settled before streaming begins; see source_private.h.
 *
 * Happy path: there is none. Else `cdc.on_gap` decides: `fail` stops with the gap's text and the
 * choices; otherwise a slot that is missing or lost is made anew, the GAP event is published alone,
 * under the fence and waited for, and streaming begins behind it.
 *
 * Exactly once: the event carries the position record that belongs behind it, so whatever is killed
 * between the event and the record, the next start finds the gap settled. One that is killed before
 * the event finds the gap again (as a slot that is ahead, when it was made already). */
#include "cdc/source_private.h"

#include "cdc/gap_snapshot.h"
#include "cdc/gap_text.h"

#include <poll.h>

enum { LOOK_MS = 1000 };

static const char *policy_of(const cdc_source *source) {
    return core_config_text(source->config, "cdc.on_gap");
}

/* ---- Stopping ---- */

static bool gap_refuse(const cdc_gap *gap, core_error *error) {
    return core_error_set(error, CORE_ERROR_GAP,
                          "%s (gap %s); %sstart once with --on-gap continue (cdc.on_gap) to go on "
                          "from what is there now behind a GAP event, or --on-gap snapshot to also "
                          "read all tables anew; see docs/OPERATIONS.md, Gaps",
                          gap->text, cdc_gap_reason_name(gap->reason), cdc_gap_remedy(gap->reason));
}

/* ---- The event ---- */

/* The event as a run of one, `writer`'s until the next. */
static bool event_encode(cdc_source *source, const cdc_start *start, core_run_writer *writer,
                         cdc_run *run, core_error *error) {
    core_buffer content;
    core_buffer_init(&content, CDC_GAP_CONTENT_MAX);
    int64_t now_us = core_clock_wall_us(source->clock);
    cdc_gap_encode(&start->gap, &start->position, policy_of(source), now_us, &content);
    core_change change = {
        .op = CORE_OP_GAP,
        .transaction = {.end_lsn = start->position.end_lsn, .commit_time_us = now_us},
        .message = {.prefix = core_slice_text(CDC_GAP_PREFIX),
                    .content = core_buffer_slice(&content),
                    .lsn = start->position.end_lsn},
    };
    core_run_open(writer, start->position.epoch, CORE_OP_GAP, NULL);
    bool ok = core_buffer_ok(&content) && core_run_append(writer, &change);
    if (ok) {
        core_run_transaction_end(writer, true);
        *run = (cdc_run){.rows = 1,
                         .last = change.transaction,
                         .last_complete = true,
                         .holds_last = true,
                         .payload = core_run_close(writer)};
    }
    core_buffer_fini(&content);
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "no room for a GAP event");
}

static bool called_off(const cdc_source *source, core_error *error) {
    return (atomic_load(&source->stop_asked) || atomic_load(&source->drain_asked)) &&
           !core_error_set(error, CORE_ERROR_TRANSIENT, "stopped before a GAP event was stored");
}

/* Until the broker has it, or the publisher breaks (at the latest after nats.ack_timeout). */
static bool event_wait(cdc_source *source, uint64_t sequence, core_error *error) {
    for (;;) {
        uint64_t acked = 0;
        if (called_off(source, error) || !fanout_publisher_poll(source->publisher, &acked, error))
            return false;
        if (acked >= sequence)
            return true;
        struct pollfd fds[] = {
            {.fd = source->stop_fd, .events = POLLIN},
            {.fd = fanout_publisher_wake_fd(source->publisher), .events = POLLIN},
        };
        if (fanout_publisher_sleep(source->publisher))
            (void)poll(fds, CORE_COUNT_OF(fds), LOOK_MS);
        fanout_publisher_wake_clear(source->publisher);
    }
}

static bool subject_make(const cdc_source *source, char subject[CORE_SUBJECT_MAX],
                         core_error *error) {
    const core_subject_scope scope = core_subject_scope_of(source->config);
    core_slice none = {0};
    return core_subject_change(&scope, none, none, CORE_OP_GAP, subject) ||
           core_error_set(error, CORE_ERROR_LIMIT,
                          "the subject of a GAP event is longer than %d bytes; shorten "
                          "nats.prefix, project or environment",
                          CORE_SUBJECT_MAX);
}

static bool event_publish(cdc_source *source, const cdc_start *start, cdc_run *run,
                          core_error *error) {
    char subject[CORE_SUBJECT_MAX];
    uint64_t sequence = 0;
    if (!subject_make(source, subject, error))
        return false;
    run->subject = subject;
    const cdc_run *message = cdc_message_stage_next(source->stage, run, error);
    if (message == NULL)
        return false;
    switch (fanout_publisher_send(source->publisher, subject, message->payload, &sequence, error)) {
    case FANOUT_SENT:
        assert(sequence == start->position.sequence);
        (void)start;
        return event_wait(source, sequence, error);
    case FANOUT_FULL:
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "the publisher takes no GAP event yet; trying again");
    case FANOUT_BROKEN:
        break;
    }
    return false;
}

static void event_tell(const cdc_source *source, const cdc_start *start) {
    core_metrics_add(source->metrics, CORE_METRIC_CDC_GAPS, 1);
    CORE_LOG(source->log, WARN, "cdc", "a GAP event is in the stream",
             CORE_LOG_TEXT("reason", cdc_gap_reason_name(start->gap.reason)),
             CORE_LOG_TEXT("gap", start->gap.text), CORE_LOG_TEXT("policy", policy_of(source)),
             CORE_LOG_TEXT("epoch", start->position.epoch),
             CORE_LOG_NUMBER("sequence", start->position.sequence));
}

/* ---- Settling ---- */

/* The slot goes to the present where it cannot tell what is missing. */
static bool slot_renew(cdc_source *source, cdc_start_facts *facts, const cdc_start *start,
                       core_error *error) {
    cdc_slot_state *slot = &facts->slot_state;
    bool made = cdc_gap_asks(start->gap.reason) && facts->publication.made;
    bool unusable =
        !slot->exists || slot->lost || made || start->gap.reason == CDC_GAP_PUBLICATION_REMADE;
    if (unusable && !source->wal->renew(source->wal, slot, error))
        return false;
    slot->two_phase = slot->two_phase || core_config_bool(source->config, "postgres.two_phase");
    source->confirmed_before_lsn = slot->confirmed_lsn;
    return true;
}

/* One message whatever the encoding: its content is far below any max_payload. */
static bool event_store(cdc_source *source, const cdc_start *start, core_error *error) {
    core_run_writer writer;
    cdc_run run = {0};
    core_run_writer_init(&writer, CDC_GAP_CONTENT_MAX * 2);
    bool ok = event_encode(source, start, &writer, &run, error) &&
              event_publish(source, start, &run, error) &&
              (cdc_message_stage_taken(source->stage) ||
               core_error_set(error, CORE_ERROR_INTERNAL, "a GAP event of several messages"));
    core_run_writer_fini(&writer);
    return ok ||
           core_error_wrap(error, "telling of a gap (%s)", cdc_gap_reason_name(start->gap.reason));
}

static bool event_settle(cdc_source *source, cdc_start *start, core_error *error) {
    cdc_start_gap_stored(start, start->position.sequence + 1);
    if (!event_store(source, start, error))
        return false;
    source->acked_sequence = start->position.sequence;
    source->acked_created_us = start->position.stream_created_us;
    source->acked_gaps = start->position.gaps;
    source->snapshot_due =
        cdc_gap_misses(start->gap.reason) && strcmp(policy_of(source), "snapshot") == 0;
    event_tell(source, start);
    return true;
}

bool cdc_source_gap_settle(cdc_source *source, cdc_start_facts *facts, cdc_start *start,
                           core_error *error) {
    cdc_gap_reason reason = start->gap.reason;
    if (reason == CDC_GAP_NONE) {
        source->snapshot_due = facts->tail_gap != NULL &&
                               cdc_start_known(facts) == facts->tail_gap &&
                               source->tail_found.wants_snapshot;
        return true;
    }
    if (cdc_gap_asks(reason) && strcmp(policy_of(source), "fail") == 0)
        return gap_refuse(&start->gap, error);
    if (reason != CDC_GAP_REPLAYED) {
        if (!slot_renew(source, facts, start, error))
            return false;
        cdc_start_resume(facts, start);
    }
    return event_settle(source, start, error);
}

bool cdc_source_gap_finish(cdc_source *source, const cdc_start *start, core_error *error) {
    if (!source->snapshot_due)
        return true;
    source->snapshot_due = false;
    return cdc_gap_snapshot_request(source, start->position.gap_sequence, error);
}
