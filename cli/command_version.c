/* `walcast version`: the release and the revision that it was built from. */
#include "cli/command.h"

#include "cli/version.h"

cli_exit cli_command_version(const cli_arguments *arguments) {
    if (cli_flag(arguments, "--json"))
        (void)printf("{\"version\":\"%s\",\"revision\":\"%s\"}\n", WALCAST_VERSION,
                     WALCAST_REVISION);
    else
        (void)printf("walcast %s (%s)\n", WALCAST_VERSION, WALCAST_REVISION);
    return cli_output_finish();
}
