/* `walcast audit`: the audit's records as lines on standard output, as they are in their stream
 * (docs/AUDIT.md). */
#include "cli/command.h"
#include "cli/follow.h"

#include <stdio.h>

typedef struct {
    core_config *config;
    cli_follow follow;
    uint64_t until_sequence;      /* UINT64_MAX: for ever */
    char begin[CORE_SUBJECT_MAX]; /* of the subjects that are shown */
    char end[64];                 /* "" or ".KIND" */
} audit_reader;

static bool audit_shows(const audit_reader *state, const char *subject) {
    size_t length = strlen(subject), end = strlen(state->end);
    return strncmp(subject, state->begin, strlen(state->begin)) == 0 && length >= end &&
           strcmp(subject + length - end, state->end) == 0;
}

/* Where nobody reads any more, or the disk is full, it ends: cli_output_finish tells them apart. */
static cli_follow_verdict audit_take(void *context, const fanout_message *message,
                                     core_error *error) {
    audit_reader *state = context;
    (void)error;
    if (audit_shows(state, message->subject) && message->sequence <= state->until_sequence)
        (void)printf("%.*s\n", CORE_SLICE_ARGS(message->payload));
    if (message->pending == 0)
        (void)fflush(stdout);
    return ferror(stdout) != 0 || message->sequence >= state->until_sequence ? CLI_FOLLOW_END
                                                                             : CLI_FOLLOW_ON;
}

/* False: there is nothing to wait for. */
static bool audit_start(audit_reader *state, const fanout_stream_info *info,
                        fanout_ordered_spec *spec) {
    state->until_sequence = state->follow.until_now ? info->last_sequence : UINT64_MAX;
    spec->from = state->follow.place.kind == TAIL_TIME ? FANOUT_FROM_TIME : FANOUT_FROM_SEQUENCE;
    spec->time_us = state->follow.place.time_us;
    spec->sequence = info->first_sequence > 0 ? info->first_sequence : 1;
    if (state->follow.place.kind == TAIL_NOW)
        spec->sequence = info->last_sequence + 1;
    else if (state->follow.place.kind == TAIL_SEQUENCE)
        spec->sequence = state->follow.place.sequence;
    return !state->follow.until_now ||
           (info->messages > 0 && spec->sequence <= info->last_sequence);
}

/* Up to --until every record is looked at, whosever it is: the last one must be seen to come. */
static bool audit_follow(audit_reader *state, core_error *error) {
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX];
    fanout_stream_info info;
    const fanout_stream_spec stream =
        fanout_stream_audit_spec(state->config, name, subjects, sizeof subjects);
    fanout_ordered_spec spec = {.stream = stream.name, .filter = stream.subjects};
    if (!fanout_stream_inspect(state->follow.connection, stream.name, &info, error))
        return false;
    return !audit_start(state, &info, &spec) ||
           cli_follow_run(&state->follow, &spec, audit_take, state, error);
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
    if (!cli_follow_read(&state->follow, arguments, error))
        return false;
    if (state->follow.place.kind == TAIL_LSN)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "--from %s: expected first, now, seq:N or time:T",
                              cli_value(arguments, "--from"));
    return audit_subjects(state, arguments, error);
}

cli_exit cli_command_audit(const cli_arguments *arguments) {
    audit_reader state = {.follow = cli_follow_make()};
    core_error error;
    state.config = cli_config_load(arguments);
    if (state.config == NULL)
        return CLI_USAGE;
    cli_exit result = CLI_OK;
    if (!audit_arguments_read(&state, arguments, &error))
        result = cli_usage_fail("audit", &error);
    else if (!cli_follow_open(&state.follow, state.config, "walcast audit", &error) ||
             !audit_follow(&state, &error))
        result = cli_fail(&error);
    cli_follow_close(&state.follow);
    core_config_free(state.config);
    cli_exit output = cli_output_finish();
    return result == CLI_OK ? output : result;
}
