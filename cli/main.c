/* The walcast binary: finds the command, parses its options by its table, runs it. */
#include "cli/command.h"

#include <signal.h>
#include <stdio.h>

static cli_exit command_unknown(const char *name) {
    size_t count;
    const cli_command *commands = cli_commands(&count);
    const char *nearest = cli_nearest(name, &commands[0].name, count, sizeof commands[0]);
    core_error error;
    (void)core_error_set(&error, CORE_ERROR_INPUT, "there is no command \"%s\"%s%s%s", name,
                         nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                         nearest != NULL ? "?" : "");
    return cli_usage_fail(NULL, &error);
}

static bool asks_help(int argc, char *const *argv) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static cli_exit command_start(const cli_command *command, int argc, char *const *argv) {
    cli_arguments arguments;
    core_error error;
    if (asks_help(argc, argv)) {
        cli_help_command_print(command, stdout);
        return cli_output_finish();
    }
    if (!cli_options_parse(command->options, command->option_count, command->operands, argc, argv,
                           &arguments, &error))
        return cli_usage_fail(command->name, &error);
    return command->run(&arguments);
}

int main(int argc, char **argv) {
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that goes away is a result, not a signal */
    (void)signal(SIGXFSZ, SIG_IGN); /* and so is a file that may not grow */
    if (argc < 2) {
        cli_help_print(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0)
        name = "version";
    const cli_command *command = cli_command_find(name);
    return command == NULL ? command_unknown(name) : command_start(command, argc - 2, argv + 2);
}
