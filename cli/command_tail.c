/* `walcast tail`: the change stream's changes as lines on standard output.
 *
 * An ordered consumer calls back on its own thread, which prints; the main thread waits for the
 * end: --until now is reached, a signal, a reader that went away, or an error. Lines are written
 * when the consumer has caught up or enough has gathered, so a pipe sees each change at once and a
 * backlog goes in large writes. */
#include "cli/command.h"
#include "cli/tail.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TAIL_MAGIC  0x7a117a11u
#define WRITE_BYTES ((size_t)256 << 10)
#define MESSAGE_MAX ((size_t)64 << 20) /* nats-server's own limit */

typedef struct {
    uint32_t magic;
    core_config *config;
    core_log *log;
    fanout_connection *connection;
    tail_table table;
    bool has_table;
    tail_place place;
    bool json;
    bool shapes;
    bool until_now;
    uint64_t start_sequence;     /* a server may begin before it when it lies in the future */
    uint64_t until_sequence;     /* UINT64_MAX: for ever */
    char home[CORE_SUBJECT_MAX]; /* what the project's subjects begin with */
    size_t home_length;
    tail_printer printer;
    int signal_fd;
    int end_fd; /* readable once the delivery thread has ended the tail */
    /* Owned by the delivery thread until the consumer is freed. */
    bool ended;
    bool failed;
    bool reader_gone;
    core_error error;
    core_assembly assembly; /* of rows split over several messages */
} tail;

/* ---- The delivery thread ---- */

static bool tail_write(tail *state) {
    core_slice left = core_buffer_slice(&state->printer.out);
    while (left.length > 0) {
        ssize_t written = write(STDOUT_FILENO, left.data, left.length);
        if (written >= 0) {
            left = core_slice_make(left.data + written, left.length - (size_t)written);
            continue;
        }
        struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
        if (errno == EINTR || (errno == EAGAIN && poll(&room, 1, -1) > 0))
            continue;
        state->reader_gone = errno == EPIPE;
        return core_error_set(&state->error, CORE_ERROR_INTERNAL,
                              "cannot write to standard output: %s", strerror(errno));
    }
    core_buffer_reset(&state->printer.out);
    return true;
}

static void tail_end(tail *state, bool ok) {
    const uint64_t one = 1;
    state->ended = true;
    state->failed = !ok && !state->reader_gone;
    if (write(state->end_fd, &one, sizeof one) != sizeof one)
        abort(); /* an eventfd takes its first value */
}

static bool tail_message_is_shown(const tail *state, const fanout_message *message) {
    return message->sequence >= state->start_sequence &&
           message->sequence <= state->until_sequence &&
           strncmp(message->subject, state->home, state->home_length) == 0;
}

/* The row's offset is that of its last part. */
static bool tail_message_take(tail *state, const fanout_message *message) {
    core_slice whole;
    switch (core_assembly_feed(&state->assembly, message->payload, message->sequence, &whole,
                               &state->error)) {
    case CORE_ASSEMBLY_WHOLE:
        return tail_print_message(&state->printer, whole, message->sequence, &state->error);
    case CORE_ASSEMBLY_MORE:
        return true;
    case CORE_ASSEMBLY_REFUSED:
        break;
    }
    return false;
}

static void tail_on_message(void *context, const fanout_message *message) {
    tail *state = context;
    CORE_MAGIC_CHECK(state, TAIL_MAGIC);
    if (state->ended)
        return;
    bool ok = !tail_message_is_shown(state, message) || tail_message_take(state, message);
    bool reached = message->sequence >= state->until_sequence;
    if (ok && (reached || message->pending == 0 || state->printer.out.length >= WRITE_BYTES))
        ok = tail_write(state);
    if (!ok || reached)
        tail_end(state, ok);
}

static void tail_on_lost(void *context, const core_error *reason) {
    tail *state = context;
    CORE_MAGIC_CHECK(state, TAIL_MAGIC);
    if (state->ended)
        return;
    state->error = *reason;
    tail_end(state, false);
}

/* ---- The main thread ---- */

/* What was asked for may be older than what the stream holds: say so, then go on with what there
 * is. */
static void tail_history_check(const tail *state, const fanout_stream_info *info,
                               uint64_t sequence) {
    bool asked = state->place.kind == TAIL_SEQUENCE ? sequence < info->first_sequence
                                                    : sequence == info->first_sequence;
    if (asked && info->first_sequence > 1)
        (void)fprintf(stderr,
                      "walcast: changes before stream sequence %llu are no longer held; the "
                      "output begins there\n",
                      (unsigned long long)info->first_sequence);
}

/* In the middle of a row that is split, reading begins with the row. A message that is gone is no
 * concern of ours. */
static bool tail_row_begin(tail *state, const char *stream, uint64_t *sequence, core_error *error) {
    core_buffer payload;
    bool ends;
    core_buffer_init(&payload, MESSAGE_MAX);
    bool found = fanout_stream_message(state->connection, stream, *sequence, &payload, error);
    if (found)
        *sequence = core_assembly_first(core_buffer_slice(&payload), *sequence, &ends);
    core_buffer_fini(&payload);
    return found || error->code == CORE_ERROR_INPUT;
}

static bool tail_start_find(tail *state, const fanout_stream_info *info, fanout_ordered_spec *spec,
                            core_error *error) {
    spec->from = FANOUT_FROM_SEQUENCE;
    spec->sequence = state->place.sequence;
    if (state->place.kind == TAIL_FIRST)
        spec->sequence = info->first_sequence > 0 ? info->first_sequence : 1;
    else if (state->place.kind == TAIL_NOW)
        spec->sequence = info->last_sequence + 1;
    else if (state->place.kind != TAIL_SEQUENCE &&
             !tail_seek(state->connection, spec->stream, info, &state->place, &spec->sequence,
                        error))
        return false;
    if (state->place.kind != TAIL_FIRST && state->place.kind != TAIL_NOW)
        tail_history_check(state, info, spec->sequence);
    if (spec->sequence == 0)
        spec->sequence = 1;
    if (state->place.kind == TAIL_SEQUENCE)
        return tail_row_begin(state, spec->stream, &spec->sequence, error);
    return true;
}

/* Up to --until every message is looked at, whosever it is: the last one must be seen to come. */
static bool tail_filter_make(tail *state, char filter[CORE_SUBJECT_MAX]) {
    const core_subject_scope scope = core_subject_scope_of(state->config);
    const core_subject_scope all = {.prefix = scope.prefix, .home_schema = scope.home_schema};
    if (!core_subject_filter(&scope, state->home))
        return false;
    state->home_length = strlen(state->home) - strlen("*.*");
    if (state->until_now)
        return core_subject_filter(&all, filter);
    if (!state->has_table)
        return core_subject_filter(&scope, filter);
    return core_subject_filter_table(&scope, core_slice_text(state->table.schema),
                                     core_slice_text(state->table.table), filter);
}

/* Until the delivery thread ends the tail, a signal comes (a second one then kills), or nobody
 * reads any more, which a pipe tells without a write. */
static void tail_wait(tail *state, const sigset_t *signals) {
    struct pollfd waits[] = {{.fd = state->end_fd, .events = POLLIN},
                             {.fd = state->signal_fd, .events = POLLIN},
                             {.fd = STDOUT_FILENO}};
    while (poll(waits, CORE_COUNT_OF(waits), -1) < 0 && errno == EINTR)
        ;
    struct signalfd_siginfo taken;
    if ((waits[1].revents & POLLIN) != 0 &&
        read(state->signal_fd, &taken, sizeof taken) == (ssize_t)sizeof taken)
        (void)sigprocmask(SIG_UNBLOCK, signals, NULL);
}

static bool tail_follow(tail *state, const sigset_t *signals, core_error *error) {
    char filter[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    fanout_ordered_spec spec = {.stream = core_config_text(state->config, "nats.stream"),
                                .filter = filter,
                                .on_message = tail_on_message,
                                .on_lost = tail_on_lost,
                                .context = state};
    if (!tail_filter_make(state, filter))
        return core_error_set(error, CORE_ERROR_INPUT, "the names are too long for a subject");
    if (!fanout_stream_inspect(state->connection, spec.stream, &info, error) ||
        !tail_start_find(state, &info, &spec, error))
        return false;
    state->until_sequence = state->until_now ? info.last_sequence : UINT64_MAX;
    if (spec.sequence > state->until_sequence || (state->until_now && info.messages == 0))
        return true;
    tail_printer_init(&state->printer, state->json, state->has_table ? &state->table : NULL,
                      &state->place);
    state->printer.shapes = state->shapes;
    core_assembly_init(&state->assembly,
                       (size_t)core_config_integer(state->config, "cdc.max_row_bytes"));
    state->start_sequence = spec.sequence;
    fanout_ordered *consumer = fanout_ordered_new(state->connection, &spec, state->log, error);
    if (consumer != NULL) {
        tail_wait(state, signals);
        fanout_ordered_free(consumer);
        if (!state->ended && !tail_write(state))
            state->failed = !state->reader_gone;
    }
    tail_printer_fini(&state->printer);
    core_assembly_fini(&state->assembly);
    if (state->failed)
        *error = state->error;
    return consumer != NULL && !state->failed;
}

static bool tail_arguments_read(tail *state, const cli_arguments *arguments, core_error *error) {
    const char *from = cli_value(arguments, "--from");
    const char *until = cli_value(arguments, "--until");
    const char *table = cli_value(arguments, "--table");
    state->json = cli_flag(arguments, "--json");
    state->shapes = cli_flag(arguments, "--shapes");
    state->until_now = until != NULL;
    state->has_table = table != NULL;
    if (until != NULL && strcmp(until, "now") != 0)
        return core_error_set(error, CORE_ERROR_INPUT, "--until %s: expected now", until);
    return tail_place_parse(from != NULL ? from : "now", &state->place, error) &&
           (table == NULL ||
            tail_table_parse(table, core_config_text(state->config, "postgres.home_schema"),
                             &state->table, error) ||
            core_error_wrap(error, "--table"));
}

/* The signals are blocked before the library starts its threads, so that they come here only. */
static bool tail_resources_open(tail *state, sigset_t *signals, core_error *error) {
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGINT);
    (void)sigaddset(signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, signals, NULL);
    state->signal_fd = signalfd(-1, signals, SFD_CLOEXEC);
    state->end_fd = eventfd(0, EFD_CLOEXEC);
    state->log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, core_clock_system());
    if (state->signal_fd < 0 || state->end_fd < 0 || state->log == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "tail: %s", strerror(errno));
    state->connection =
        fanout_connection_new(state->config, "walcast tail", state->log, NULL, error);
    return state->connection != NULL;
}

static void tail_resources_close(tail *state) {
    if (state->connection != NULL)
        fanout_connection_free(state->connection);
    core_log_free(state->log);
    if (state->signal_fd >= 0)
        (void)close(state->signal_fd);
    if (state->end_fd >= 0)
        (void)close(state->end_fd);
}

cli_exit cli_command_tail(const cli_arguments *arguments) {
    tail state = {.magic = TAIL_MAGIC, .signal_fd = -1, .end_fd = -1};
    core_error error;
    sigset_t signals;
    state.config = cli_config_load(arguments);
    if (state.config == NULL)
        return CLI_USAGE;
    cli_exit result = CLI_OK;
    if (!tail_arguments_read(&state, arguments, &error))
        result = cli_usage_fail("tail", &error);
    else if (!tail_resources_open(&state, &signals, &error) ||
             !tail_follow(&state, &signals, &error))
        result = cli_fail(&error);
    tail_resources_close(&state);
    core_config_free(state.config);
    return result;
}
