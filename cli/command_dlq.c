/* `walcast dlq`: deliveries that were given up: listed, shown, put back and thrown away. */
#include "cli/audit.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "triggers/triggers.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { LIMIT_DEFAULT = 100 };

#define TEXT_BYTES_MAX ((size_t)128 << 20)

typedef struct {
    const cli_arguments *arguments;
    core_config *config;
    core_log *log;
    triggers_dead_scope scope;
    const char *project;
    core_slice trigger; /* --trigger; empty: all */
    bool prints_json;
    core_buffer text;
} dlq_command;

static bool id_read(const char *text, uint64_t *id, core_error *error) {
    return triggers_dead_id_read(core_slice_text(text), id) ||
           core_error_set(error, CORE_ERROR_INPUT, "%s: expected a letter's id, as list prints it",
                          text);
}

static bool text_print(dlq_command *command) {
    bool ok = core_buffer_ok(&command->text);
    if (ok)
        (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&command->text)));
    core_buffer_reset(&command->text);
    return ok && ferror(stdout) == 0;
}

static bool letter_print(dlq_command *command, const triggers_dead_letter *letter, bool is_full) {
    core_json_writer json = core_json_writer_make(&command->text);
    if (command->prints_json || is_full)
        triggers_dead_json(letter, is_full, &json);
    else
        triggers_dead_line(letter, &command->text);
    return text_print(command);
}

/* ---- list ---- */

typedef struct {
    dlq_command *command;
    uint64_t left;
    bool more;
} listing;

static bool list_take(void *context, const triggers_dead_letter *letter) {
    listing *it = context;
    it->more = it->left == 0;
    if (it->more)
        return false;
    it->left--;
    return letter_print(it->command, letter, false);
}

static bool list_run(dlq_command *command, core_error *error) {
    const char *limit = cli_value(command->arguments, "--limit");
    const char *after = cli_value(command->arguments, "--after");
    listing it = {.command = command, .left = LIMIT_DEFAULT};
    uint64_t id = 0;
    if (limit != NULL && (!core_slice_to_u64(core_slice_text(limit), &it.left) || it.left == 0))
        return core_error_set(error, CORE_ERROR_INPUT, "--limit %s: expected 1 or more", limit);
    if (after != NULL && !id_read(after, &id, error))
        return core_error_wrap(error, "--after");
    if (!command->prints_json)
        (void)printf("%s\n", triggers_dead_heading());
    if (!triggers_dead_each(&command->scope, command->trigger, id, list_take, &it, error))
        return false;
    if (it.more)
        (void)fprintf(stderr,
                      "walcast: there are more; ask with --limit, or --after the last id\n");
    return true;
}

/* ---- of one ---- */

static bool missing(const dlq_command *command, const char *id, core_error *error) {
    return core_error_set(error, CORE_ERROR_INPUT, "there is no dead letter %s in project %s", id,
                          command->project);
}

static void audit(const dlq_command *command, const char *act, const char *object,
                  const char *detail) {
    const auth_act record = {
        .act = act, .object = object, .detail = detail, .project = command->project};
    cli_audit(command->config, command->scope.connection, &record);
}

/* `payload` is the letter's. */
static bool letter_get(dlq_command *command, const char *text, core_buffer *payload,
                       triggers_dead_letter *letter, core_error *error) {
    uint64_t id;
    bool found;
    return id_read(text, &id, error) &&
           triggers_dead_get(&command->scope, id, payload, letter, &found, error) &&
           (found || missing(command, text, error));
}

static bool show_one(dlq_command *command, const char *text, core_error *error) {
    core_buffer payload;
    triggers_dead_letter letter;
    core_buffer_init(&payload, TEXT_BYTES_MAX);
    bool ok = letter_get(command, text, &payload, &letter, error) &&
              (letter_print(command, &letter, true) ||
               core_error_set(error, CORE_ERROR_INTERNAL, "letter %s could not be printed", text));
    core_buffer_fini(&payload);
    return ok;
}

static bool replay_one(dlq_command *command, const char *text, core_error *error) {
    core_buffer payload;
    triggers_dead_letter letter;
    core_buffer_init(&payload, TEXT_BYTES_MAX);
    bool ok = letter_get(command, text, &payload, &letter, error) &&
              triggers_again_letter(&command->scope, &letter, error);
    core_buffer_fini(&payload);
    if (ok)
        audit(command, "dead_letter.replayed", text, NULL);
    return ok;
}

static bool remove_one(dlq_command *command, const char *text, core_error *error) {
    uint64_t id;
    bool found;
    if (!id_read(text, &id, error) || !triggers_dead_remove(&command->scope, id, &found, error) ||
        (!found && !missing(command, text, error)))
        return false;
    audit(command, "dead_letter.removed", text, NULL);
    return true;
}

/* ---- of all ---- */

typedef struct {
    dlq_command *command;
    bool (*act)(dlq_command *command, const triggers_dead_letter *letter, core_error *error);
    cli_progress progress;
    uint64_t done, passed;
    core_error error;
} sweep;

static bool replay_letter(dlq_command *command, const triggers_dead_letter *letter,
                          core_error *error) {
    return triggers_again_letter(&command->scope, letter, error);
}

static bool remove_letter(dlq_command *command, const triggers_dead_letter *letter,
                          core_error *error) {
    bool found;
    return triggers_dead_remove(&command->scope, letter->id, &found, error);
}

static bool sweep_take(void *context, const triggers_dead_letter *letter) {
    sweep *it = context;
    if (!it->act(it->command, letter, &it->error)) {
        if (letter->is_whole || it->error.code != CORE_ERROR_INPUT)
            return false;
        it->passed++; /* it cannot be read: told at the end */
        it->error.code = CORE_ERROR_NONE;
        return true;
    }
    it->done++;
    if (it->done % 64 == 0 || letter->behind == 0)
        cli_progress_draw(&it->progress, it->done, it->done + letter->behind, "letters");
    return true;
}

static bool sweep_run(sweep *it, const char *act, core_error *error) {
    dlq_command *command = it->command;
    char detail[64];
    it->progress = cli_progress_make();
    bool ok = triggers_dead_each(&command->scope, command->trigger, 0, sweep_take, it, error);
    cli_progress_end(&it->progress);
    if (ok && it->error.code != CORE_ERROR_NONE) {
        *error = it->error;
        ok = false;
    }
    (void)snprintf(detail, sizeof detail, "%" PRIu64 " letters", it->done);
    if (it->done > 0)
        audit(command, act,
              command->trigger.length > 0 ? (const char *)command->trigger.data : "all", detail);
    if (command->prints_json)
        (void)printf("{\"letters\":%" PRIu64 "}\n", it->done);
    else
        (void)printf("%s\n", detail);
    if (it->passed > 0)
        (void)fprintf(stderr, "walcast: %" PRIu64 " letters cannot be read and stay\n", it->passed);
    return ok;
}

/* Of those that are named, or with --all of all. */
static bool each_run(dlq_command *command, sweep all, const char *act,
                     bool (*one)(dlq_command *command, const char *id, core_error *error),
                     core_error *error) {
    const cli_arguments *arguments = command->arguments;
    bool has_ids = arguments->operand_count > 1;
    if (has_ids == cli_flag(arguments, "--all"))
        return core_error_set(error, CORE_ERROR_INPUT, "%s what? ids, or --all%s",
                              arguments->operand, has_ids ? ", not both" : "");
    all.command = command;
    if (!has_ids)
        return sweep_run(&all, act, error);
    for (size_t i = 1; i < arguments->operand_count; i++)
        if (!one(command, arguments->operands[i], error))
            return false;
    return true;
}

static bool show_run(dlq_command *command, core_error *error) {
    const cli_arguments *arguments = command->arguments;
    if (arguments->operand_count < 2)
        return core_error_set(error, CORE_ERROR_INPUT, "show what? a letter's id");
    for (size_t i = 1; i < arguments->operand_count; i++)
        if (!show_one(command, arguments->operands[i], error))
            return false;
    return true;
}

static bool replay_run(dlq_command *command, core_error *error) {
    return each_run(command, (sweep){.act = replay_letter}, "dead_letter.replayed", replay_one,
                    error);
}

static bool remove_run(dlq_command *command, core_error *error) {
    return each_run(command, (sweep){.act = remove_letter}, "dead_letter.removed", remove_one,
                    error);
}

/* ---- The command ---- */

typedef bool (*dlq_action)(dlq_command *command, core_error *error);

static dlq_action action_find(const cli_arguments *arguments, core_error *error) {
    static const struct {
        const char *name;
        dlq_action run;
    } actions[] = {
        {"list", list_run}, {"show", show_run}, {"replay", replay_run}, {"remove", remove_run}};
    const char *word = arguments->operand;
    for (size_t i = 0; word != NULL && i < CORE_COUNT_OF(actions); i++)
        if (strcmp(word, actions[i].name) == 0)
            return actions[i].run;
    (void)core_error_set(error, CORE_ERROR_INPUT, "expected list, show, replay or remove%s%s",
                         word != NULL ? ", not " : "", word != NULL ? word : "");
    return NULL;
}

static bool command_open(dlq_command *command, core_error *error) {
    const char *project = cli_value(command->arguments, "--project");
    command->project = project != NULL ? project : core_config_text(command->config, "project");
    command->trigger = core_slice_text(cli_value(command->arguments, "--trigger"));
    const core_config *source = core_tenants_source(command->config, command->project, NULL);
    if (source == NULL)
        return core_error_set(error, CORE_ERROR_INPUT, "--project %s: no source hosts it",
                              command->project);
    command->log = core_log_new(STDERR_FILENO, CORE_LOG_ERROR, false, core_clock_system());
    if (command->log == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no log");
    command->scope = (triggers_dead_scope){
        .config = source,
        .project = core_slice_text(command->project),
        .connection = fanout_connection_new(source, "walcast dlq", command->log, NULL, error)};
    return command->scope.connection != NULL;
}

cli_exit cli_command_dlq(const cli_arguments *arguments) {
    dlq_command command = {.arguments = arguments, .prints_json = cli_flag(arguments, "--json")};
    core_error error = {.text = ""};
    dlq_action run = action_find(arguments, &error);
    if (run == NULL)
        return cli_usage_fail("dlq", &error);
    command.config = cli_config_load(arguments);
    if (command.config == NULL)
        return CLI_USAGE;
    core_buffer_init(&command.text, TEXT_BYTES_MAX);
    bool ok = command_open(&command, &error) && run(&command, &error);
    fanout_connection_free(command.scope.connection);
    core_log_free(command.log);
    core_config_free(command.config);
    core_buffer_fini(&command.text);
    cli_exit output = cli_output_finish();
    return ok ? output : cli_fail(&error);
}
