/* `walcast trigger`: what is stored of triggers, shown and switched; files of them validated. */
#include "cli/command_trigger.h"
#include "cli/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *cli_trigger_project(const trigger_command *command) {
    return command->project != NULL ? command->project
                                    : core_config_text(command->base.config, "project");
}

bool cli_trigger_get(trigger_command *command, fanout_definition *stored, uint64_t *revision,
                     core_error *error) {
    const char *project = cli_trigger_project(command);
    const char *name = command->base.arguments->second_operand;
    *revision = 0;
    return fanout_definitions_get(command->base.store, project, name, stored, revision, error) &&
           (*revision > 0 || core_error_set(error, CORE_ERROR_INPUT,
                                            "there is no trigger %s in project %s", name, project));
}

const triggers_definition *cli_trigger_stored(trigger_command *command, core_error *error) {
    core_slice environment = core_slice_text(core_config_text(command->base.config, "environment"));
    fanout_definition stored;
    uint64_t revision;
    return cli_trigger_get(command, &stored, &revision, error)
               ? triggers_stored_definition(&stored, environment, revision, error)
               : NULL;
}

/* ---- Showing ---- */

static void stored_print_json(const fanout_definition *stored, uint64_t revision) {
    core_buffer text;
    core_buffer_init(&text, FANOUT_DEFINITION_BYTES_MAX * 2);
    core_json_writer json = core_json_writer_make(&text);
    fanout_definition_view(stored, revision, NULL, &json);
    cli_triggers_line(&text);
    core_buffer_fini(&text);
}

static const char *state_of(const fanout_definition *stored) {
    return stored->disabled ? "disabled" : stored->paused ? "paused" : "active";
}

static bool list_take(void *context, const fanout_definition *stored, uint64_t revision,
                      const char *key, const char *problem, core_error *error) {
    trigger_command *command = context;
    (void)error;
    if (stored == NULL) {
        (void)fprintf(stderr, "walcast: %s: %s\n", key, problem);
        command->base.bad = true;
    } else if (command->base.prints_json) {
        stored_print_json(stored, revision);
    } else {
        (void)printf(
            "%-28.*s %-12.*s %-9s %-7" PRIu64 " %.*s\n", CORE_SLICE_ARGS(stored->name),
            CORE_SLICE_ARGS(stored->project), state_of(stored), revision,
            CORE_SLICE_ARGS(stored->file.length > 0 ? stored->file : core_slice_text("over REST")));
    }
    return true;
}

static bool list_run(trigger_command *command, core_error *error) {
    if (!command->base.prints_json)
        (void)printf("%-28s %-12s %-9s %-7s %s\n", "NAME", "PROJECT", "STATE", "REV", "FROM");
    return fanout_definitions_each(command->base.store, command->project, list_take, command,
                                   error);
}

static bool show_run(trigger_command *command, core_error *error) {
    fanout_definition stored;
    uint64_t revision;
    if (!cli_trigger_get(command, &stored, &revision, error))
        return false;
    stored_print_json(&stored, revision);
    return true;
}

/* ---- Switching ---- */

static bool state_set(trigger_command *command, const fanout_definition_state *state,
                      const char *act, core_error *error) {
    const char *name = command->base.arguments->second_operand;
    const auth_act record = {.act = act, .object = name, .project = cli_trigger_project(command)};
    uint64_t revision = 0;
    if (!fanout_definitions_state(command->base.store, cli_trigger_project(command), name, state,
                                  FANOUT_REVISION_ANY, &revision, error))
        return core_error_wrap(error, "trigger %s", name);
    cli_audit(command->base.config, fanout_definitions_connection(command->base.store, error),
              &record);
    return !command->base.prints_json || show_run(command, error);
}

static bool pause_run(trigger_command *command, core_error *error) {
    static const bool yes = true;
    return state_set(command, &(fanout_definition_state){.paused = &yes}, "trigger.paused", error);
}

static bool resume_run(trigger_command *command, core_error *error) {
    static const bool no = false;
    return state_set(command, &(fanout_definition_state){.paused = &no}, "trigger.resumed", error);
}

static bool enable_run(trigger_command *command, core_error *error) {
    static const bool no = false;
    return state_set(command, &(fanout_definition_state){.disabled = &no}, "trigger.enabled",
                     error);
}

static bool disable_run(trigger_command *command, core_error *error) {
    static const bool yes = true;
    return state_set(command, &(fanout_definition_state){.disabled = &yes}, "trigger.disabled",
                     error);
}

static bool delete_run(trigger_command *command, core_error *error) {
    const char *name = command->base.arguments->second_operand;
    const auth_act record = {
        .act = "trigger.removed", .object = name, .project = cli_trigger_project(command)};
    if (!fanout_definitions_remove(command->base.store, cli_trigger_project(command), name, true,
                                   FANOUT_REVISION_ANY, error))
        return core_error_wrap(error, "trigger %s", name);
    cli_audit(command->base.config, fanout_definitions_connection(command->base.store, error),
              &record);
    return true;
}

/* ---- Validating ---- */

static bool validate_run(trigger_command *command, core_error *error) {
    const cli_arguments *arguments = command->base.arguments;
    core_definition_files files;
    cli_triggers_files_init(&command->base, triggers_kind(), &files);
    bool ok = cli_triggers_files(&command->base, "triggers.dir", arguments->operands + 1,
                                 arguments->operand_count - 1, &files, error);
    if (ok && !cli_flag(arguments, "--offline"))
        ok = cli_triggers_check(&command->base, &files, error);
    cli_triggers_print(&command->base, &files);
    for (size_t i = 0; ok && !command->base.prints_json && i < files.count; i++)
        if (core_problems_ok(&files.items[i].problems))
            (void)printf("%s: good\n", files.items[i].path);
    core_definition_files_fini(&files);
    return ok;
}

/* ---- Trying one on an event ---- */

/* Of a file, or of standard input ("-"). */
static bool event_read(const char *path, core_buffer *event, core_error *error) {
    bool is_input = strcmp(path, "-") == 0;
    FILE *file = is_input ? stdin : fopen(path, "r");
    size_t length = 1;
    if (file == NULL)
        return core_error_set(error, CORE_ERROR_INPUT, "cannot open %s: %s", path, strerror(errno));
    while (length > 0 && core_buffer_ok(event)) {
        uint8_t bytes[65536];
        length = fread(bytes, 1, sizeof bytes, file);
        core_buffer_append(event, bytes, length);
    }
    bool ok = ferror(file) == 0;
    if (!is_input)
        (void)fclose(file);
    if (!ok)
        return core_error_set(error, CORE_ERROR_INPUT, "cannot read %s", path);
    return core_buffer_ok(event) ||
           core_error_set(error, CORE_ERROR_LIMIT, "%s is larger than 16 MiB", path);
}

/* One that is not delivered makes the answer bad. */
static bool trial_run(trigger_command *command, triggers_check *check,
                      const core_definition_file *file, core_slice event, core_error *error) {
    core_buffer out;
    bool matched = false;
    const core_clock *clock = core_clock_system();
    core_buffer_init(&out, (size_t)128 << 20);
    bool ok = triggers_trial(check, file->definition, event, clock->wall_us(clock),
                             command->base.prints_json, &out, &matched, error);
    if (ok)
        (void)printf("%.*s%s", CORE_SLICE_ARGS(core_buffer_slice(&out)),
                     command->base.prints_json ? "\n" : "");
    command->base.bad |= !matched;
    core_buffer_fini(&out);
    return ok;
}

static bool trials_run(trigger_command *command, const core_definition_files *files,
                       core_slice event, core_error *error) {
    triggers_check *check = NULL;
    bool offline = cli_flag(command->base.arguments, "--offline");
    if (!offline && (check = triggers_check_new(&command->base.spec, error)) == NULL)
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < files->count; i++)
        if (files->items[i].definition != NULL)
            ok = trial_run(command, check, &files->items[i], event, error);
    triggers_check_free(check);
    return ok;
}

static bool test_run(trigger_command *command, core_error *error) {
    const cli_arguments *arguments = command->base.arguments;
    const char *path = cli_value(arguments, "--event");
    core_definition_files files;
    core_buffer event;
    if (path == NULL)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "test: expected --event FILE, an event as walcast tail --json "
                              "prints it");
    core_buffer_init(&event, (size_t)16 << 20);
    cli_triggers_files_init(&command->base, triggers_kind(), &files);
    bool ok = event_read(path, &event, error) &&
              cli_triggers_files(&command->base, "triggers.dir", arguments->operands + 1,
                                 arguments->operand_count - 1, &files, error);
    cli_triggers_print(&command->base, &files);
    ok = ok && trials_run(command, &files, core_buffer_slice(&event), error);
    core_definition_files_fini(&files);
    core_buffer_fini(&event);
    return ok;
}

/* ---- What became of its events ---- */

typedef struct {
    trigger_command *command;
    size_t given;
} deliveries;

static bool delivery_take(void *context, const triggers_history_entry *entry) {
    deliveries *it = context;
    core_slice text = it->command->base.prints_json ? entry->json : entry->line;
    it->given++;
    (void)printf("%.*s\n", CORE_SLICE_ARGS(text));
    return ferror(stdout) == 0;
}

static void account_print(const trigger_command *command, const triggers_account_spec *spec,
                          const triggers_account *account) {
    core_buffer text;
    core_buffer_init(&text, (size_t)4 << 20);
    core_json_writer json = core_json_writer_make(&text);
    if (command->base.prints_json)
        triggers_account_json(spec, account, &json);
    else
        triggers_account_line(spec, account, &text);
    cli_triggers_line(&text);
    core_buffer_fini(&text);
}

/* Of an event that no outcome names. A trigger that is not there has none. */
static bool account_run(trigger_command *command, fanout_connection *connection, const char *id,
                        core_error *error) {
    const triggers_definition *definition = cli_trigger_stored(command, error);
    triggers_account account;
    const triggers_account_spec spec = {.connection = connection,
                                        .config = command->base.config,
                                        .definition = definition,
                                        .event_id = core_slice_text(id)};
    triggers_account_init(&account);
    bool ok = definition != NULL && triggers_account_find(&spec, &account, error);
    if (ok)
        account_print(command, &spec, &account);
    triggers_account_fini(&account);
    triggers_definition_release(definition);
    return ok;
}

static bool deliveries_run(trigger_command *command, core_error *error) {
    const cli_arguments *arguments = command->base.arguments;
    const char *id = cli_value(arguments, "--id");
    deliveries it = {.command = command};
    const triggers_history_filter filter = {.project =
                                                core_slice_text(cli_trigger_project(command)),
                                            .trigger = core_slice_text(arguments->second_operand),
                                            .event_id = core_slice_text(id)};
    fanout_connection *connection = fanout_definitions_connection(command->base.store, error);
    if (!command->base.prints_json)
        (void)printf("%s\n", triggers_history_heading());
    return connection != NULL &&
           triggers_history_read(connection, command->base.config, &filter, delivery_take, &it,
                                 error) &&
           (id == NULL || it.given > 0 || account_run(command, connection, id, error));
}

/* ---- The command ---- */

typedef struct {
    const char *name;
    unsigned operands_min, operands_max; /* behind it */
    bool asks_store;
    bool (*run)(trigger_command *command, core_error *error);
} trigger_action;

static const trigger_action actions[] = {
    {"list", 0, 0, true, list_run},
    {"show", 1, 1, true, show_run},
    {"validate", 0, CLI_OPERANDS_MAX - 1, false, validate_run},
    {"test", 1, CLI_OPERANDS_MAX - 1, false, test_run},
    {"dry-run", 1, 1, true, cli_trigger_dry_run},
    {"deliveries", 1, 1, true, deliveries_run},
    {"redeliver", 1, CLI_OPERANDS_MAX - 1, true, cli_trigger_redeliver},
    {"listen", 1, 1, false, cli_trigger_listen},
    {"pause", 1, 1, true, pause_run},
    {"resume", 1, 1, true, resume_run},
    {"enable", 1, 1, true, enable_run},
    {"disable", 1, 1, true, disable_run},
    {"delete", 1, 1, true, delete_run},
};

static const trigger_action *action_find(const cli_arguments *arguments, core_error *error) {
    for (size_t i = 0; arguments->operand != NULL && i < CORE_COUNT_OF(actions); i++) {
        size_t behind = arguments->operand_count - 1;
        if (strcmp(arguments->operand, actions[i].name) != 0)
            continue;
        if (behind >= actions[i].operands_min && behind <= actions[i].operands_max)
            return &actions[i];
        (void)core_error_set(error, CORE_ERROR_INPUT,
                             behind < actions[i].operands_min ? "%s what? the trigger's name"
                                                              : "%s: too many arguments",
                             arguments->operand);
        return NULL;
    }
    (void)core_error_set(error, CORE_ERROR_INPUT,
                         "expected list, show, validate, test, dry-run, deliveries, redeliver, "
                         "listen, pause, resume, enable, disable or delete%s%s",
                         arguments->operand != NULL ? ", not " : "",
                         arguments->operand != NULL ? arguments->operand : "");
    return NULL;
}

static cli_exit action_run(trigger_command *command, const trigger_action *action) {
    core_error error = {.text = ""};
    bool ok = true;
    if (action->asks_store) {
        command->base.store = triggers_store_new(&command->base.spec, "walcast-trigger", &error);
        ok = command->base.store != NULL;
    }
    ok = ok && action->run(command, &error);
    if (!ok)
        return cli_fail(&error);
    cli_exit output = cli_output_finish();
    return output == CLI_OK && command->base.bad ? CLI_BAD : output;
}

cli_exit cli_command_trigger(const cli_arguments *arguments) {
    trigger_command command = {.project = cli_value(arguments, "--project")};
    core_error error = {.text = ""};
    cli_exit result;
    const trigger_action *action = action_find(arguments, &error);
    if (action == NULL)
        return cli_usage_fail("trigger", &error);
    if (cli_triggers_open(&command.base, arguments, &result))
        result = action_run(&command, action);
    cli_triggers_close(&command.base);
    return result;
}
