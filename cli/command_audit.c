/* `walcast audit`: the audit's records as lines on standard output, as they are in their stream
 * (docs/AUDIT.md).
 *
 * An ordered consumer calls back on its own thread, which prints; the main thread waits for the
 * end: --until now is reached, a signal, a reader that went away, or an error. */
#include "cli/command.h"
#include "cli/tail.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define AUDIT_MAGIC 0x7a11a0d1u

typedef struct {
    uint32_t magic;
    core_config *config;
    core_log *log;
    fanout_connection *connection;
    tail_place place;
    bool until_now;
    uint64_t until_sequence;      /* UINT64_MAX: for ever */
    char begin[CORE_SUBJECT_MAX]; /* of the subjects that are shown */
    char end[64];                 /* "" or ".KIND" */
    int signal_fd;
    int end_fd; /* readable once the delivery thread has ended it */
    /* Owned by the delivery thread until the consumer is freed. */
    bool ended;
    bool failed;
    core_error error;
} audit_reader;

/* ---- The delivery thread ---- */

static void audit_end(audit_reader *state, bool ok) {
    state->ended = true;
    state->failed = !ok;
    core_wake_set(state->end_fd);
}

static bool audit_shows(const audit_reader *state, const char *subject) {
    size_t length = strlen(subject), end = strlen(state->end);
    return strncmp(subject, state->begin, strlen(state->begin)) == 0 && length >= end &&
           strcmp(subject + length - end, state->end) == 0;
}

/* False: nobody reads any more, or the disk is full; cli_output_finish tells them apart. */
static bool audit_print(const audit_reader *state, const fanout_message *message) {
    if (audit_shows(state, message->subject) && message->sequence <= state->until_sequence)
        (void)printf("%.*s\n", CORE_SLICE_ARGS(message->payload));
    if (message->pending == 0)
        (void)fflush(stdout);
    return ferror(stdout) == 0;
}

static void audit_on_message(void *context, const fanout_message *message) {
    audit_reader *state = context;
    CORE_MAGIC_CHECK(state, AUDIT_MAGIC);
    if (!state->ended &&
        (!audit_print(state, message) || message->sequence >= state->until_sequence))
        audit_end(state, true);
}

static void audit_on_lost(void *context, const core_error *reason) {
    audit_reader *state = context;
    CORE_MAGIC_CHECK(state, AUDIT_MAGIC);
    if (state->ended)
        return;
    state->error = *reason;
    audit_end(state, false);
}

/* ---- The main thread ---- */

/* Until the delivery thread ends it, a signal comes, or nobody reads any more, which a pipe tells
 * without a write. */
static void audit_wait(const audit_reader *state) {
    struct pollfd waits[] = {{.fd = state->end_fd, .events = POLLIN},
                             {.fd = state->signal_fd, .events = POLLIN},
                             {.fd = STDOUT_FILENO}};
    while (poll(waits, CORE_COUNT_OF(waits), -1) < 0 && errno == EINTR)
        ;
}

/* False: there is nothing to wait for. */
static bool audit_start(audit_reader *state, const fanout_stream_info *info,
                        fanout_ordered_spec *spec) {
    state->until_sequence = state->until_now ? info->last_sequence : UINT64_MAX;
    spec->from = state->place.kind == TAIL_TIME ? FANOUT_FROM_TIME : FANOUT_FROM_SEQUENCE;
    spec->time_us = state->place.time_us;
    spec->sequence = info->first_sequence > 0 ? info->first_sequence : 1;
    if (state->place.kind == TAIL_NOW)
        spec->sequence = info->last_sequence + 1;
    else if (state->place.kind == TAIL_SEQUENCE)
        spec->sequence = state->place.sequence;
    return !state->until_now || (info->messages > 0 && spec->sequence <= info->last_sequence);
}

/* Up to --until every record is looked at, whosever it is: the last one must be seen to come. */
static bool audit_follow(audit_reader *state, core_error *error) {
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    const fanout_stream_spec stream =
        fanout_stream_audit_spec(state->config, name, subjects, sizeof subjects);
    fanout_ordered_spec spec = {.stream = stream.name,
                                .filter = stream.subjects,
                                .on_message = audit_on_message,
                                .on_lost = audit_on_lost,
                                .context = state};
    if (!fanout_stream_inspect(state->connection, stream.name, &info, error))
        return false;
    if (!audit_start(state, &info, &spec))
        return true;
    fanout_ordered *consumer = fanout_ordered_new(state->connection, &spec, state->log, error);
    if (consumer == NULL)
        return false;
    audit_wait(state);
    fanout_ordered_free(consumer);
    if (state->failed)
        *error = state->error;
    return !state->failed;
}

static bool audit_subjects(audit_reader *state, const cli_arguments *arguments, core_error *error) {
    static const char *const kinds[] = {"request", "join", "act"};
    const char *kind = cli_value(arguments, "--kind"), *project = cli_value(arguments, "--project");
    const char *prefix = core_config_text(state->config, "nats.prefix");
    bool known = kind == NULL;
    for (size_t i = 0; !known && i < CORE_COUNT_OF(kinds); i++)
        known = strcmp(kind, kinds[i]) == 0;
    if (!known)
        return core_error_set(error, CORE_ERROR_INPUT, "--kind %s: expected request, join or act",
                              kind);
    if (kind != NULL)
        (void)snprintf(state->end, sizeof state->end, ".%s", kind);
    if (project == NULL)
        return true;
    if (!core_subject_audit(prefix, project, "", state->begin))
        return core_error_set(error, CORE_ERROR_INPUT, "--project %s: it is too long", project);
    return true;
}

static bool audit_arguments_read(audit_reader *state, const cli_arguments *arguments,
                                 core_error *error) {
    const char *from = cli_value(arguments, "--from"), *until = cli_value(arguments, "--until");
    state->until_now = until != NULL;
    if (until != NULL && strcmp(until, "now") != 0)
        return core_error_set(error, CORE_ERROR_INPUT, "--until %s: expected now", until);
    if (!tail_place_parse(from != NULL ? from : "now", &state->place, error))
        return false;
    if (state->place.kind == TAIL_LSN)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "--from %s: expected first, now, seq:N or time:T", from);
    return audit_subjects(state, arguments, error);
}

/* The signals are blocked before the library starts its threads, so that they come here only. */
static bool audit_open(audit_reader *state, core_error *error) {
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    state->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    state->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    state->log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, core_clock_system());
    if (state->signal_fd < 0 || state->end_fd < 0 || state->log == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "audit: %s", strerror(errno));
    state->connection =
        fanout_connection_new(state->config, "walcast audit", state->log, NULL, error);
    return state->connection != NULL;
}

static void audit_close(audit_reader *state) {
    if (state->connection != NULL)
        fanout_connection_free(state->connection);
    core_log_free(state->log);
    if (state->signal_fd >= 0)
        (void)close(state->signal_fd);
    if (state->end_fd >= 0)
        (void)close(state->end_fd);
    core_config_free(state->config);
}

cli_exit cli_command_audit(const cli_arguments *arguments) {
    audit_reader state = {.magic = AUDIT_MAGIC, .signal_fd = -1, .end_fd = -1};
    core_error error;
    state.config = cli_config_load(arguments);
    if (state.config == NULL)
        return CLI_USAGE;
    cli_exit result = CLI_OK;
    if (!audit_arguments_read(&state, arguments, &error))
        result = cli_usage_fail("audit", &error);
    else if (!audit_open(&state, &error) || !audit_follow(&state, &error))
        result = cli_fail(&error);
    audit_close(&state);
    cli_exit output = cli_output_finish();
    return result == CLI_OK ? output : result;
}
