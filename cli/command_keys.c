/* `walcast keys`: API keys made, listed, rotated and revoked, in their key-value bucket.
 *
 * A key is printed once, alone on standard output (or as the member `key` with --json), and kept
 * nowhere; what there is to say about it goes to standard error. Processes hear of every change
 * from the bucket. */
#include "auth/auth.h"
#include "cli/audit.h"
#include "cli/command.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define TTL_MAX_MS      (INT64_C(36500) * 24 * 3600 * CORE_MS_PER_S)
#define OVERLAP_DEFAULT "1h"
#define LINE_MAX_BYTES  ((size_t)64 << 10)

typedef struct {
    const cli_arguments *arguments;
    core_config *config;
    core_log *log;
    auth_key_store *store;
    int64_t now_s;
    bool prints_json;
    bool hosted;            /* a source of this configuration hosts the project and environment */
    auth_key_record record; /* what the options say of it, then what there is */
    int64_t expires_s;      /* create */
    int64_t overlap_s;      /* rotate */
    bool unreadable;        /* list: a record could not be read */
} keys_command;

static cli_exit fail(const core_error *error) {
    return error->code == CORE_ERROR_INPUT ? cli_usage_fail("keys", error) : cli_fail(error);
}

/* ---- Options ---- */

static bool duration_read(const cli_arguments *arguments, const char *option, const char *initial,
                          int64_t min_ms, int64_t *value_s, core_error *error) {
    const char *text = cli_value(arguments, option);
    int64_t value_ms = 0;
    text = text != NULL ? text : initial;
    if (!core_config_number_read(CORE_CONFIG_DURATION, text, min_ms, TTL_MAX_MS, &value_ms, error))
        return core_error_wrap(error, "%s %s", option, text);
    *value_s = value_ms / CORE_MS_PER_S;
    return true;
}

static bool scopes_refused(core_error *error, const char *why, core_slice name) {
    char names[256] = "";
    for (unsigned i = 0; i < CORE_SCOPE_COUNT; i++) {
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                       core_scope_name(i));
    }
    return core_error_set(error, CORE_ERROR_INPUT,
                          "%s%.*s: say what the key is for, with commas between: %s", why,
                          CORE_SLICE_ARGS(name), names);
}

/* "subscribe,broadcast" */
static bool scopes_take(const char *text, unsigned *scopes, core_error *error) {
    for (const char *at = text;;) {
        core_slice name = core_slice_make(at, strcspn(at, ","));
        unsigned scope = core_scope_parse(name);
        if (scope == 0)
            return scopes_refused(error, "--scope ", name);
        *scopes |= scope;
        at += name.length;
        if (*at++ == '\0')
            return true;
    }
}

static bool scopes_read(const cli_arguments *arguments, unsigned *scopes, core_error *error) {
    bool given = false;
    for (size_t i = 0; i < arguments->count; i++) {
        if (strcmp(arguments->given[i].option->name, "--scope") != 0)
            continue;
        given = true;
        if (!scopes_take(arguments->given[i].value, scopes, error))
            return false;
    }
    return given || scopes_refused(error, "--scope is missing", core_slice_make("", 0));
}

static bool text_take(const char *value, const char *what, char *text, size_t size,
                      core_error *error) {
    return core_slice_to_text(core_slice_text(value), text, size) ||
           core_error_set(error, CORE_ERROR_INPUT, "%s is longer than %zu bytes", what, size - 1);
}

/* Which name: of the process's own project, and the environment of the first source that hosts the
 * project, unless told otherwise. */
static bool place_read(keys_command *command, const char *name, core_error *error) {
    auth_key_record *record = &command->record;
    const char *project = cli_value(command->arguments, "--project");
    const char *environment = cli_value(command->arguments, "--environment");
    if (project == NULL)
        project = core_config_text(command->config, "project");
    const core_config *source = core_tenants_source(command->config, project, environment);
    if (environment == NULL)
        environment = core_config_text(source != NULL ? source : command->config, "environment");
    command->hosted = source != NULL;
    *record = (auth_key_record){.secret_count = 0};
    return text_take(name, "the name", record->name, sizeof record->name, error) &&
           text_take(project, "--project", record->project, sizeof record->project, error) &&
           text_take(environment, "--environment", record->environment, sizeof record->environment,
                     error);
}

/* ---- Printing ---- */

static const char *state_name(auth_key_state state) {
    static const char *const names[] = {
        [AUTH_KEY_ACTIVE] = "active", [AUTH_KEY_ENDED] = "expired", [AUTH_KEY_REVOKED] = "revoked"};
    return names[state];
}

static void time_text(int64_t time_s, char text[CORE_CLOCK_TEXT_SIZE]) {
    if (time_s == AUTH_NEVER_S)
        (void)snprintf(text, CORE_CLOCK_TEXT_SIZE, "never");
    else
        core_clock_format(time_s * CORE_US_PER_S, text);
}

static void time_write(core_json_writer *json, const char *name, int64_t time_s) {
    char text[CORE_CLOCK_TEXT_SIZE];
    core_json_key_text(json, name);
    time_text(time_s, text);
    if (time_s == AUTH_NEVER_S)
        core_json_null(json);
    else
        core_json_text(json, text);
}

static void secret_write(const keys_command *command, core_json_writer *json,
                         const auth_key_secret *secret) {
    core_json_object_open(json);
    core_json_key_text(json, "prefix");
    core_json_text(json, secret->prefix);
    core_json_key_text(json, "state");
    core_json_text(json, state_name(auth_key_secret_state(secret, command->now_s)));
    time_write(json, "created", secret->created_s);
    time_write(json, "expires", secret->expires_s);
    if (secret->revoked_s != 0)
        time_write(json, "revoked", secret->revoked_s);
    core_json_object_close(json);
}

/* `key`: the newest's text, or NULL. */
static void record_write(const keys_command *command, core_json_writer *json,
                         const auth_key_record *record, const char *key) {
    core_json_object_open(json);
    if (key != NULL) {
        core_json_key_text(json, "key");
        core_json_text(json, key);
    }
    core_json_key_text(json, "name");
    core_json_text(json, record->name);
    core_json_key_text(json, "project");
    core_json_text(json, record->project);
    core_json_key_text(json, "environment");
    core_json_text(json, record->environment);
    core_json_key_text(json, "role");
    core_json_text(json, record->role);
    core_json_key_text(json, "sub");
    if (record->subject[0] != '\0')
        core_json_text(json, record->subject);
    else
        core_json_null(json);
    core_json_key_text(json, "scopes");
    core_scopes_write(json, record->scopes);
    if (record->indexes[0] != '\0') {
        core_json_key_text(json, "indexes");
        core_json_raw(json, core_slice_text(record->indexes));
    }
    time_write(json, "created", record->created_s);
    core_json_key_text(json, "keys");
    core_json_array_open(json);
    for (size_t i = 0; i < record->secret_count; i++)
        secret_write(command, json, &record->secrets[i]);
    core_json_array_close(json);
    core_json_object_close(json);
}

static void record_print_json(const keys_command *command, const auth_key_record *record,
                              const char *key) {
    core_buffer line;
    core_buffer_init(&line, LINE_MAX_BYTES);
    core_json_writer json = core_json_writer_make(&line);
    record_write(command, &json, record, key);
    (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&line)));
    if (key != NULL)
        explicit_bzero(line.data, line.length);
    core_buffer_fini(&line);
}

static void scopes_text(unsigned scopes, char text[128]) {
    text[0] = '\0';
    for (unsigned i = 0; i < CORE_SCOPE_COUNT; i++) {
        size_t used = strlen(text);
        if ((scopes & 1u << i) != 0)
            (void)snprintf(text + used, 128 - used, "%s%s", used > 0 ? "," : "",
                           core_scope_name(i));
    }
}

/* A key that was just made. */
static cli_exit key_print(const keys_command *command, const auth_key_record *record,
                          char key[AUTH_KEY_TEXT_MAX], const char *about) {
    char scopes[128], until[CORE_CLOCK_TEXT_SIZE];
    scopes_text(record->scopes, scopes);
    time_text(record->secrets[record->secret_count - 1].expires_s, until);
    if (command->prints_json)
        record_print_json(command, record, key);
    else
        (void)printf("%s\n", key);
    cli_exit result = cli_output_finish();
    if (!command->prints_json && result == CLI_OK)
        (void)fprintf(stderr,
                      "Key %s: role %s, scopes %s, project %s, environment %s, expires %s.\n%s"
                      "It is shown this once: keep it where secrets are kept.\n",
                      record->name, record->role, scopes, record->project, record->environment,
                      until, about);
    explicit_bzero(key, AUTH_KEY_TEXT_MAX);
    return result;
}

/* ---- Actions ---- */

/* Who did what with which key; the detail names the newest by its prefix, which is no secret. */
static void record_act(const keys_command *command, const char *act) {
    const auth_key_record *record = &command->record;
    char detail[512], scopes[128];
    scopes_text(record->scopes, scopes);
    (void)snprintf(detail, sizeof detail, "wc_%s, role %s, scopes %s",
                   record->secrets[record->secret_count - 1].prefix, record->role, scopes);
    const auth_act told = {.act = act,
                           .object = record->name,
                           .detail = detail,
                           .project = record->project,
                           .environment = record->environment};
    cli_audit(command->config, NULL, &told);
}

/* Each action reads its options before it connects. */
static bool create_read(keys_command *command, core_error *error) {
    const cli_arguments *arguments = command->arguments;
    const char *name = cli_value(arguments, "--name"), *role = cli_value(arguments, "--role");
    const char *subject = cli_value(arguments, "--sub");
    auth_key_record *wished = &command->record;
    int64_t ttl_s = 0;
    if (name == NULL || role == NULL)
        return core_error_set(error, CORE_ERROR_INPUT, "create: --%s is missing",
                              name == NULL ? "name N" : "role R");
    if (!place_read(command, name, error) ||
        !text_take(role, "--role", wished->role, sizeof wished->role, error) ||
        !text_take(subject, "--sub", wished->subject, sizeof wished->subject, error) ||
        !scopes_read(arguments, &wished->scopes, error))
        return false;
    command->expires_s = AUTH_NEVER_S;
    if (cli_value(arguments, "--ttl") == NULL)
        return true;
    if (!duration_read(arguments, "--ttl", NULL, CORE_MS_PER_S, &ttl_s, error))
        return false;
    command->expires_s = command->now_s + ttl_s;
    return true;
}

static cli_exit create_run(keys_command *command) {
    const auth_key_record wished = command->record;
    char key[AUTH_KEY_TEXT_MAX];
    core_error error = {.text = ""};
    if (!auth_key_create(command->store, &wished, command->expires_s, key, &command->record,
                         &error))
        return fail(&error);
    record_act(command, "key.created");
    if (!command->hosted)
        (void)fprintf(
            stderr,
            "note: no source of this configuration hosts project %s, environment %s: only "
            "processes that do take the key\n",
            wished.project, wished.environment);
    return key_print(command, &command->record, key, "");
}

static bool rotate_read(keys_command *command, core_error *error) {
    return place_read(command, command->arguments->second_operand, error) &&
           duration_read(command->arguments, "--overlap", OVERLAP_DEFAULT, 0, &command->overlap_s,
                         error);
}

static cli_exit rotate_run(keys_command *command) {
    const auth_key_record *record = &command->record;
    char key[AUTH_KEY_TEXT_MAX], about[128] = "", until[CORE_CLOCK_TEXT_SIZE];
    core_error error = {.text = ""};
    if (!auth_key_rotate(command->store, &command->record, command->overlap_s, key, &error))
        return fail(&error);
    record_act(command, "key.rotated");
    time_text(record->secrets[record->secret_count - 2].expires_s, until);
    (void)snprintf(about, sizeof about, "The one before it counts until %s.\n", until);
    return key_print(command, record, key, about);
}

static bool revoke_read(keys_command *command, core_error *error) {
    return place_read(command, command->arguments->second_operand, error);
}

static cli_exit revoke_run(keys_command *command) {
    const auth_key_record *record = &command->record;
    core_error error = {.text = ""};
    if (!auth_key_revoke(command->store, &command->record, &error))
        return fail(&error);
    record_act(command, "key.revoked");
    if (command->prints_json)
        record_print_json(command, record, NULL);
    else
        (void)printf("Key %s of project %s, environment %s is revoked.\n", record->name,
                     record->project, record->environment);
    return cli_output_finish();
}

static bool list_shows(const keys_command *command, const auth_key_record *record) {
    const char *project = cli_value(command->arguments, "--project");
    const char *environment = cli_value(command->arguments, "--environment");
    return (project == NULL || strcmp(project, record->project) == 0) &&
           (environment == NULL || strcmp(environment, record->environment) == 0);
}

static void list_lines(const keys_command *command, const auth_key_record *record) {
    char scopes[128], created[CORE_CLOCK_TEXT_SIZE], expires[CORE_CLOCK_TEXT_SIZE];
    scopes_text(record->scopes, scopes);
    for (size_t i = 0; i < record->secret_count; i++) {
        const auth_key_secret *secret = &record->secrets[i];
        time_text(secret->created_s, created);
        time_text(secret->expires_s, expires);
        (void)printf("%-20s %-12s %-8s wc_%s %-8s %-14s %-24s %-24s %s\n", record->name,
                     record->project, record->environment, secret->prefix,
                     state_name(auth_key_secret_state(secret, command->now_s)), record->role,
                     created, expires, scopes);
    }
}

/* One that cannot be read may be of any project. */
static void list_take(void *context, const auth_key_record *record, const char *problem) {
    keys_command *command = context;
    if (record == NULL) {
        (void)fprintf(stderr, "walcast: %s\n", problem);
        command->unreadable = true;
    } else if (list_shows(command, record) && command->prints_json) {
        record_print_json(command, record, NULL);
    } else if (list_shows(command, record)) {
        list_lines(command, record);
    }
}

static cli_exit list_run(keys_command *command) {
    core_error error = {.text = ""};
    if (!command->prints_json)
        (void)printf("%-20s %-12s %-8s %-11s %-8s %-14s %-24s %-24s %s\n", "NAME", "PROJECT", "ENV",
                     "KEY", "STATE", "ROLE", "CREATED", "EXPIRES", "SCOPES");
    if (!auth_key_each(command->store, list_take, command, &error))
        return fail(&error);
    cli_exit output = cli_output_finish();
    return output == CLI_OK && command->unreadable ? CLI_BAD : output;
}

/* ---- The command ---- */

static const struct {
    const char *name;
    bool takes_name;                                        /* as its second word */
    bool (*read)(keys_command *command, core_error *error); /* NULL: takes no options of its own */
    cli_exit (*run)(keys_command *command);
} actions[] = {
    {"create", false, create_read, create_run},
    {"list", false, NULL, list_run},
    {"rotate", true, rotate_read, rotate_run},
    {"revoke", true, revoke_read, revoke_run},
};

/* Its place in the table; CORE_COUNT_OF(actions) with an INPUT error. */
static size_t action_find(const cli_arguments *arguments, core_error *error) {
    const char *word = arguments->operand, *second = arguments->second_operand;
    for (size_t i = 0; word != NULL && i < CORE_COUNT_OF(actions); i++) {
        if (strcmp(word, actions[i].name) != 0)
            continue;
        if (actions[i].takes_name == (second != NULL))
            return i;
        (void)core_error_set(error, CORE_ERROR_INPUT,
                             second != NULL ? "%s: unexpected argument \"%s\""
                                            : "%s what? the key's name%s",
                             word, second != NULL ? second : "");
        return CORE_COUNT_OF(actions);
    }
    (void)core_error_set(error, CORE_ERROR_INPUT, "expected create, list, rotate or revoke%s%s",
                         word != NULL ? ", not " : "", word != NULL ? word : "");
    return CORE_COUNT_OF(actions);
}

static bool store_open(keys_command *command, core_error *error) {
    const core_clock *clock = core_clock_system();
    command->log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, clock);
    if (command->log == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no log");
    const auth_verifier_spec spec = {
        .config = command->config, .clock = clock, .log = command->log};
    command->store = auth_key_store_new(&spec, error);
    return command->store != NULL;
}

cli_exit cli_command_keys(const cli_arguments *arguments) {
    keys_command command = {
        .arguments = arguments,
        .now_s = core_clock_wall_us(core_clock_system()) / CORE_US_PER_S,
        .prints_json = cli_flag(arguments, "--json"),
    };
    core_error error = {.text = ""};
    size_t action = action_find(arguments, &error);
    if (action == CORE_COUNT_OF(actions))
        return cli_usage_fail("keys", &error);
    command.config = cli_config_load(arguments);
    if (command.config == NULL)
        return CLI_USAGE;
    cli_exit result;
    if (actions[action].read != NULL && !actions[action].read(&command, &error))
        result = cli_usage_fail("keys", &error);
    else if (!store_open(&command, &error))
        result = cli_fail(&error);
    else
        result = actions[action].run(&command);
    auth_key_store_free(command.store);
    core_log_free(command.log);
    core_config_free(command.config);
    return result;
}
