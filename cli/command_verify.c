/* `walcast verify`: does the stream hold what the table holds? The comparison is cdc's; here is how
 * it is asked for and told.
 *
 * Differences are printed as they are found, so that however many there are, none is kept; the sum
 * at the end. With --json it is one object, whose first member they are. A progress line stands on
 * standard error while that is a terminal. */
#include "cdc/cdc.h"
#include "cli/command.h"
#include "cli/tail.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define VERIFY_MAGIC      UINT32_C(0x76726679)
#define LIMIT_DEFAULT     100
#define LIMIT_MAX         1000000
#define TIMEOUT_DEFAULT   "60s"
#define TIMEOUT_MAX_MS    (INT64_C(24) * 3600 * CORE_MS_PER_S)
#define OUT_BYTES_MAX     ((size_t)4 << 20) /* one difference, or the rest */
#define LSN_TEXT_SIZE     32
#define PROGRESS_EVERY_MS 200

typedef struct {
    uint32_t magic;
    bool json;
    bool progress; /* standard error is a terminal */
    tail_table table;
    core_buffer out; /* JSON to print next */
    bool begun;      /* the object and its first member are open */
    int64_t began_ms;
    int64_t told_ms;
    cdc_verify_phase phase;
    bool line; /* a progress line stands there */
} verify;

/* ---- While it runs ---- */

static const char *kind_name(cdc_difference_kind kind) {
    switch (kind) {
    case CDC_DIFFERENT:
        return "different";
    case CDC_MISSING_IN_STREAM:
        return "missing_in_stream";
    case CDC_ONLY_IN_STREAM:
        return "only_in_stream";
    }
    return "";
}

static void line_clear(verify *state) {
    if (state->line)
        (void)fprintf(stderr, "\r\033[K");
    state->line = false;
}

/* Prints what `out` holds. */
static void out_print(verify *state) {
    (void)fwrite(state->out.data, 1, state->out.length, stdout);
    core_buffer_reset(&state->out);
}

static void object_begin(verify *state) {
    if (!state->begun)
        (void)printf("{\"differences\":[");
    state->begun = true;
}

static void difference_json(verify *state, const cdc_difference *difference) {
    core_json_writer json = core_json_writer_make(&state->out);
    (void)printf("%s", state->begun ? "," : "");
    object_begin(state);
    core_json_object_open(&json);
    core_json_key_text(&json, "kind");
    core_json_text(&json, kind_name(difference->kind));
    core_json_key_text(&json, "key");
    core_json_raw(&json, difference->key);
    if (difference->columns.length > 0) {
        core_json_key_text(&json, "columns");
        core_json_raw(&json, difference->columns);
    }
    if (difference->table_values.length > 0) {
        core_json_key_text(&json, "table");
        core_json_raw(&json, difference->table_values);
        core_json_key_text(&json, "stream");
        core_json_raw(&json, difference->stream_values);
    }
    core_json_key_text(&json, "rows");
    core_json_unsigned(&json, difference->rows);
    core_json_object_close(&json);
    out_print(state);
}

static void on_difference(void *context, const cdc_difference *difference) {
    verify *state = context;
    CORE_MAGIC_CHECK(state, VERIFY_MAGIC);
    line_clear(state);
    if (state->json) {
        difference_json(state, difference);
        return;
    }
    (void)printf("%-18s %.*s", kind_name(difference->kind), CORE_SLICE_ARGS(difference->key));
    if (difference->columns.length > 0)
        (void)printf("  %.*s", CORE_SLICE_ARGS(difference->columns));
    if (difference->table_values.length > 0)
        (void)printf("  table %.*s  stream %.*s", CORE_SLICE_ARGS(difference->table_values),
                     CORE_SLICE_ARGS(difference->stream_values));
    if (difference->rows > 1)
        (void)printf("  %" PRIu64 " rows", difference->rows);
    (void)printf("\n");
}

static void lsn_format(core_lsn lsn, char text[LSN_TEXT_SIZE]) {
    (void)snprintf(text, LSN_TEXT_SIZE, CORE_LSN_FORMAT, CORE_LSN_ARGS(lsn));
}

static void bar_print(const char *what, uint64_t done, uint64_t total, int64_t took_ms) {
    char bar[31];
    size_t full = total > 0 && done < total ? (size_t)(done * 30 / total) : 30;
    uint64_t rate = took_ms >= PROGRESS_EVERY_MS ? done * CORE_MS_PER_S / (uint64_t)took_ms : 0;
    for (size_t i = 0; i < sizeof bar - 1; i++)
        bar[i] = i < full ? '#' : '.';
    bar[sizeof bar - 1] = '\0';
    (void)fprintf(stderr, "\r\033[K%s [%s] %" PRIu64, what, bar, done);
    if (rate > 0)
        (void)fprintf(stderr, ", %" PRIu64 "/s", rate);
    if (total > done && rate > 0)
        (void)fprintf(stderr, ", %" PRIu64 " s left", (total - done) / rate);
}

static void waiting_print(uint64_t done, uint64_t total) {
    char at[LSN_TEXT_SIZE];
    char point[LSN_TEXT_SIZE];
    if (total == 0) {
        (void)fprintf(stderr, "\r\033[Kwaiting for a snapshot of the table to end");
        return;
    }
    lsn_format(done, at);
    lsn_format(total, point);
    (void)fprintf(stderr, "\r\033[Kwaiting for the stream: at %s, the table was read at %s", at,
                  point);
}

static void on_progress(void *context, cdc_verify_phase phase, uint64_t done, uint64_t total) {
    static const char *const names[] = {[CDC_VERIFY_READING] = "table rows",
                                        [CDC_VERIFY_FOLDING] = "stream messages",
                                        [CDC_VERIFY_COMPARING] = "parts"};
    verify *state = context;
    CORE_MAGIC_CHECK(state, VERIFY_MAGIC);
    int64_t now_ms = core_clock_ms(core_clock_system());
    if (!state->progress || (state->line && now_ms - state->told_ms < PROGRESS_EVERY_MS))
        return;
    if (phase != state->phase || state->told_ms == 0)
        state->began_ms = now_ms;
    state->phase = phase;
    state->told_ms = now_ms;
    state->line = true;
    if (phase == CDC_VERIFY_WAITING)
        waiting_print(done, total);
    else
        bar_print(names[phase], done, total, now_ms - state->began_ms);
    (void)fflush(stderr);
}

/* ---- The report ---- */

static uint64_t not_covered(const cdc_verify_report *report) {
    return report->before_history + report->not_told + report->not_published;
}

static uint64_t different(const cdc_verify_report *report) {
    return report->different + report->missing + report->only_in_stream;
}

static void count_print(uint64_t count, const char *text) {
    if (count > 0)
        (void)printf("  %" PRIu64 " %s\n", count, text);
}

static void report_print(const verify *state, const cdc_verify_report *report) {
    char lsn[LSN_TEXT_SIZE];
    lsn_format(report->lsn, lsn);
    uint64_t found = different(report);
    if (found > report->told)
        (void)printf("(the first %" PRIu64 " differences; --limit shows more)\n", report->told);
    (void)printf("%s.%s: %s\n", state->table.schema, state->table.table,
                 found > 0                 ? "DIFFERENT"
                 : not_covered(report) > 0 ? "equal where it is covered"
                                           : "equal");
    (void)printf("  %" PRIu64 " rows at LSN %s, snapshot %s; %" PRIu64
                 " changes of the stream, in %.1f s\n",
                 report->rows, lsn, report->snapshot, report->changes,
                 (double)report->took_ms / CORE_MS_PER_S);
    (void)printf("  %" PRIu64 " equal\n", report->equal);
    count_print(report->different, "with different values");
    count_print(report->missing, "missing in the stream");
    count_print(report->only_in_stream, "only in the stream");
    if (not_covered(report) > 0)
        (void)printf("  %" PRIu64 " not covered:\n", not_covered(report));
    count_print(report->before_history, "  written before what the stream holds: `walcast snapshot "
                                        "start` reads them into it");
    count_print(report->not_told, "  with a value that the stream does not tell: left unchanged by "
                                  "an UPDATE, added later, or read later");
    count_print(report->not_published, "  that an UPDATE or DELETE which is not published may have "
                                       "changed: give the table a key");
}

static void number_json(core_json_writer *json, const char *name, uint64_t number) {
    core_json_key_text(json, name);
    core_json_unsigned(json, number);
}

static void counts_json(core_json_writer *json, const cdc_verify_report *report) {
    number_json(json, "rows", report->rows);
    number_json(json, "equal_rows", report->equal);
    number_json(json, "different", report->different);
    number_json(json, "missing_in_stream", report->missing);
    number_json(json, "only_in_stream", report->only_in_stream);
    core_json_key_text(json, "not_covered");
    core_json_object_open(json);
    number_json(json, "rows", not_covered(report));
    number_json(json, "before_history", report->before_history);
    number_json(json, "value_not_told", report->not_told);
    number_json(json, "not_published", report->not_published);
    core_json_object_close(json);
    number_json(json, "changes", report->changes);
    number_json(json, "changes_later", report->changes_later);
}

static void report_json(verify *state, const cdc_verify_report *report) {
    char lsn[LSN_TEXT_SIZE];
    core_json_writer json = core_json_writer_make(&state->out);
    lsn_format(report->lsn, lsn);
    object_begin(state);
    (void)printf("],");
    core_json_key_text(&json, "schema");
    core_json_text(&json, state->table.schema);
    core_json_key_text(&json, "table");
    core_json_text(&json, state->table.table);
    core_json_key_text(&json, "equal");
    core_json_bool(&json, different(report) == 0);
    core_json_key_text(&json, "has_key");
    core_json_bool(&json, report->has_key);
    counts_json(&json, report);
    core_json_key_text(&json, "lsn");
    core_json_text(&json, lsn);
    core_json_key_text(&json, "snapshot");
    core_json_text(&json, report->snapshot);
    number_json(&json, "ms", (uint64_t)report->took_ms);
    core_json_object_close(&json);
    core_buffer_text(&state->out, "\n");
    out_print(state);
}

/* ---- The command ---- */

static bool arguments_read(const cli_arguments *arguments, const core_config *config, verify *state,
                           cdc_verify_options *options, core_error *error) {
    const char *limit = cli_value(arguments, "--limit");
    const char *timeout = cli_value(arguments, "--timeout");
    int64_t limit_number = LIMIT_DEFAULT;
    if (arguments->operand == NULL)
        return core_error_set(error, CORE_ERROR_INPUT, "expected a table: SCHEMA.TABLE");
    if (!tail_table_parse(arguments->operand, core_config_text(config, "postgres.home_schema"),
                          &state->table, error))
        return false;
    if (limit != NULL &&
        !core_config_number_read(CORE_CONFIG_INTEGER, limit, 0, LIMIT_MAX, &limit_number, error))
        return core_error_wrap(error, "--limit %s", limit);
    if (!core_config_number_read(CORE_CONFIG_DURATION, timeout != NULL ? timeout : TIMEOUT_DEFAULT,
                                 CORE_MS_PER_S, TIMEOUT_MAX_MS, &options->timeout_ms, error))
        return core_error_wrap(error, "--timeout %s", timeout);
    options->schema = state->table.schema;
    options->table = state->table.table;
    options->limit = (size_t)limit_number;
    return true;
}

static cli_exit verify_run(verify *state, const core_config *config,
                           const cdc_verify_options *options) {
    cdc_verify_report report;
    core_error error;
    core_log *log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, core_clock_system());
    bool ok = cdc_verify(config, log, options, &report, &error);
    core_log_free(log);
    line_clear(state);
    if (!ok)
        return cli_fail(&error);
    if (state->json)
        report_json(state, &report);
    else
        report_print(state, &report);
    cli_exit output = cli_output_finish();
    return output == CLI_OK && different(&report) > 0 ? CLI_BAD : output;
}

cli_exit cli_command_verify(const cli_arguments *arguments) {
    verify state = {.magic = VERIFY_MAGIC,
                    .json = cli_flag(arguments, "--json"),
                    .progress = isatty(STDERR_FILENO) == 1};
    cdc_verify_options options = {.shows_values = cli_flag(arguments, "--values"),
                                  .on_difference = on_difference,
                                  .on_progress = on_progress,
                                  .context = &state};
    core_error error;
    core_config *config = cli_config_load(arguments);
    if (config == NULL)
        return CLI_USAGE;
    core_buffer_init(&state.out, OUT_BYTES_MAX);
    cli_exit result = arguments_read(arguments, config, &state, &options, &error)
                          ? verify_run(&state, config, &options)
                          : cli_usage_fail("verify", &error);
    core_buffer_fini(&state.out);
    core_config_free(config);
    return result;
}
