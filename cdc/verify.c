/* `walcast verify`: the table, the wait, the stream, the comparison; see cdc.h.
 *
 * One point: the table's reader sees the transactions of its snapshot and no others, so of the
 * stream those changes count whose transaction it sees. All of them are before the position that
 * the log had then, so the stream is read once it has passed that. A commit that waits for a
 * synchronous standby is in the stream already and not seen yet: it does not count on either side.
 */
#include "cdc/verify_compare.h"
#include "cdc/verify_history.h"
#include "cdc/verify_stream.h"
#include "cdc/verify_table.h"

#include <stdio.h>
#include <time.h>

enum {
    LOOK_EVERY_MS = 100,
    NUDGE_AFTER_MS = 1500,
    FOLD_BYTES = 16 << 20,
};

typedef struct {
    const core_config *config;
    core_log *log;
    const cdc_verify_options *options;
    cdc_verify_report *report;
    cdc_verify_seed seed;
    fanout_connection *connection;
    cdc_verify_history history;
    cdc_verify_table table;
    cdc_verify_snapshots snapshots;
    uint64_t reads_until; /* the stream's last message before the table was read */
    cdc_verify_progress_point point;
    cdc_verify_subject subject;
    cdc_verify_spill *spill; /* of the stream's events */
    cdc_verify_events events;
} verify;

static int64_t now_ms(void) {
    return core_clock_ms(core_clock_system());
}

static void look_pause(void) {
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * CORE_NS_PER_MS};
    (void)nanosleep(&pause, NULL);
}

static void progress_tell(const verify *state, cdc_verify_phase phase, uint64_t done,
                          uint64_t total) {
    if (state->options->on_progress != NULL)
        state->options->on_progress(state->options->context, phase, done, total);
}

/* ---- Waiting ---- */

/* Rows that a snapshot is reading into the stream are neither there nor missing. */
static bool snapshots_settle(verify *state, core_error *error) {
    int64_t until_ms = now_ms() + state->options->timeout_ms;
    for (;;) {
        if (!cdc_verify_snapshots_look(&state->history, state->options->schema,
                                       state->options->table, &state->snapshots, error))
            return false;
        if (!state->snapshots.running) {
            fanout_stream_info info;
            bool ok = fanout_stream_inspect(state->connection, state->history.stream, &info, error);
            state->reads_until = ok ? info.last_sequence : 0;
            return ok;
        }
        if (now_ms() >= until_ms)
            return core_error_set(error, CORE_ERROR_TRANSIENT,
                                  "a snapshot of %s.%s is under way: wait for its end (walcast "
                                  "snapshot status), then verify",
                                  state->options->schema, state->options->table);
        progress_tell(state, CDC_VERIFY_WAITING, 0, 0);
        look_pause();
    }
}

/* What is said when the time is over: a broker that is away, or a stream that stands. */
static bool not_passed(const verify *state, const core_error *last, core_error *error) {
    if (last->code != CORE_ERROR_NONE) {
        *error = *last;
        return false;
    }
    return core_error_set(error, CORE_ERROR_TRANSIENT,
                          "stream %s does not move: it is at " CORE_LSN_FORMAT
                          ", the table was read at " CORE_LSN_FORMAT
                          "; is `walcast run` running with the role cdc, and does its slot move?",
                          core_config_text(state->config, "nats.stream"),
                          CORE_LSN_ARGS(state->point.passed_lsn), CORE_LSN_ARGS(state->table.lsn));
}

static bool cluster_check(const verify *state, core_error *error) {
    if (!state->point.has_position || state->point.position.system_id == state->table.system_id)
        return true;
    return core_error_set(
        error, CORE_ERROR_CONFIG,
        "stream %s holds the changes of another database cluster than postgres.url "
        "names (system identifiers %llu and %llu)",
        core_config_text(state->config, "nats.stream"),
        (unsigned long long)state->point.position.system_id,
        (unsigned long long)state->table.system_id);
}

/* One look; `last` is why it did not work, when another look may. */
static bool stream_look(verify *state, core_error *last, core_error *error) {
    *last = (core_error){0};
    if (!cdc_verify_progress_look(&state->history, &state->point, last)) {
        if (last->code == CORE_ERROR_TRANSIENT)
            return true;
        *error = *last;
        return false;
    }
    return cluster_check(state, error);
}

/* Until every commit that the table's reader sees is in the stream. */
static bool stream_pass(verify *state, core_error *error) {
    core_error last;
    int64_t moved_ms = now_ms();
    bool nudged = false;
    core_lsn before = 0;
    for (;;) {
        if (!stream_look(state, &last, error))
            return false;
        bool looked = last.code == CORE_ERROR_NONE;
        core_lsn passed = looked ? state->point.passed_lsn : before;
        if (looked && passed >= state->table.lsn)
            return true;
        progress_tell(state, CDC_VERIFY_WAITING, passed, state->table.lsn);
        moved_ms = passed != before ? now_ms() : moved_ms;
        before = passed;
        int64_t still_ms = now_ms() - moved_ms;
        if (still_ms >= state->options->timeout_ms)
            return not_passed(state, &last, error);
        if (!nudged && still_ms >= NUDGE_AFTER_MS) {
            cdc_verify_table_nudge(state->config);
            nudged = true;
        }
        look_pause();
    }
}

/* A record may be left of a stream of this name that is gone. */
static bool is_snapshot_of_stream(const verify *state) {
    const cdc_verify_snapshots *snapshots = &state->snapshots;
    return snapshots->done_id[0] != '\0' &&
           strcmp(snapshots->done_epoch, state->point.position.epoch) == 0;
}

/* ---- The stream ---- */

/* Without a key what a snapshot read cannot be told from what was inserted before: history then
 * begins with the snapshot. */
static uint64_t history_begin(const verify *state) {
    uint64_t begin = state->point.stream.first_sequence;
    begin = state->subject.gap_sequence >= begin ? state->subject.gap_sequence + 1 : begin;
    if (state->table.shape.key_count == 0 && is_snapshot_of_stream(state) &&
        state->snapshots.done_sequence >= begin)
        begin = state->snapshots.done_sequence + 1;
    return begin > 0 ? begin : 1;
}

static bool stream_fold(verify *state, core_error *error) {
    const cdc_verify_options *options = state->options;
    if (!cdc_verify_subject_look(&state->history, options->schema, options->table, &state->subject,
                                 error))
        return false;
    state->spill = cdc_verify_spill_new(state->config, 0, error);
    const cdc_verify_events_spec events = {
        .seed = &state->seed,
        .shape = &state->table.shape,
        .visibility = &state->table.visibility,
        .reads_until = state->reads_until,
        .reads_after = state->snapshots.done_sequence,
        .reads_of = core_slice_text(is_snapshot_of_stream(state) ? state->snapshots.done_id : ""),
        .first_sequence = history_begin(state),
        .max_row_bytes = (size_t)core_config_integer(state->config, "cdc.max_row_bytes"),
        .shows_values = options->shows_values,
        .spill = state->spill,
    };
    const cdc_verify_stream_spec stream = {
        .stream = core_config_text(state->config, "nats.stream"),
        .filter = state->subject.filter,
        .from = events.first_sequence,
        .until = state->subject.last_sequence,
        .timeout_ms = options->timeout_ms,
    };
    return state->spill != NULL && cdc_verify_events_init(&state->events, &events, error) &&
           cdc_verify_stream_read(state->connection, &stream, &state->events, options, state->log,
                                  error) &&
           cdc_verify_spill_finish(state->spill, error);
}

/* ---- Coverage ---- */

/* The table's last message may be of an epoch that is over. */
static void epoch_settle(verify *state) {
    cdc_verify_events *events = &state->events;
    if (events->epoch[0] != '\0' && strcmp(events->epoch, state->point.position.epoch) != 0)
        cdc_verify_events_cut(events, state->point.stream.last_sequence);
}

static bool coverage_find(verify *state, cdc_verify_coverage *coverage, core_error *error) {
    const cdc_verify_events *events = &state->events;
    const cdc_verify_shape *shape = &state->table.shape;
    cdc_marks marks;
    epoch_settle(state);
    bool is_read = is_snapshot_of_stream(state) &&
                   state->snapshots.done_sequence + 1 >= events->first_sequence;
    if (!cdc_verify_marks_look(&state->history, &marks, error))
        return false;
    const cdc_mark *mark =
        cdc_marks_find(&marks, state->point.position.epoch, events->first_sequence);
    *coverage = (cdc_verify_coverage){
        .xmin_tells = core_visibility_xmin_tells(&state->table.visibility),
        .has_mark = mark != NULL,
        .mark = mark != NULL ? mark->xid : 0,
    };
    bool is_born_within = mark != NULL && coverage->xmin_tells && shape->born >= mark->xid;
    coverage->whole = is_read || events->truncated || is_born_within;
    return true;
}

/* ---- All of it ---- */

typedef struct {
    const verify *state;
} compare_context;

static void on_difference(void *context, const cdc_difference *difference) {
    const compare_context *compare = context;
    compare->state->options->on_difference(compare->state->options->context, difference);
}

static void on_part(void *context, unsigned done) {
    const compare_context *compare = context;
    progress_tell(compare->state, CDC_VERIFY_COMPARING, done, CDC_VERIFY_PARTS);
}

static bool sides_compare(verify *state, core_error *error) {
    compare_context context = {.state = state};
    cdc_verify_compare compare = {
        .config = state->config,
        .shape = &state->table.shape,
        .fold_bytes = FOLD_BYTES,
        .limit = state->options->limit,
        .on_difference = on_difference,
        .on_part = on_part,
        .context = &context,
        .report = state->report,
    };
    if (!coverage_find(state, &compare.coverage, error))
        return false;
    compare.first_number = state->events.first_number;
    if (!cdc_verify_compare_run(&compare, state->table.spill, state->spill, error))
        return false;
    const cdc_verify_report *report = state->report;
    compare.nothing_left = compare.coverage.whole && report->unaccounted > 0 && report->gone == 0;
    if (!compare.nothing_left)
        return true;
    *state->report = (cdc_verify_report){0}; /* nothing was told: only now it is known to differ */
    return cdc_verify_compare_run(&compare, state->table.spill, state->spill, error);
}

static bool verify_run(verify *state, core_error *error) {
    state->connection =
        fanout_connection_new(state->config, "walcast verify", state->log, NULL, error);
    return state->connection != NULL && cdc_verify_seed_make(&state->seed, error) &&
           cdc_verify_history_init(&state->history, state->config, state->connection, error) &&
           snapshots_settle(state, error) &&
           cdc_verify_table_read(&state->table, state->config, &state->seed, state->options,
                                 error) &&
           stream_pass(state, error) && stream_fold(state, error) && sides_compare(state, error);
}

static void report_fill(const verify *state, int64_t began_ms) {
    cdc_verify_report *report = state->report;
    report->rows = state->table.rows;
    report->changes = state->events.changes;
    report->changes_later = state->events.later;
    report->has_key = state->table.shape.key_count > 0;
    report->lsn = state->table.lsn;
    report->took_ms = now_ms() - began_ms;
    (void)snprintf(report->snapshot, sizeof report->snapshot, "%.*s",
                   CORE_SLICE_ARGS(state->table.snapshot_text));
}

bool cdc_verify(const core_config *config, core_log *log, const cdc_verify_options *options,
                cdc_verify_report *report, core_error *error) {
    if (core_config_bool(config, "postgres.binary"))
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "postgres.binary (%s) is true: verify compares values in their text "
                              "form only",
                              core_config_origin(config, "postgres.binary"));
    verify state = {.config = config, .log = log, .options = options, .report = report};
    int64_t began_ms = now_ms();
    *report = (cdc_verify_report){0};
    bool ok = verify_run(&state, error);
    if (ok)
        report_fill(&state, began_ms);
    cdc_verify_events_fini(&state.events);
    cdc_verify_spill_free(state.spill);
    cdc_verify_table_fini(&state.table);
    cdc_verify_history_fini(&state.history);
    if (state.connection != NULL)
        fanout_connection_free(state.connection);
    return ok;
}
