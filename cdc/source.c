/* The source's states and loop; see source.h.
 *
 * Happy path: broker, database, set-up, then streaming rounds until the drain. Whatever breaks
 * drops both connections and starts over from the stream's tail with backoff: simple, and the same
 * path that a killed process takes. Only what a person must decide (a gap, bytes that cannot be
 * decoded, a row that the broker cannot hold) ends in FAILED, where the slot keeps the WAL. */
#include "cdc/source_private.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    STANDBY_RETRY_MS = 500, /* to look whether the slot is free */
    STANDBY_TRY_MS = 10000, /* and for the whole of coming up: could we take over? */
    TELL_AGAIN_MS = 60000,
    WATCH_FIRST_MS = 5000, /* or once it streams */
    WHOLE_MS = 600000,     /* whole transactions, once they could not be held here */
    TAIL_ARENA_CHUNK_BYTES = 16 << 10,
    MESSAGE_ARENA_MAX_BYTES = 16 << 20, /* the oids of a TRUNCATE of four million tables */
};

/* Of a run its relation, of a JSON message all; nats-server's own limit of a message is 64 MiB. */
#define TAIL_ARENA_MAX_BYTES (((size_t)4 << 20) + CORE_EVENT_JSON_ARENA_FACTOR * ((size_t)64 << 20))

#define ENDS  (CORE_STATE_BIT(SOURCE_STOPPED) | CORE_STATE_BIT(SOURCE_FAILED))
#define FALLS (ENDS | CORE_STATE_BIT(SOURCE_BACKING_OFF))

static const core_state_row source_rows[SOURCE_STATES] = {
    [SOURCE_CONNECTING_BROKER] = {"connecting to the broker",
                                  FALLS | CORE_STATE_BIT(SOURCE_CONNECTING_DATABASE)},
    [SOURCE_CONNECTING_DATABASE] = {"connecting to the database",
                                    FALLS | CORE_STATE_BIT(SOURCE_SETTING_UP)},
    [SOURCE_SETTING_UP] = {"setting up", FALLS | CORE_STATE_BIT(SOURCE_STREAMING) |
                                             CORE_STATE_BIT(SOURCE_SNAPSHOTTING)},
    [SOURCE_SNAPSHOTTING] = {"taking the initial snapshot",
                             FALLS | CORE_STATE_BIT(SOURCE_STREAMING)},
    [SOURCE_STREAMING] = {"streaming", FALLS | CORE_STATE_BIT(SOURCE_BLOCKED) |
                                           CORE_STATE_BIT(SOURCE_FULL) |
                                           CORE_STATE_BIT(SOURCE_DRAINING)},
    [SOURCE_BLOCKED] = {"streaming, waiting for the broker",
                        FALLS | CORE_STATE_BIT(SOURCE_STREAMING) | CORE_STATE_BIT(SOURCE_FULL) |
                            CORE_STATE_BIT(SOURCE_DRAINING)},
    [SOURCE_FULL] = {"waiting for room in the stream", FALLS},
    [SOURCE_BACKING_OFF] = {"backing off", ENDS | CORE_STATE_BIT(SOURCE_CONNECTING_BROKER)},
    [SOURCE_DRAINING] = {"draining", ENDS},
    [SOURCE_FAILED] = {"failed", CORE_STATE_BIT(SOURCE_STOPPED)},
    [SOURCE_STOPPED] = {"stopped", 0},
};

/* ---- Life ---- */

static cdc_reorder *reorder_new(const core_config *config, core_error *error) {
    cdc_store_limits limits = {
        .memory_bytes = (size_t)core_config_integer(config, "cdc.memory_bytes"),
        .spill_dir = core_config_text(config, "cdc.spill_dir"),
        .spill_max_bytes = (uint64_t)core_config_integer(config, "cdc.spill_max_bytes"),
    };
    return cdc_reorder_new(&limits, error);
}

cdc_source *cdc_source_new(const core_config *config, core_log *log, core_metrics *metrics,
                           const core_clock *clock, cdc_wal_stream *wal, int stop_fd,
                           core_error *error) {
    cdc_source *source = calloc(1, sizeof *source);
    cdc_ledger *ledger = calloc(1, sizeof *ledger);
    cdc_run_builder *builder = cdc_run_builder_new(error);
    cdc_position_writer *writer = cdc_position_writer_new(error);
    cdc_reorder *reorder = reorder_new(config, error);
    cdc_snapshot_gate *gate = cdc_snapshot_gate_new(error);
    cdc_recent_xids *recent = calloc(1, sizeof *recent);
    cdc_shape_log *shapes = cdc_shape_log_new();
    if (gate == NULL || recent == NULL || source == NULL || ledger == NULL || builder == NULL ||
        writer == NULL || reorder == NULL || shapes == NULL) {
        cdc_shape_log_free(shapes);
        free(recent);
        cdc_snapshot_gate_free(gate);
        cdc_reorder_free(reorder);
        cdc_position_writer_free(writer);
        cdc_run_builder_free(builder);
        free(ledger);
        free(source);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the source");
        return NULL;
    }
    source->config = config;
    source->log = log;
    source->metrics = metrics;
    source->clock = clock;
    source->wal = wal;
    source->stop_fd = stop_fd;
    source->ledger = ledger;
    source->builder = builder;
    source->writer = writer;
    source->reorder = reorder;
    source->gate = gate;
    source->recent = recent;
    source->shapes = shapes;
    core_state_init(&source->state, "cdc source", source_rows, SOURCE_STATES,
                    SOURCE_CONNECTING_BROKER);
    core_backoff_init(&source->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS,
                      (uint64_t)core_clock_wall_us(clock));
    core_buffer_init(&source->anchor_payload, 0);
    core_arena_init(&source->tail_arena, TAIL_ARENA_CHUNK_BYTES, TAIL_ARENA_MAX_BYTES);
    core_arena_init(&source->message_arena, TAIL_ARENA_CHUNK_BYTES, MESSAGE_ARENA_MAX_BYTES);
    (void)pthread_mutex_init(&source->status_mutex, NULL);
    (void)snprintf(source->status_text, sizeof source->status_text, "%s",
                   core_state_name(&source->state));
    return source;
}

void cdc_source_free(cdc_source *source) {
    if (source == NULL)
        return;
    cdc_source_close(source);
    cdc_position_writer_free(source->writer);
    fanout_publisher_free(source->publisher);
    source->wal->free(source->wal);
    cdc_run_builder_free(source->builder);
    cdc_message_stage_free(source->stage);
    cdc_reorder_free(source->reorder);
    cdc_shape_log_free(source->shapes);
    cdc_transcoder_free(source->transcoder);
    cdc_snapshot_gate_free(source->gate);
    free(source->recent);
    free(source->ledger);
    core_arena_fini(&source->tail_arena);
    core_buffer_fini(&source->anchor_payload);
    core_arena_fini(&source->message_arena);
    (void)pthread_mutex_destroy(&source->status_mutex);
    (void)close(source->stop_fd);
    free(source);
}

/* ---- Requests and status, any thread ---- */

void cdc_source_drain(cdc_source *source) {
    atomic_store(&source->drain_asked, true);
    core_wake_set(source->stop_fd);
}

void cdc_source_stop(cdc_source *source) {
    atomic_store(&source->stop_asked, true);
    core_wake_set(source->stop_fd);
}

bool cdc_source_stopped(const cdc_source *source) {
    return atomic_load(&source->stopped);
}

core_readiness cdc_source_ready(cdc_source *source, char *reason, size_t reason_size) {
    (void)pthread_mutex_lock(&source->status_mutex);
    bool warns = source->status == CORE_READY_YES && source->warning_text[0] != '\0';
    core_readiness status = warns ? CORE_READY_WARNING : source->status;
    (void)snprintf(reason, reason_size, "%s", warns ? source->warning_text : source->status_text);
    (void)pthread_mutex_unlock(&source->status_mutex);
    return status;
}

void cdc_source_warn(cdc_source *source, const char *warning) {
    (void)pthread_mutex_lock(&source->status_mutex);
    (void)snprintf(source->warning_text, sizeof source->warning_text, "%s", warning);
    (void)pthread_mutex_unlock(&source->status_mutex);
}

static void status_set(cdc_source *source, core_readiness status, const char *text) {
    (void)pthread_mutex_lock(&source->status_mutex);
    source->status = status;
    (void)snprintf(source->status_text, sizeof source->status_text, "%s", text);
    (void)pthread_mutex_unlock(&source->status_mutex);
}

cdc_snapshot_gate *cdc_source_gate(cdc_source *source) {
    return source->gate;
}

/* ---- Moving ---- */

void cdc_source_on_hold(cdc_source *source, cdc_source_hook hook, void *context) {
    source->hook = hook;
    source->hook_context = context;
}

static void hold_note(cdc_source *source, bool holds) {
    if (holds == source->holds)
        return;
    source->holds = holds;
    if (source->hook != NULL)
        source->hook(source->hook_context, holds,
                     source->tail != NULL ? source->tail->stream.last_sequence : 0);
}

void cdc_source_move(cdc_source *source, cdc_source_state next) {
    core_state_move(&source->state, next);
    bool streams = next == SOURCE_STREAMING || next == SOURCE_BLOCKED;
    hold_note(source, streams || next == SOURCE_FULL || next == SOURCE_DRAINING);
    core_metrics_set(source->metrics, CORE_METRIC_CDC_STREAMING, streams);
    core_metrics_set(source->metrics, CORE_METRIC_CDC_FAILED, next == SOURCE_FAILED);
    core_metrics_set(source->metrics, CORE_METRIC_CDC_STREAM_FULL, next == SOURCE_FULL);
    if (streams)
        status_set(source, CORE_READY_YES, "");
    else if (next == SOURCE_DRAINING || next == SOURCE_SNAPSHOTTING)
        status_set(source, CORE_READY_NO, core_state_name(&source->state));
}

/* The same error is told once a minute, not at each attempt. */
static void error_tell(cdc_source *source, const core_error *error) {
    int64_t now_ms = core_clock_ms(source->clock);
    if (strcmp(error->text, source->told_text) == 0 && now_ms - source->told_at_ms < TELL_AGAIN_MS)
        return;
    (void)snprintf(source->told_text, sizeof source->told_text, "%s", error->text);
    source->told_at_ms = now_ms;
    if (source->standing_by)
        CORE_LOG(source->log, INFO, "cdc", "standing by", CORE_LOG_TEXT("reason", error->text));
    else if (error->code == CORE_ERROR_FULL)
        CORE_LOG(source->log, WARN, "cdc",
                 "the stream has no room: nothing is read until it has, PostgreSQL keeps the WAL",
                 CORE_LOG_TEXT("error", error->text));
    else if (error->code == CORE_ERROR_TRANSIENT || error->code == CORE_ERROR_CONFLICT)
        CORE_LOG(source->log, WARN, "cdc", "interrupted; trying again",
                 CORE_LOG_TEXT("error", error->text));
    else
        CORE_LOG(source->log, ERROR, "cdc", "cannot go on; trying again",
                 CORE_LOG_TEXT("code", core_error_code_name(error->code)),
                 CORE_LOG_TEXT("error", error->text));
}

static bool is_streaming(const cdc_source *source) {
    return source->state.current == SOURCE_STREAMING || source->state.current == SOURCE_BLOCKED;
}

static bool needs_person(const core_error *error) {
    return error->code == CORE_ERROR_INPUT || error->code == CORE_ERROR_LIMIT ||
           error->code == CORE_ERROR_GAP;
}

/* A broker that comes back with less has lost it. */
static void acked_remember(cdc_source *source) {
    unsigned state = source->state.current;
    if (state == SOURCE_STREAMING || state == SOURCE_BLOCKED || state == SOURCE_DRAINING)
        source->acked_sequence = source->ledger->acked.sequence;
}

/* What comes up only to break at once is not tried at full rate. */
static void backoff_ease(cdc_source *source) {
    int64_t streamed_ms = core_clock_ms(source->clock) - source->streaming_since_ms;
    if (!is_streaming(source) || (!source->acked_any && streamed_ms < BACKOFF_MAX_MS))
        return;
    core_backoff_reset(&source->backoff);
    source->told_text[0] = '\0';
}

/* The slot stays ours and its walsender content. Snapshots say why they wait. */
static void full_enter(cdc_source *source, const core_error *error) {
    error_tell(source, error);
    cdc_source_snapshot_end(source, error->text);
    cdc_source_move(source, SOURCE_FULL);
    status_set(source, CORE_READY_NO, error->text);
    cdc_source_full_begin(source);
}

/* Something broke: drops the connections and backs off, or fails for good when only a person can
 * mend it. */
static void source_break(cdc_source *source, const core_error *error) {
    bool was_draining = source->state.current == SOURCE_DRAINING;
    acked_remember(source);
    backoff_ease(source);
    if (error->code == CORE_ERROR_FULL && is_streaming(source)) {
        full_enter(source, error);
        return;
    }
    if (cdc_reorder_wants_whole(source->reorder) || source->wal->wants_whole)
        source->whole_until_ms = core_clock_ms(source->clock) + WHOLE_MS;
    cdc_source_snapshot_end(source, error->text);
    cdc_source_close(source);
    if (was_draining) {
        CORE_LOG(source->log, WARN, "cdc", "the drain was cut short",
                 CORE_LOG_TEXT("error", error->text));
        cdc_source_move(source, SOURCE_STOPPED);
        return;
    }
    bool standby = source->standing_by && error->code == CORE_ERROR_TRANSIENT;
    status_set(source, standby ? CORE_READY_STANDBY : CORE_READY_NO, standby ? "" : error->text);
    if (needs_person(error)) {
        CORE_LOG(source->log, ERROR, "cdc",
                 "stopped: nothing is read or confirmed until this is mended and walcast "
                 "restarted; the slot keeps the WAL",
                 CORE_LOG_TEXT("code", core_error_code_name(error->code)),
                 CORE_LOG_TEXT("error", error->text));
        cdc_source_move(source, SOURCE_FAILED);
        return;
    }
    error_tell(source, error);
    core_metrics_add(source->metrics, CORE_METRIC_CDC_RECONNECTS, source->standing_by ? 0 : 1);
    int64_t now_ms = core_clock_ms(source->clock);
    int64_t wait_ms =
        source->standing_by ? STANDBY_RETRY_MS : core_backoff_next_ms(&source->backoff);
    source->retry_at_ms = now_ms + wait_ms;
    source->stand_by_until_ms = now_ms + (source->standing_by ? STANDBY_TRY_MS : 0);
    cdc_source_move(source, SOURCE_BACKING_OFF);
}

/* ---- Steps: one a state ---- */

typedef bool (*source_step)(cdc_source *source, core_error *error);

static bool step_broker(cdc_source *source, core_error *error) {
    source->standing_by = false;
    if (!cdc_source_broker_open(source, error))
        return false;
    cdc_source_move(source, SOURCE_CONNECTING_DATABASE);
    return true;
}

static bool step_database(cdc_source *source, core_error *error) {
    if (!cdc_source_database_open(source, error))
        return false;
    cdc_source_move(source, SOURCE_SETTING_UP);
    return true;
}

static bool step_set_up(cdc_source *source, core_error *error) {
    if (!cdc_source_set_up(source, error))
        return false;
    cdc_source_move(source, source->exported[0] != '\0' ? SOURCE_SNAPSHOTTING : SOURCE_STREAMING);
    return true;
}

static bool step_initial(cdc_source *source, core_error *error) {
    bool done = false;
    if (!cdc_source_initial(source, &done, error))
        return false;
    if (!done)
        return true;
    if (!cdc_source_initial_end(source, error))
        return false;
    cdc_source_move(source, SOURCE_STREAMING);
    return true;
}

/* Sleeps until the time or a request. */
static void source_wait(cdc_source *source, int64_t until_ms) {
    int64_t left_ms = until_ms - core_clock_ms(source->clock);
    struct pollfd fd = {.fd = source->stop_fd, .events = POLLIN};
    if (left_ms > 0)
        (void)poll(&fd, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
}

static bool step_back_off(cdc_source *source, core_error *error) {
    (void)error;
    source_wait(source, source->retry_at_ms);
    int64_t now_ms = core_clock_ms(source->clock);
    if (now_ms < source->retry_at_ms)
        return true;
    if (now_ms < source->stand_by_until_ms && cdc_source_slot_taken(source))
        source->retry_at_ms = now_ms + STANDBY_RETRY_MS;
    else
        cdc_source_move(source, SOURCE_CONNECTING_BROKER);
    return true;
}

static bool step_failed(cdc_source *source, core_error *error) {
    (void)error;
    source_wait(source, source->watch_at_ms);
    return true;
}

static bool step_full(cdc_source *source, core_error *error) {
    bool over = false;
    if (!cdc_source_full_step(source, &over, error))
        return false;
    if (over) {
        cdc_source_close(source);
        source->retry_at_ms = core_clock_ms(source->clock);
        cdc_source_move(source, SOURCE_BACKING_OFF);
    } else
        source_wait(source, cdc_source_full_until_ms(source));
    return true;
}

static bool step_drain(cdc_source *source, core_error *error) {
    bool done = false;
    if (!cdc_source_drain_step(source, &done, error))
        return false;
    if (done) {
        cdc_source_finish(source);
        cdc_source_move(source, SOURCE_STOPPED);
    }
    return true;
}

static const source_step source_steps[SOURCE_STATES] = {
    [SOURCE_CONNECTING_BROKER] = step_broker,
    [SOURCE_CONNECTING_DATABASE] = step_database,
    [SOURCE_SETTING_UP] = step_set_up,
    [SOURCE_SNAPSHOTTING] = step_initial,
    [SOURCE_STREAMING] = cdc_source_stream,
    [SOURCE_BLOCKED] = cdc_source_stream,
    [SOURCE_BACKING_OFF] = step_back_off,
    [SOURCE_DRAINING] = step_drain,
    [SOURCE_FAILED] = step_failed,
    [SOURCE_FULL] = step_full,
};

/* ---- Loop ---- */

/* Requests decide between two steps. */
static void requests_take(cdc_source *source) {
    unsigned state = source->state.current;
    if (state == SOURCE_STOPPED)
        return;
    if (atomic_load(&source->stop_asked)) {
        cdc_source_move(source, SOURCE_STOPPED);
        return;
    }
    if (!atomic_load(&source->drain_asked) || state == SOURCE_DRAINING)
        return;
    if (state != SOURCE_STREAMING && state != SOURCE_BLOCKED) {
        cdc_source_move(source, SOURCE_STOPPED);
        return;
    }
    uint64_t count;
    if (read(source->stop_fd, &count, sizeof count) < 0)
        count = 0; /* empty already: the flags are what counts */
    source->drain_until_ms =
        core_clock_ms(source->clock) + core_config_integer(source->config, "drain.timeout");
    cdc_source_move(source, SOURCE_DRAINING);
}

void cdc_source_run(cdc_source *source) {
    source->watch_at_ms = core_clock_ms(source->clock) + WATCH_FIRST_MS;
    for (;;) {
        requests_take(source);
        if (source->state.current == SOURCE_STOPPED)
            break;
        core_error error = {0};
        if (!source_steps[source->state.current](source, &error))
            source_break(source, &error);
        cdc_source_watch(source);
    }
    cdc_source_close(source);
    status_set(source, CORE_READY_NO, core_state_name(&source->state));
    atomic_store(&source->stopped, true);
}
