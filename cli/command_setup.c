/* `walcast setup`: the SQL that clients need in the source database, printed or run.
 *
 * Without --print or --apply nothing is done: what is changed in somebody's database is asked for
 * by name. It runs as one transaction, so a failure leaves nothing half made. */
#include "cli/audit.h"
#include "cli/command.h"
#include "cli/setup.h"

#include <stdio.h>

static cli_exit setup_print(void) {
    (void)fputs(cli_setup_sql, stdout);
    return cli_output_finish();
}

static bool setup_run(pg_connection *connection, core_error *error) {
    pg_result *result = pg_query(connection, cli_setup_sql, NULL, 0, error);
    if (result == NULL) {
        if (error->code == CORE_ERROR_CONFIG) /* of the database, not of walcast.yaml */
            error->code = CORE_ERROR_DENIED;
        return core_error_wrap(error, "nothing was changed");
    }
    pg_result_free(result);
    return true;
}

static bool setup_apply(const core_config *config, core_error *error) {
    pg_connection *connection = cli_setup_connect(config, error);
    if (connection == NULL)
        return core_error_wrap(error, "connecting to the database");
    cli_setup_count count;
    bool ok = setup_run(connection, error) && cli_setup_look(connection, stdout, &count, error);
    if (ok && count.missing > 0)
        ok = core_error_set(error, CORE_ERROR_DENIED, "%u objects are still missing; see above",
                            count.missing);
    if (ok && pg_connection_server_version(connection) < 140000)
        (void)fputs("note: PostgreSQL 13 sends no logical messages, so realtime.send and "
                    "realtime.broadcast_changes raise an error; all else works\n",
                    stdout);
    pg_connection_free(connection);
    return ok;
}

cli_exit cli_command_setup(const cli_arguments *arguments) {
    bool print = cli_flag(arguments, "--print");
    core_error error = {.code = CORE_ERROR_NONE};
    if (print == cli_flag(arguments, "--apply")) {
        (void)core_error_set(&error, CORE_ERROR_INPUT, "expected one of --print and --apply");
        return cli_usage_fail("setup", &error);
    }
    if (print)
        return setup_print();
    core_config *config = cli_config_load(arguments);
    if (config == NULL)
        return CLI_USAGE;
    bool ok = setup_apply(config, &error);
    const auth_act act = {.act = "setup.applied"};
    if (ok)
        cli_audit(config, NULL, &act);
    core_config_free(config);
    cli_exit output = cli_output_finish();
    return ok ? output : cli_fail(&error);
}
