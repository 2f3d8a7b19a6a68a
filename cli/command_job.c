/* `walcast job`: enqueue, look up, list, cancel and retry jobs; see docs/JOBS.md. */
#include "cli/command.h"
#include "triggers/triggers.h"

#include <stdio.h>
#include <unistd.h>

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 500 };

typedef struct {
    const cli_arguments *arguments;
    core_config *config;
    const core_config *source; /* that hosts the project */
    core_log *log;
    triggers_job_client *client;
    core_slice project;
    bool prints_json;
    core_buffer text;
} job_command;

/* ---- Printing ---- */

static bool member_is(core_json_token token, const char *name) {
    return core_json_raw_is(token.key, name);
}

/* One line a job: id, state, queue, type, attempts, when. */
static void job_line(core_slice json) {
    core_json_reader reader = core_json_reader_make(json);
    core_json_token token;
    core_slice id = {0}, state = {0}, queue = {0}, type = {0}, attempts = {0}, created = {0}, whole;
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return;
    while (core_json_member_next(&reader, &token)) {
        const struct {
            const char *name;
            core_slice *value;
        } rows[] = {{"id", &id},     {"state", &state},       {"queue", &queue},
                    {"type", &type}, {"attempts", &attempts}, {"created_at", &created}};
        for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
            if (member_is(token, rows[i].name))
                *rows[i].value = token.raw;
        if (!core_json_skip(&reader, token, &whole))
            return;
    }
    (void)printf("%-28.*s %-10.*s %-16.*s %-16.*s %8.*s %.*s\n", CORE_SLICE_ARGS(id),
                 CORE_SLICE_ARGS(state), CORE_SLICE_ARGS(queue), CORE_SLICE_ARGS(type),
                 CORE_SLICE_ARGS(attempts), CORE_SLICE_ARGS(created));
}

static void job_print(void *context, core_slice json) {
    const job_command *command = context;
    if (command->prints_json)
        (void)printf("%.*s\n", CORE_SLICE_ARGS(json));
    else
        job_line(json);
}

/* ---- Actions ---- */

static bool number_add(core_json_writer *json, const job_command *command, const char *option,
                       const char *name, core_config_type type, int64_t min, int64_t max,
                       core_error *error) {
    const char *text = cli_value(command->arguments, option);
    int64_t number;
    if (text == NULL)
        return true;
    if (!core_config_number_read(type, text, min, max, &number, error))
        return core_error_wrap(error, "%s %s", option, text);
    core_json_key_text(json, name);
    core_json_signed(json, number);
    return true;
}

static void text_add(core_json_writer *json, const job_command *command, const char *option,
                     const char *name) {
    const char *text = cli_value(command->arguments, option);
    if (text == NULL)
        return;
    core_json_key_text(json, name);
    core_json_text(json, text);
}

static bool job_write(job_command *command, core_error *error) {
    core_json_writer json = core_json_writer_make(&command->text);
    const char *payload = cli_value(command->arguments, "--payload");
    core_json_object_open(&json);
    core_json_key_text(&json, "queue");
    core_json_text(&json, command->arguments->second_operand);
    text_add(&json, command, "--type", "type");
    text_add(&json, command, "--unique-key", "unique_key");
    text_add(&json, command, "--concurrency-key", "concurrency_key");
    if (payload != NULL && !core_json_valid(core_slice_text(payload)))
        return core_error_set(error, CORE_ERROR_INPUT, "--payload %s: expected JSON", payload);
    if (payload != NULL) {
        core_json_key_text(&json, "payload");
        core_json_raw(&json, core_slice_text(payload));
    }
    if (!number_add(&json, command, "--delay", "delay_ms", CORE_CONFIG_DURATION, 0,
                    INT64_C(3650) * 86400 * 1000, error) ||
        !number_add(&json, command, "--priority", "priority", CORE_CONFIG_INTEGER, -100, 100,
                    error) ||
        !number_add(&json, command, "--attempts", "max_attempts", CORE_CONFIG_INTEGER, 1, 1000,
                    error))
        return false;
    core_json_object_close(&json);
    return true;
}

static bool enqueue_run(job_command *command, core_error *error) {
    char id[TRIGGERS_JOB_CLIENT_ID_SIZE];
    if (!job_write(command, error) ||
        !triggers_job_client_enqueue(command->client, command->project,
                                     core_buffer_slice(&command->text), id, error))
        return false;
    (void)printf(command->prints_json ? "{\"id\":\"%s\",\"state\":\"accepted\"}\n" : "%s\n", id);
    return true;
}

static bool ask_run(job_command *command, const char *verb, core_error *error) {
    if (!triggers_job_client_ask(command->client, verb, command->project,
                                 core_slice_text(command->arguments->second_operand),
                                 &command->text, error))
        return false;
    (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&command->text)));
    return true;
}

static bool show_run(job_command *command, core_error *error) {
    return ask_run(command, "get", error);
}

static bool cancel_run(job_command *command, core_error *error) {
    return ask_run(command, "cancel", error);
}

static bool retry_run(job_command *command, core_error *error) {
    return ask_run(command, "retry", error);
}

static bool list_run(job_command *command, core_error *error) {
    const char *limit = cli_value(command->arguments, "--limit");
    int64_t number = LIMIT_DEFAULT;
    bool more;
    if (limit != NULL &&
        !core_config_number_read(CORE_CONFIG_INTEGER, limit, 1, LIMIT_MAX, &number, error))
        return core_error_wrap(error, "--limit %s", limit);
    const triggers_job_filter filter = {
        .project = command->project,
        .queue = core_slice_text(cli_value(command->arguments, "--queue")),
        .state = core_slice_text(cli_value(command->arguments, "--state")),
        .limit = (uint64_t)number,
    };
    if (!command->prints_json)
        (void)printf("%-28s %-10s %-16s %-16s %8s %s\n", "ID", "STATE", "QUEUE", "TYPE", "ATTEMPTS",
                     "CREATED");
    if (!triggers_job_client_list(command->client, &filter, job_print, command, &more, error))
        return false;
    if (more)
        (void)fprintf(stderr, "walcast: there are more; ask with --queue, --state or --limit\n");
    return true;
}

static const struct {
    const char *name;
    const char *operand; /* what its second word is; NULL: it has none */
    bool (*run)(job_command *command, core_error *error);
} actions[] = {
    {"enqueue", "the queue", enqueue_run},
    {"show", "the job's id", show_run},
    {"list", NULL, list_run},
    {"cancel", "the job's id", cancel_run},
    {"retry", "the job's id", retry_run},
};

/* CORE_COUNT_OF(actions) with an INPUT error. */
static size_t action_find(const cli_arguments *arguments, core_error *error) {
    const char *word = arguments->operand;
    size_t i = 0;
    while (word != NULL && i < CORE_COUNT_OF(actions) && strcmp(word, actions[i].name) != 0)
        i++;
    if (word == NULL || i == CORE_COUNT_OF(actions)) {
        (void)core_error_set(error, CORE_ERROR_INPUT,
                             "expected enqueue, show, list, cancel or retry%s%s",
                             word != NULL ? ", not " : "", word != NULL ? word : "");
        return CORE_COUNT_OF(actions);
    }
    if ((arguments->second_operand != NULL) == (actions[i].operand != NULL))
        return i;
    (void)core_error_set(error, CORE_ERROR_INPUT,
                         actions[i].operand != NULL ? "%s what? %s is missing"
                                                    : "%s takes no further word",
                         word, actions[i].operand);
    return CORE_COUNT_OF(actions);
}

/* ---- The command ---- */

static bool command_open(job_command *command, core_error *error) {
    const char *project = cli_value(command->arguments, "--project");
    if (project == NULL)
        project = core_config_text(command->config, "project");
    command->project = core_slice_text(project);
    command->source = core_tenants_source(command->config, project, NULL);
    if (command->source == NULL)
        return core_error_set(error, CORE_ERROR_INPUT, "--project %s: no source hosts it", project);
    command->log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, core_clock_system());
    if (command->log == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no log");
    command->client = triggers_job_client_new(command->source, command->log, error);
    return command->client != NULL;
}

cli_exit cli_command_job(const cli_arguments *arguments) {
    job_command command = {.arguments = arguments, .prints_json = cli_flag(arguments, "--json")};
    core_error error = {.text = ""};
    size_t action = action_find(arguments, &error);
    if (action == CORE_COUNT_OF(actions))
        return cli_usage_fail("job", &error);
    command.config = cli_config_load(arguments);
    if (command.config == NULL)
        return CLI_USAGE;
    core_buffer_init(&command.text, (size_t)2 << 20);
    bool ok = command_open(&command, &error) && actions[action].run(&command, &error);
    triggers_job_client_free(command.client);
    core_log_free(command.log);
    core_config_free(command.config);
    core_buffer_fini(&command.text);
    cli_exit output = cli_output_finish();
    if (ok)
        return output;
    return error.code == CORE_ERROR_INPUT ? cli_usage_fail("job", &error) : cli_fail(&error);
}
