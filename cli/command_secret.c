/* `walcast secret`: secrets at rest in the key-value bucket. Values come from standard input or a
 * prompt, never from the command line, where every user of the machine would see them; and none is
 * ever printed. */
#include "cli/audit.h"
#include "cli/command.h"
#include "fanout/fanout.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define VALUE_READ_MAX (AUTH_SECRET_MAX + 2) /* more than may be, so that it is seen */

typedef struct {
    core_config *config;
    core_log *log;
    fanout_connection *connection;
    auth_secrets *secrets;
    const char *project; /* of set and rm: the default is the process's */
    const char *name;
    bool prints_json;
    core_buffer value; /* of set */
    core_buffer json;
    uint64_t sealed, current, failed; /* of rotate */
} secret_command;

/* ---- The value ---- */

/* Until there is something to read. False: a signal is to end the process. */
static bool value_await(int signal_fd) {
    struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = signal_fd, .events = POLLIN}};
    while (poll(waits, CORE_COUNT_OF(waits), -1) < 0 && errno == EINTR)
        ;
    return waits[1].revents == 0;
}

/* Up to the end, of a terminal the line's. `signal_fd` -1: signals do what they do. */
static bool value_read(int signal_fd, core_buffer *value, core_error *error) {
    while (value->length < VALUE_READ_MAX) {
        uint8_t *room = core_buffer_reserve(value, VALUE_READ_MAX - value->length);
        if (room == NULL)
            return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the value");
        if (!value_await(signal_fd))
            return core_error_set(error, CORE_ERROR_INPUT, "no value was given");
        ssize_t got = read(STDIN_FILENO, room, VALUE_READ_MAX - value->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return core_error_set(error, CORE_ERROR_INPUT, "the value cannot be read: %s",
                                  strerror(errno));
        core_buffer_commit(value, (size_t)got);
        if (got == 0 || (isatty(STDIN_FILENO) && value->data[value->length - 1] == '\n'))
            break;
    }
    return true;
}

/* As other programs hand it on, with a line end behind it. */
static core_slice value_trim(const core_buffer *value) {
    size_t length = value->length;
    if (length > 0 && value->data[length - 1] == '\n')
        length--;
    if (length < value->length && length > 0 && value->data[length - 1] == '\r')
        length--;
    return core_slice_make(value->data, length);
}

static bool value_read_silently(const char *name, const struct termios *before, int signal_fd,
                                core_buffer *value, core_error *error) {
    struct termios silent = *before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    (void)fprintf(stderr, "value of %s: ", name);
    bool ok = value_read(signal_fd, value, error);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
    (void)fputc('\n', stderr);
    return ok;
}

/* From a terminal without showing it. What would end the process waits until the terminal is as it
 * was, and then ends it; so no thread may have begun, which would take it at once. */
static bool value_ask(const char *name, core_buffer *value, core_error *error) {
    static const int ending[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};
    struct termios before;
    sigset_t signals, mask;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return value_read(-1, value, error);
    (void)sigemptyset(&signals);
    for (size_t i = 0; i < CORE_COUNT_OF(ending); i++)
        (void)sigaddset(&signals, ending[i]);
    (void)sigprocmask(SIG_BLOCK, &signals, &mask);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    bool ok = signal_fd >= 0
                  ? value_read_silently(name, &before, signal_fd, value, error)
                  : core_error_set(error, CORE_ERROR_INTERNAL, "signalfd: %s", strerror(errno));
    if (signal_fd >= 0)
        (void)close(signal_fd);
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    return ok;
}

/* ---- Actions ---- */

static void secret_audit(const secret_command *command, const char *act, const char *detail) {
    const auth_act record = {
        .act = act, .object = command->name, .detail = detail, .project = command->project};
    cli_audit(command->config, command->connection, &record);
}

static cli_exit secret_fail(const core_error *error) {
    return error->code == CORE_ERROR_INPUT ? cli_usage_fail("secret", error) : cli_fail(error);
}

static cli_exit action_set(secret_command *command) {
    core_error error;
    int64_t now_us = core_clock_wall_us(core_clock_system());
    if (!auth_secrets_set(command->secrets, command->project, command->name,
                          value_trim(&command->value), now_us, &error))
        return secret_fail(&error);
    secret_audit(command, "secret.set", NULL);
    return CLI_OK;
}

static cli_exit action_remove(secret_command *command) {
    core_error error;
    if (!auth_secrets_remove(command->secrets, command->project, command->name, &error))
        return secret_fail(&error);
    secret_audit(command, "secret.removed", NULL);
    return CLI_OK;
}

static const char *fact_key(const auth_secret_fact *fact) {
    return fact->current ? "current" : fact->known ? "older" : "missing";
}

static void fact_json(secret_command *command, const auth_secret_fact *fact) {
    char created[CORE_CLOCK_TEXT_SIZE], key[24];
    core_clock_format(fact->created_us, created);
    (void)snprintf(key, sizeof key, "%016" PRIx64, fact->key_id);
    core_buffer_reset(&command->json);
    core_json_writer json = core_json_writer_make(&command->json);
    core_json_object_open(&json);
    core_json_key_text(&json, "project");
    core_json_string(&json, fact->project);
    core_json_key_text(&json, "name");
    core_json_string(&json, fact->name);
    core_json_key_text(&json, "created");
    core_json_text(&json, created);
    core_json_key_text(&json, "key_id");
    core_json_text(&json, key);
    core_json_key_text(&json, "key");
    core_json_text(&json, fact_key(fact));
    core_json_object_close(&json);
    (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&command->json)));
}

static void fact_problem(secret_command *command, const auth_secret_fact *fact,
                         const char *problem) {
    command->failed++;
    (void)fprintf(stderr, "walcast: secret %.*s of project %.*s: %s\n", CORE_SLICE_ARGS(fact->name),
                  CORE_SLICE_ARGS(fact->project), problem);
}

static void on_listed(void *context, const auth_secret_fact *fact, const char *problem) {
    secret_command *command = context;
    char created[CORE_CLOCK_TEXT_SIZE];
    if (problem != NULL) {
        fact_problem(command, fact, problem);
    } else if (command->prints_json) {
        fact_json(command, fact);
    } else {
        core_clock_format(fact->created_us, created);
        (void)printf("%-24.*s  %-32.*s  %s  key %016" PRIx64 " (%s)\n",
                     CORE_SLICE_ARGS(fact->project), CORE_SLICE_ARGS(fact->name), created,
                     fact->key_id, fact_key(fact));
    }
}

static cli_exit output_end(const secret_command *command) {
    cli_exit output = cli_output_finish();
    return output == CLI_OK && command->failed > 0 ? CLI_BAD : output;
}

static cli_exit action_list(secret_command *command, const char *project) {
    core_error error;
    if (!auth_secrets_list(command->secrets, project, on_listed, command, &error))
        return secret_fail(&error);
    return output_end(command);
}

static void on_rotated(void *context, const auth_secret_fact *fact, const char *problem) {
    secret_command *command = context;
    if (problem != NULL)
        fact_problem(command, fact, problem);
    else if (fact->sealed_now)
        command->sealed++;
    else
        command->current++;
}

static cli_exit action_rotate(secret_command *command) {
    core_error error;
    if (!auth_secrets_rotate(command->secrets, on_rotated, command, &error))
        return secret_fail(&error);
    (void)printf(command->prints_json
                     ? "{\"sealed\":%" PRIu64 ",\"current\":%" PRIu64 ",\"failed\":%" PRIu64 "}\n"
                     : "%" PRIu64 " sealed anew, %" PRIu64 " were already, %" PRIu64 " failed\n",
                 command->sealed, command->current, command->failed);
    if (command->sealed > 0)
        secret_audit(command, "secret.rotated", "under the first of the master keys");
    return output_end(command);
}

static cli_exit action_key(void) {
    char text[AUTH_SECRET_KEY_TEXT_SIZE];
    core_error error;
    if (!auth_secrets_key_make(text, &error))
        return cli_fail(&error);
    (void)printf("%s\n", text);
    return cli_output_finish();
}

/* ---- The command ---- */

static const struct {
    const char *name;
    bool names_one;
} actions[] = {{"set", true}, {"list", false}, {"rm", true}, {"rotate", false}, {"key", false}};

static bool arguments_check(const cli_arguments *arguments, core_error *error) {
    const char *action = arguments->operand;
    for (size_t i = 0; action != NULL && i < CORE_COUNT_OF(actions); i++) {
        if (strcmp(action, actions[i].name) != 0)
            continue;
        if (actions[i].names_one == (arguments->second_operand != NULL))
            return true;
        return core_error_set(
            error, CORE_ERROR_INPUT,
            actions[i].names_one ? "%s what? the secret's name" : "%s takes no name", action);
    }
    return core_error_set(error, CORE_ERROR_INPUT, "expected set, list, rm, rotate or key%s%s",
                          action != NULL ? ", not " : "", action != NULL ? action : "");
}

static void warn_exposed(const core_config *config, unsigned exposed) {
    if (exposed != 0)
        (void)fprintf(stderr,
                      "walcast: warning: secrets.key_file %s has mode %04o: others than its owner "
                      "may read the master keys (chmod 600)\n",
                      core_config_text(config, "secrets.key_file"), exposed);
}

static bool resources_open(secret_command *command, bool sets, core_error *error) {
    unsigned exposed = 0;
    if (!auth_secrets_keys_check(command->config, &exposed, error))
        return false;
    warn_exposed(command->config, exposed);
    if (sets && !value_ask(command->name, &command->value, error))
        return false;
    command->log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, core_clock_system());
    if (command->log == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no log");
    command->connection =
        fanout_connection_new(command->config, "walcast secret", command->log, NULL, error);
    if (command->connection != NULL)
        command->secrets = auth_secrets_new(command->connection, command->config, error);
    return command->secrets != NULL;
}

static cli_exit action_run(secret_command *command, const cli_arguments *arguments) {
    const char *action = arguments->operand, *project = cli_value(arguments, "--project");
    command->project = project != NULL ? project : core_config_text(command->config, "project");
    if (strcmp(action, "set") == 0)
        return action_set(command);
    if (strcmp(action, "rm") == 0)
        return action_remove(command);
    if (strcmp(action, "rotate") == 0)
        return action_rotate(command);
    return action_list(command, project);
}

cli_exit cli_command_secret(const cli_arguments *arguments) {
    secret_command command = {.name = arguments->second_operand,
                              .prints_json = cli_flag(arguments, "--json")};
    core_error error = {0};
    if (!arguments_check(arguments, &error))
        return cli_usage_fail("secret", &error);
    if (strcmp(arguments->operand, "key") == 0)
        return action_key();
    command.config = cli_config_load(arguments);
    if (command.config == NULL)
        return CLI_USAGE;
    core_buffer_init(&command.value, VALUE_READ_MAX);
    core_buffer_init(&command.json, (size_t)1 << 16);
    bool sets = strcmp(arguments->operand, "set") == 0;
    cli_exit result = resources_open(&command, sets, &error) ? action_run(&command, arguments)
                                                             : secret_fail(&error);
    auth_secrets_wipe(&command.value);
    auth_secrets_free(command.secrets);
    if (command.connection != NULL)
        fanout_connection_free(command.connection);
    core_log_free(command.log);
    core_buffer_fini(&command.json);
    core_config_free(command.config);
    return result;
}
