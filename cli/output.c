/* What every command says when it cannot go on, and how its output ends; see command.h. */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>

cli_exit cli_fail(const core_error *error) {
    (void)fprintf(stderr, "walcast: %s\n", error->text);
    return error->code == CORE_ERROR_CONFIG ? CLI_USAGE : CLI_BAD;
}

cli_exit cli_usage_fail(const char *command, const core_error *error) {
    const char *space = command != NULL ? " " : "";
    const char *name = command != NULL ? command : "";
    (void)fprintf(stderr, "walcast%s%s: %s\nSee \"walcast%s%s --help\".\n", space, name,
                  error->text, space, name);
    return CLI_USAGE;
}

core_config *cli_config_load(const cli_arguments *arguments) {
    const char *source = cli_value(arguments, "--source");
    core_config *config = core_config_load(cli_value(arguments, "--config"), stderr);
    core_error error;
    if (config == NULL || source == NULL)
        return config;
    config = core_config_source_detach(config, source, &error);
    if (config == NULL)
        (void)fprintf(stderr, "--source: %s\n", error.text);
    return config;
}

cli_exit cli_output_finish(void) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CLI_OK;
    if (errno == EPIPE)
        return CLI_OK;
    core_error error;
    (void)core_error_set(&error, CORE_ERROR_INTERNAL, "cannot write to standard output: %s",
                         strerror(errno));
    return cli_fail(&error);
}
