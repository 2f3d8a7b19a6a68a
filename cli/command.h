/* What a command is, and the commands there are. Private to cli. */
#ifndef WALCAST_CLI_COMMAND_H
#define WALCAST_CLI_COMMAND_H

#include "cli/options.h"

/* What the process ends with. */
typedef enum {
    CLI_OK = 0,
    CLI_BAD = 1,   /* the answer is bad: a server is away, something is wrong over there */
    CLI_USAGE = 2, /* the command line or the configuration is wrong */
} cli_exit;

typedef struct {
    const char *name;
    const char *summary; /* one line */
    const char *usage;   /* behind "walcast NAME" */
    unsigned operands;   /* how many it takes besides options */
    const char *doc;     /* paragraphs, ended by a newline */
    const cli_option *options;
    size_t option_count;
    cli_exit (*run)(const cli_arguments *arguments);
} cli_command;

/* The table (command_table.c). */
const cli_command *cli_commands(size_t *count);
/* NULL: there is none of that name. */
const cli_command *cli_command_find(const char *name);

cli_exit cli_command_apply(const cli_arguments *arguments);
cli_exit cli_command_audit(const cli_arguments *arguments);
cli_exit cli_command_check(const cli_arguments *arguments);
cli_exit cli_command_dlq(const cli_arguments *arguments);
cli_exit cli_command_help(const cli_arguments *arguments);
cli_exit cli_command_job(const cli_arguments *arguments);
cli_exit cli_command_keys(const cli_arguments *arguments);
cli_exit cli_command_run(const cli_arguments *arguments);
cli_exit cli_command_search(const cli_arguments *arguments);
cli_exit cli_command_secret(const cli_arguments *arguments);
cli_exit cli_command_setup(const cli_arguments *arguments);
cli_exit cli_command_snapshot(const cli_arguments *arguments);
cli_exit cli_command_tail(const cli_arguments *arguments);
cli_exit cli_command_token(const cli_arguments *arguments);
/* `token` with an operand. */
cli_exit cli_command_token_revoke(const cli_arguments *arguments);
cli_exit cli_command_trigger(const cli_arguments *arguments);
cli_exit cli_command_verify(const cli_arguments *arguments);
cli_exit cli_command_version(const cli_arguments *arguments);

/* The help of all, or of one. */
void cli_help_print(FILE *out);
void cli_help_command_print(const cli_command *command, FILE *out);

/* "walcast: TEXT" on standard error, and the exit code that fits the error's code. */
cli_exit cli_fail(const core_error *error);
/* "walcast COMMAND: TEXT" and where to read more, on standard error; CLI_USAGE. `command` may be
 * NULL. */
cli_exit cli_usage_fail(const char *command, const core_error *error);
/* The configuration of `--config`, with its problems on standard error; NULL: end with CLI_USAGE.
 */
CORE_MUST_CHECK core_config *cli_config_load(const cli_arguments *arguments);
/* Flushes standard output; CLI_BAD with a message when what was printed did not get out. A reader
 * that has gone away is no failure. */
cli_exit cli_output_finish(void);

#endif
