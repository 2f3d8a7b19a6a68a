/* `walcast tail`: the change stream's changes as lines on standard output.
 *
 * Lines are written when the consumer (follow.h) has caught up or enough has gathered, so a pipe
 * sees each change at once and a backlog goes in large writes. */
#include "cli/command.h"
#include "cli/follow.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define WRITE_BYTES ((size_t)256 << 10)
#define MESSAGE_MAX ((size_t)64 << 20) /* nats-server's own limit */

typedef struct {
    core_config *config;
    cli_follow follow;
    tail_table table;
    bool has_table;
    bool json;
    bool shapes;
    uint64_t start_sequence;     /* a server may begin before it when it lies in the future */
    uint64_t until_sequence;     /* UINT64_MAX: for ever */
    char home[CORE_SUBJECT_MAX]; /* what the project's subjects begin with */
    size_t home_length;
    tail_printer printer;
    bool reader_gone;
    core_assembly assembly; /* of rows split over several messages */
} tail;

/* ---- The delivery thread ---- */

static bool tail_write(tail *state, core_error *error) {
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
        return core_error_set(error, CORE_ERROR_INTERNAL, "cannot write to standard output: %s",
                              strerror(errno));
    }
    core_buffer_reset(&state->printer.out);
    return true;
}

static bool tail_message_is_shown(const tail *state, const fanout_message *message) {
    return message->sequence >= state->start_sequence &&
           message->sequence <= state->until_sequence &&
           strncmp(message->subject, state->home, state->home_length) == 0;
}

/* The row's offset is that of its last part. */
static bool tail_message_take(tail *state, const fanout_message *message, core_error *error) {
    core_slice whole;
    switch (
        core_assembly_feed(&state->assembly, message->payload, message->sequence, &whole, error)) {
    case CORE_ASSEMBLY_WHOLE:
        return tail_print_message(&state->printer, whole, message->sequence, error);
    case CORE_ASSEMBLY_MORE:
        return true;
    case CORE_ASSEMBLY_REFUSED:
        break;
    }
    return false;
}

static cli_follow_verdict tail_on_message(void *context, const fanout_message *message,
                                          core_error *error) {
    tail *state = context;
    bool ok = !tail_message_is_shown(state, message) || tail_message_take(state, message, error);
    bool reached = message->sequence >= state->until_sequence;
    if (ok && (reached || message->pending == 0 || state->printer.out.length >= WRITE_BYTES))
        ok = tail_write(state, error);
    if (!ok)
        return state->reader_gone ? CLI_FOLLOW_END : CLI_FOLLOW_FAILED;
    return reached ? CLI_FOLLOW_END : CLI_FOLLOW_ON;
}

/* ---- The main thread ---- */

/* What was asked for may be older than what the stream holds: say so, then go on with what there
 * is. */
static void tail_history_check(const tail *state, const fanout_stream_info *info,
                               uint64_t sequence) {
    bool asked = state->follow.place.kind == TAIL_SEQUENCE ? sequence < info->first_sequence
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
    bool found =
        fanout_stream_message(state->follow.connection, stream, *sequence, &payload, error);
    if (found)
        *sequence = core_assembly_first(core_buffer_slice(&payload), *sequence, &ends);
    core_buffer_fini(&payload);
    return found || error->code == CORE_ERROR_INPUT;
}

static bool tail_start_find(tail *state, const fanout_stream_info *info, fanout_ordered_spec *spec,
                            core_error *error) {
    spec->from = FANOUT_FROM_SEQUENCE;
    spec->sequence = state->follow.place.sequence;
    if (state->follow.place.kind == TAIL_FIRST)
        spec->sequence = info->first_sequence > 0 ? info->first_sequence : 1;
    else if (state->follow.place.kind == TAIL_NOW)
        spec->sequence = info->last_sequence + 1;
    else if (state->follow.place.kind != TAIL_SEQUENCE &&
             !tail_seek(state->follow.connection, spec->stream, info, &state->follow.place,
                        &spec->sequence, error))
        return false;
    if (state->follow.place.kind != TAIL_FIRST && state->follow.place.kind != TAIL_NOW)
        tail_history_check(state, info, spec->sequence);
    if (spec->sequence == 0)
        spec->sequence = 1;
    if (state->follow.place.kind == TAIL_SEQUENCE)
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
    if (state->follow.until_now)
        return core_subject_filter(&all, filter);
    if (!state->has_table)
        return core_subject_filter(&scope, filter);
    return core_subject_filter_table(&scope, core_slice_text(state->table.schema),
                                     core_slice_text(state->table.table), filter);
}

static bool tail_follow(tail *state, core_error *error) {
    char filter[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    fanout_ordered_spec spec = {.stream = core_config_text(state->config, "nats.stream"),
                                .filter = filter};
    if (!tail_filter_make(state, filter))
        return core_error_set(error, CORE_ERROR_INPUT, "the names are too long for a subject");
    if (!fanout_stream_inspect(state->follow.connection, spec.stream, &info, error) ||
        !tail_start_find(state, &info, &spec, error))
        return false;
    state->until_sequence = state->follow.until_now ? info.last_sequence : UINT64_MAX;
    if (spec.sequence > state->until_sequence || (state->follow.until_now && info.messages == 0))
        return true;
    tail_printer_init(&state->printer, state->json, state->has_table ? &state->table : NULL,
                      &state->follow.place);
    state->printer.shapes = state->shapes;
    core_assembly_init(&state->assembly,
                       (size_t)core_config_integer(state->config, "cdc.max_row_bytes"));
    state->start_sequence = spec.sequence;
    bool ok = cli_follow_run(&state->follow, &spec, tail_on_message, state, error);
    if (ok && !state->follow.ended)
        ok = tail_write(state, error) || state->reader_gone;
    tail_printer_fini(&state->printer);
    core_assembly_fini(&state->assembly);
    return ok;
}

static bool tail_arguments_read(tail *state, const cli_arguments *arguments, core_error *error) {
    const char *table = cli_value(arguments, "--table");
    state->json = cli_flag(arguments, "--json");
    state->shapes = cli_flag(arguments, "--shapes");
    state->has_table = table != NULL;
    return cli_follow_read(&state->follow, arguments, error) &&
           (table == NULL ||
            tail_table_parse(table, core_config_text(state->config, "postgres.home_schema"),
                             &state->table, error) ||
            core_error_wrap(error, "--table"));
}

cli_exit cli_command_tail(const cli_arguments *arguments) {
    tail state = {.follow = cli_follow_make()};
    core_error error;
    state.config = cli_config_load(arguments);
    if (state.config == NULL)
        return CLI_USAGE;
    cli_exit result = CLI_OK;
    if (!tail_arguments_read(&state, arguments, &error))
        result = cli_usage_fail("tail", &error);
    else if (!cli_follow_open(&state.follow, state.config, "walcast tail", &error) ||
             !tail_follow(&state, &error))
        result = cli_fail(&error);
    cli_follow_close(&state.follow);
    core_config_free(state.config);
    return result;
}
