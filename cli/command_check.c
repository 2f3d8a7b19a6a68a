/* `walcast check`: would `walcast run` work? Asks, tells, changes nothing.
 *
 * Four parts, each with its findings as lines: the configuration with the memory that its limits
 * allow with the tokens that are accepted, the certificate, the database, NATS. A configuration
 * that cannot be read ends with 2 before anything is asked; a server that is not as it must be ends
 * with 1, or 2 when it is the configuration that must be mended (a wrong user, another stream of
 * the same name). */
#include "auth/auth.h"
#include "cdc/cdc.h"
#include "cli/command.h"
#include "cli/memory.h"
#include "cli/setup.h"
#include "fanout/fanout.h"
#include "ws/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
    bool ok;
    char *lines; /* from open_memstream */
    size_t length;
} check_part;

typedef struct {
    const core_config *config;
    check_part tokens;
    check_part database;
    check_part nats;
    check_part policies; /* where they were asked for */
    bool asks_policies;
    check_part tls; /* of http.listen, where a certificate is configured */
    bool asked;     /* the servers, too */
    cli_exit exit;
} check;

static void check_worsen(check *state, cli_exit exit) {
    state->exit = exit > state->exit ? exit : state->exit;
}

/* Which credentials are accepted; an issuer whose keys cannot be fetched is told. */
static void check_tokens(check *state) {
    check_part *part = &state->tokens;
    FILE *report = open_memstream(&part->lines, &part->length);
    if (report == NULL)
        return;
    part->ok = auth_tokens_check(state->config, state->asked, report);
    (void)fclose(report);
    if (!part->ok)
        check_worsen(state, CLI_BAD);
}

static void check_database(check *state) {
    check_part *part = &state->database;
    FILE *report = open_memstream(&part->lines, &part->length);
    if (report == NULL)
        return;
    part->ok = cdc_check(state->config, report);
    if (part->ok)
        cli_setup_hint(state->config, report);
    (void)fclose(report);
    if (!part->ok)
        check_worsen(state, CLI_BAD);
}

/* The stream, if it is there, must be the one that `run` would make. */
static bool nats_look(const core_config *config, core_log *log, FILE *report, core_error *error) {
    char subjects[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    bool exists = false;
    fanout_connection *connection =
        fanout_connection_new(config, "walcast check", log, NULL, error);
    if (connection == NULL)
        return false;
    (void)fprintf(report, "connected, messages up to %lld bytes\n",
                  (long long)fanout_connection_max_payload(connection));
    fanout_stream_spec spec = fanout_stream_change_spec(config, subjects, sizeof subjects);
    bool ok = fanout_stream_check(connection, &spec, &exists, &info, error);
    if (ok && !exists)
        (void)fprintf(report, "stream %s does not exist yet: it is made when cdc starts\n",
                      spec.name);
    else if (ok)
        (void)fprintf(report, "stream %s holds sequences %llu to %llu, %llu bytes\n", spec.name,
                      (unsigned long long)info.first_sequence,
                      (unsigned long long)info.last_sequence, (unsigned long long)info.bytes);
    fanout_connection_free(connection);
    if (ok && exists && info.deleted > 0) /* cdc tells of them, and replays what it can */
        (void)fprintf(
            report,
            "stream %s lacks %llu messages in its middle, which nats-server lost: its GAP "
            "events say where\n",
            spec.name, (unsigned long long)info.deleted);
    return ok;
}

static void check_nats(check *state) {
    check_part *part = &state->nats;
    core_error error;
    core_log *log = core_log_new(STDERR_FILENO, CORE_LOG_ERROR, false, core_clock_system());
    FILE *report = open_memstream(&part->lines, &part->length);
    if (report != NULL && log != NULL) {
        part->ok = nats_look(state->config, log, report, &error);
        if (!part->ok) {
            (void)fprintf(report, "%s\n", error.text);
            check_worsen(state, error.code == CORE_ERROR_CONFIG ? CLI_USAGE : CLI_BAD);
        }
    }
    if (report != NULL)
        (void)fclose(report);
    core_log_free(log);
}

static void check_policies(check *state) {
    check_part *part = &state->policies;
    core_error error;
    FILE *report = open_memstream(&part->lines, &part->length);
    if (report == NULL)
        return;
    part->ok = auth_policies_report(state->config, report, &error);
    if (!part->ok)
        (void)fprintf(report, "%s\n", error.text);
    (void)fclose(report);
    if (!part->ok)
        check_worsen(state, CLI_BAD);
}

static bool check_has_tls(const check *state) {
    return core_config_text(state->config, "http.tls_cert") != NULL;
}

/* A file that cannot be served with is the configuration's to mend. */
static void check_tls(check *state) {
    check_part *part = &state->tls;
    FILE *report = open_memstream(&part->lines, &part->length);
    if (report == NULL)
        return;
    part->ok = ws_certificate_check(state->config, report);
    (void)fclose(report);
    if (!part->ok)
        check_worsen(state, CLI_USAGE);
}

/* ---- As text ---- */

static void part_print(const char *name, const check_part *part) {
    (void)printf("\n%s: %s\n", name, part->ok ? "ok" : "NOT OK");
    const char *line = part->lines != NULL ? part->lines : "";
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        (void)printf("  %.*s\n", (int)length, line);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
}

static void check_print(const check *state) {
    (void)printf("configuration: ok\n\n");
    core_config_print(state->config, stdout, false);
    (void)printf("\n");
    cli_memory_print(state->config, stdout);
    const char *warning;
    for (size_t i = 0; (warning = auth_tokens_warning(state->config, i)) != NULL; i++)
        (void)printf("\nwarning: %s\n", warning);
    if ((warning = auth_secrets_warning(state->config)) != NULL)
        (void)printf("\nwarning: %s\n", warning);
    part_print("Tokens", &state->tokens);
    if (check_has_tls(state))
        part_print("TLS", &state->tls);
    if (!state->asked)
        return;
    part_print("PostgreSQL", &state->database);
    part_print("NATS", &state->nats);
    if (state->asks_policies)
        part_print("Policies", &state->policies);
}

/* ---- As JSON ---- */

static void part_json(core_json_writer *writer, const char *name, const check_part *part) {
    core_json_key_text(writer, name);
    core_json_object_open(writer);
    core_json_key_text(writer, "ok");
    core_json_bool(writer, part->ok);
    core_json_key_text(writer, "findings");
    core_json_array_open(writer);
    const char *line = part->lines != NULL ? part->lines : "";
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        core_json_string(writer, core_slice_make(line, length));
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    core_json_array_close(writer);
    core_json_object_close(writer);
}

static void config_json(core_json_writer *writer, const core_config *config) {
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    core_json_key_text(writer, "config");
    if (memory != NULL) {
        core_config_print(config, memory, true);
        (void)fclose(memory);
    }
    while (length > 0 && text[length - 1] == '\n')
        length--;
    if (length > 0)
        core_json_raw(writer, core_slice_make(text, length));
    else
        core_json_null(writer);
    free(text);
}

static void warnings_json(core_json_writer *writer, const core_config *config) {
    core_json_key_text(writer, "warnings");
    core_json_array_open(writer);
    const char *warning;
    for (size_t i = 0; (warning = auth_tokens_warning(config, i)) != NULL; i++)
        core_json_text(writer, warning);
    if ((warning = auth_secrets_warning(config)) != NULL)
        core_json_text(writer, warning);
    core_json_array_close(writer);
}

static void check_json(const check *state) {
    core_buffer out;
    core_buffer_init(&out, (size_t)4 << 20);
    core_json_writer writer = core_json_writer_make(&out);
    core_json_object_open(&writer);
    core_json_key_text(&writer, "ok");
    core_json_bool(&writer, state->exit == CLI_OK);
    config_json(&writer, state->config);
    core_json_key_text(&writer, "memory");
    cli_memory_json(state->config, &writer);
    warnings_json(&writer, state->config);
    part_json(&writer, "tokens", &state->tokens);
    if (check_has_tls(state))
        part_json(&writer, "tls", &state->tls);
    if (state->asked) {
        part_json(&writer, "postgres", &state->database);
        part_json(&writer, "nats", &state->nats);
    }
    if (state->asked && state->asks_policies)
        part_json(&writer, "policies", &state->policies);
    core_json_object_close(&writer);
    (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&out)));
    core_buffer_fini(&out);
}

cli_exit cli_command_check(const cli_arguments *arguments) {
    core_config *config = cli_config_load(arguments);
    if (config == NULL)
        return CLI_USAGE;
    check state = {.config = config,
                   .asked = !cli_flag(arguments, "--offline"),
                   .asks_policies = cli_flag(arguments, "--policies")};
    check_tokens(&state);
    if (check_has_tls(&state))
        check_tls(&state);
    if (state.asked) {
        check_database(&state);
        check_nats(&state);
        if (state.asks_policies)
            check_policies(&state);
    }
    if (cli_flag(arguments, "--json"))
        check_json(&state);
    else
        check_print(&state);
    cli_exit output = cli_output_finish();
    check_worsen(&state, output);
    free(state.tokens.lines);
    free(state.database.lines);
    free(state.nats.lines);
    free(state.policies.lines);
    free(state.tls.lines);
    core_config_free(config);
    return state.exit;
}
