/* Coming up: broker, database, then the decision where to go on; see source_private.h.
 *
 * The order matters. The stream's tail and the position record are read first and the slot's
 * position after; so when the slot is beyond the stream, another Walcast may just have moved both,
 * and only a second look, with a tail read after this slot position, can call it a gap. Should a
 * stale tail slip through, the publisher's fence refuses what would be sent twice. */
#include "cdc/source_private.h"

#include <stdio.h>
#include <sys/random.h>

enum {
    HEADERS_MAX_BYTES = 1024, /* of what max_payload allows */
    RUN_BYTES_MIN = 4096,     /* below it the broker refuses, with a clear error */
};

/* ---- Broker ---- */

static bool publisher_new(cdc_source *source, core_error *error) {
    char subjects[CORE_SUBJECT_MAX];
    fanout_stream_spec spec = fanout_stream_change_spec(source->config, subjects, sizeof subjects);
    source->publisher = fanout_publisher_new(source->config, &spec, source->log, source->metrics,
                                             source->clock, error);
    return source->publisher != NULL;
}

static bool record_read(cdc_source *source, core_error *error) {
    core_buffer json;
    core_buffer_init(&json, CDC_POSITION_JSON_MAX);
    source->record_revision_before = source->record_revision;
    bool ok =
        fanout_bucket_get(source->bucket, cdc_position_key, &json, &source->record_revision, error);
    source->has_record = ok && json.length > 0;
    ok = ok && (!source->has_record ||
                cdc_position_decode(core_buffer_slice(&json), &source->record, error));
    core_buffer_fini(&json);
    return ok || core_error_wrap(error, "reading key %s of bucket %s_state", cdc_position_key,
                                 core_config_text(source->config, "nats.stream"));
}

bool cdc_source_broker_open(cdc_source *source, core_error *error) {
    if (source->publisher == NULL && !publisher_new(source, error))
        return false;
    if (!fanout_publisher_open(source->publisher, &source->tail, error))
        return false;
    assert(source->bucket == NULL);
    source->bucket = fanout_bucket_new(fanout_publisher_connection(source->publisher),
                                       source->config, "state", error);
    if (source->bucket == NULL || !record_read(source, error) ||
        !cdc_source_tail_read(source, error))
        return false;
    cdc_position_writer_attach(source->writer, source->bucket, source->record_revision);
    return true;
}

/* ---- Position record ---- */

cdc_position cdc_source_record_make(const cdc_source *source) {
    const cdc_ledger_entry *acked = &source->ledger->acked;
    cdc_position record = source->record;
    record.sequence = acked->sequence;
    record.commit_lsn = acked->commit_lsn;
    record.index = acked->index;
    record.complete = acked->complete;
    record.end_lsn = acked->safe_lsn;
    return record;
}

bool cdc_source_record_write(cdc_source *source, core_error *error) {
    cdc_position record = cdc_source_record_make(source);
    if (!cdc_position_writer_write(source->writer, &record, error))
        return false;
    source->record = record;
    source->record_at_ms = core_clock_ms(source->clock);
    return true;
}

/* ---- Database ---- */

bool cdc_source_database_open(cdc_source *source, core_error *error) {
    return source->wal->connect(source->wal, &source->server, error);
}

/* ---- The decision ---- */

static bool epoch_make(char epoch[CORE_EPOCH_TEXT_SIZE], core_error *error) {
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint8_t random[CORE_EPOCH_TEXT_SIZE - 1];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return core_error_set(error, CORE_ERROR_INTERNAL, "the system gives no random bytes");
    for (size_t i = 0; i < sizeof random; i++)
        epoch[i] = letters[random[i] % 36];
    epoch[sizeof random] = '\0';
    return true;
}

static cdc_start_facts facts_gather(const cdc_source *source, const char *fresh_epoch) {
    cdc_start_facts facts = {
        .slot = core_config_text(source->config, "postgres.slot"),
        .stream = core_config_text(source->config, "nats.stream"),
        .system_id = source->server.system_id,
        .timeline = source->server.timeline,
        .wal_lsn = source->server.wal_lsn,
        .confirmed_before_lsn = source->confirmed_before_lsn,
        .fresh_epoch = fresh_epoch,
    };
    cdc_source_tail_facts(source, &facts);
    return facts;
}

/* After a failover or a restore: where its timeline left the one that the stream was made from. */
static bool fork_ask(cdc_source *source, cdc_start_facts *facts, core_error *error) {
    const cdc_position *known = cdc_start_known(facts);
    if (known == NULL || known->system_id != facts->system_id || known->timeline == facts->timeline)
        return true;
    if (!source->wal->fork(source->wal, known->timeline, &facts->fork_lsn, error))
        return false;
    char fork[32];
    (void)snprintf(fork, sizeof fork, CORE_LSN_FORMAT, CORE_LSN_ARGS(facts->fork_lsn));
    CORE_LOG(source->log, INFO, "cdc", "the server is on another timeline than the stream",
             CORE_LOG_NUMBER("timeline", facts->timeline),
             CORE_LOG_NUMBER("stream_timeline", known->timeline), CORE_LOG_TEXT("fork", fork));
    return true;
}

/* Reads the slot into the facts, making it when there is no past that it must join on to. */
static bool slot_prepare(cdc_source *source, cdc_start_facts *facts, core_error *error) {
    cdc_slot_state *slot = &facts->slot_state;
    bool may_create = !cdc_start_has_state(facts);
    if (!source->wal->prepare(source->wal, may_create, slot, &facts->publication, error))
        return false;
    source->standing_by = slot->active_pid != 0;
    if (source->standing_by)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "standby: slot \"%s\" is streamed by another process (PID %lld on "
                              "the server); taking over when it ends",
                              facts->slot, (long long)slot->active_pid);
    /* Once it was on, a slot's two_phase stays on. */
    slot->two_phase = slot->two_phase || core_config_bool(source->config, "postgres.two_phase");
    memcpy(source->exported, slot->exported, sizeof source->exported);
    source->confirmed_before_lsn = slot->confirmed_lsn;
    return true;
}

static cdc_run_limits limits_of(const cdc_source *source) {
    const core_config *config = source->config;
    int64_t max_payload =
        fanout_connection_max_payload(fanout_publisher_connection(source->publisher));
    size_t message_max = max_payload > HEADERS_MAX_BYTES + RUN_BYTES_MIN
                             ? (size_t)(max_payload - HEADERS_MAX_BYTES)
                             : RUN_BYTES_MIN;
    size_t run_bytes = (size_t)core_config_integer(config, "cdc.run_bytes");
    return (cdc_run_limits){
        .scope = core_subject_scope_of(config),
        .run_rows = (uint32_t)core_config_integer(config, "cdc.run_rows"),
        .run_bytes = run_bytes < message_max ? run_bytes : message_max,
        .message_max = message_max,
        .row_max = (size_t)core_config_integer(config, "cdc.max_row_bytes"),
        .shapes = source->shapes,
        .lookup = source->wal->lookup,
        .reads_values = strcmp(core_config_text(config, "cdc.toast"), "read") == 0,
    };
}

/* Made once the database has told its name; a GAP event may be the first to need it. */
static bool stage_ready(cdc_source *source, core_error *error) {
    bool is_json = strcmp(core_config_text(source->config, "nats.encoding"), "json") == 0;
    const core_event_json_source from = {
        .version = WALCAST_VERSION,
        .name = core_config_text(source->config, "nats.stream"),
        .database = source->server.database,
    };
    size_t row_max = (size_t)core_config_integer(source->config, "cdc.max_row_bytes");
    if (source->stage == NULL)
        source->stage = cdc_message_stage_new(is_json ? &from : NULL, row_max, source->clock);
    if (source->stage == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for messages");
    cdc_message_stage_start(source->stage, limits_of(source).message_max);
    return true;
}

/* The last commit that is wholly stored. */
static core_lsn whole_commit_lsn(const cdc_position *stored) {
    bool cut = stored->commit_lsn != 0 && !stored->complete;
    return cut ? stored->commit_lsn - 1 : stored->commit_lsn;
}

static void streaming_begin(cdc_source *source, const cdc_start *start) {
    int64_t now_ms = core_clock_ms(source->clock);
    cdc_run_limits limits = limits_of(source);
    cdc_run_builder_start(source->builder, &limits, &start->position);
    cdc_reorder_start(source->reorder, whole_commit_lsn(&start->position));
    cdc_ledger_entry stored = {
        .sequence = start->position.sequence,
        .shown_lsn = start->shown_lsn,
        .safe_lsn = start->position.end_lsn,
        .commit_lsn = start->position.commit_lsn,
        .index = start->position.index,
        .complete = start->position.complete,
        .commit_time_us =
            source->tail_found.is_run ? source->tail_run.last_transaction.commit_time_us : 0,
    };
    cdc_ledger_init(source->ledger, &stored);
    source->record = start->position;
    source->acked_sequence = start->position.sequence;
    source->acked_created_us = start->position.stream_created_us;
    source->acked_gaps = start->position.gaps;
    source->message_held = false;
    source->progress_lsn = 0;
    source->received_lsn = source->server_lsn = start->position.end_lsn;
    source->confirmed_lsn = source->told_lsn = source->confirmed_before_lsn;
    source->reply_due = source->ping_sent = false;
    cdc_confirm_delay_init(&source->delay, core_config_integer(source->config, "nats.confirm_lag"),
                           source->confirmed_lsn);
    source->round_messages = 0;
    cdc_pacing_init(&source->pacing, now_ms * CORE_US_PER_MS);
    source->feedback_at_ms = source->received_at_ms = source->maintained_at_ms = now_ms;
    source->acked_any = false;
    source->streaming_since_ms = now_ms;
    cdc_source_watch_begin(source);
}

static void start_tell(const cdc_source *source, const cdc_start *start) {
    char lsn[32];
    (void)snprintf(lsn, sizeof lsn, CORE_LSN_FORMAT,
                   CORE_LSN_ARGS(start->start_lsn > source->confirmed_before_lsn
                                     ? start->start_lsn
                                     : source->confirmed_before_lsn));
    CORE_LOG(source->log, INFO, "cdc", "streaming",
             CORE_LOG_TEXT("slot", core_config_text(source->config, "postgres.slot")),
             CORE_LOG_TEXT("lsn", lsn), CORE_LOG_TEXT("epoch", start->position.epoch),
             CORE_LOG_TEXT("history", start->new_epoch ? "new" : "continued"),
             CORE_LOG_TEXT("transactions", source->whole ? "whole" : "as configured"),
             CORE_LOG_TEXT("two_phase", source->two_phase ? "on" : "off"),
             CORE_LOG_NUMBER("sequence", start->position.sequence));
}

static bool transcoder_choose(cdc_source *source, core_error *error) {
    const char *encoding = source->wal->text_encoding;
    cdc_transcoder_free(source->transcoder);
    source->transcoder = encoding != NULL ? cdc_transcoder_new(encoding) : NULL;
    return encoding == NULL || source->transcoder != NULL ||
           core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the encoding %s",
                          encoding);
}

static bool wal_begin(cdc_source *source, core_error *error) {
    cdc_wal_start wal_start = {.lsn = source->start.start_lsn, .whole = source->whole};
    if (!source->wal->start(source->wal, &wal_start, error) || !transcoder_choose(source, error))
        return false;
    source->feedback_at_ms = source->received_at_ms = core_clock_ms(source->clock);
    cdc_source_snapshot_begin(source, "");
    start_tell(source, &source->start);
    return true;
}

bool cdc_source_set_up(cdc_source *source, core_error *error) {
    char fresh_epoch[CORE_EPOCH_TEXT_SIZE];
    if (!epoch_make(fresh_epoch, error))
        return false;
    source->whole = core_clock_ms(source->clock) < source->whole_until_ms;
    cdc_start_facts facts = facts_gather(source, fresh_epoch);
    cdc_start *start = &source->start;
    if (!fork_ask(source, &facts, error) || !slot_prepare(source, &facts, error) ||
        !cdc_start_decide(&facts, start, error) || !stage_ready(source, error) ||
        !cdc_source_gap_settle(source, &facts, start, error) ||
        !cdc_source_shapes_read(source, error))
        return false;
    source->two_phase = facts.slot_state.two_phase;
    streaming_begin(source, start);
    bool initial = source->exported[0] != '\0';
    if (!initial && !wal_begin(source, error))
        return false;
    if (!cdc_source_gap_finish(source, start, error) || !cdc_source_record_write(source, error))
        return false;
    if (initial) {
        CORE_LOG(source->log, INFO, "cdc", "the initial snapshot begins; changes follow it",
                 CORE_LOG_TEXT("snapshot", source->exported));
        cdc_source_snapshot_begin(source, source->exported);
    }
    source->mark_due_ms = 0;
    cdc_source_mark(source);
    return true;
}

bool cdc_source_initial_end(cdc_source *source, core_error *error) {
    cdc_source_snapshot_end(source, "");
    source->exported[0] = '\0';
    return wal_begin(source, error);
}

void cdc_source_close(cdc_source *source) {
    cdc_source_snapshot_end(source, "");
    source->wal->close(source->wal);
    cdc_position_writer_detach(source->writer);
    fanout_bucket_free(source->bucket);
    source->bucket = NULL;
    source->message_held = false;
    cdc_reorder_start(source->reorder, 0); /* all of it comes again */
}
