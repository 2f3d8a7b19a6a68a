/* `walcast help`, and every command's --help: made from the table. */
#include "cli/command.h"

#define COLUMN_WIDTH 20

void cli_help_print(FILE *out) {
    size_t count;
    const cli_command *commands = cli_commands(&count);
    (void)fputs("Walcast turns PostgreSQL's write-ahead log into a durable live stream.\n\n"
                "Usage: walcast COMMAND [OPTIONS]\n\nCommands:\n",
                out);
    for (size_t i = 0; i < count; i++)
        (void)fprintf(out, "  %-*s %s\n", COLUMN_WIDTH, commands[i].name, commands[i].summary);
    (void)fputs("\n\"walcast COMMAND --help\" tells more. Every command ends with 0 when all is "
                "well, 1 when\nthe answer is bad, 2 when the command line or the configuration is "
                "wrong.\n",
                out);
}

void cli_help_command_print(const cli_command *command, FILE *out) {
    (void)fprintf(out, "Usage: walcast %s %s\n\n%c%s.\n", command->name, command->usage,
                  command->summary[0] - 'a' + 'A', command->summary + 1);
    (void)fprintf(out, "%s%s\nOptions:\n", command->doc[0] != '\0' ? "\n" : "", command->doc);
    for (size_t i = 0; i < command->option_count; i++) {
        const cli_option *option = &command->options[i];
        char form[64];
        (void)snprintf(form, sizeof form, "%s%s%s", option->name, option->value ? " " : "",
                       option->value ? option->value : "");
        (void)fprintf(out, "  %-*s %s\n", COLUMN_WIDTH, form, option->doc);
    }
}

cli_exit cli_command_help(const cli_arguments *arguments) {
    if (arguments->operand == NULL) {
        cli_help_print(stdout);
        return cli_output_finish();
    }
    const cli_command *command = cli_command_find(arguments->operand);
    if (command == NULL) {
        core_error error;
        (void)core_error_set(&error, CORE_ERROR_INPUT, "there is no command \"%s\"",
                             arguments->operand);
        return cli_usage_fail("help", &error);
    }
    cli_help_command_print(command, stdout);
    return cli_output_finish();
}
