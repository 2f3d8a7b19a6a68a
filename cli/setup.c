/* Looking for what `walcast setup` makes; see setup.h. Changes nothing. */
#include "cli/setup.h"

#include <string.h>

enum { SETUP_TIMEOUT_MS = 60000, HINT_TIMEOUT_MS = 5000 };

/* Kind, name, and what of it there is: made, foreign, missing, or absent, which hinders nothing. */
static const char look_sql[] =
    "SELECT 'role', wanted, CASE WHEN r.oid IS NULL THEN 'missing'"
    "   WHEN wanted = 'service_role' AND NOT (r.rolbypassrls OR r.rolsuper) THEN 'foreign'"
    "   ELSE 'made' END"
    " FROM unnest(ARRAY['anon', 'authenticated', 'service_role']) AS wanted"
    " LEFT JOIN pg_roles r ON r.rolname = wanted"
    " UNION ALL SELECT 'table', 'realtime.messages', CASE"
    "   WHEN to_regclass('realtime.messages') IS NULL THEN 'missing' ELSE 'made' END"
    " UNION ALL SELECT 'function', signature, CASE"
    "   WHEN to_regprocedure(signature) IS NULL THEN 'missing'"
    "   WHEN obj_description(to_regprocedure(signature), 'pg_proc') LIKE 'Walcast: %' THEN 'made'"
    "   ELSE 'foreign' END"
    " FROM unnest(ARRAY['realtime.topic()', 'realtime.send(jsonb,text,text,boolean)',"
    "  'realtime.broadcast_changes(text,text,text,text,text,record,record,text)', 'auth.uid()',"
    "  'auth.jwt()', 'auth.role()']) AS signature"
    " UNION ALL SELECT 'trigger', wanted, CASE WHEN e.oid IS NULL THEN 'absent'"
    "   WHEN e.evtfoid = to_regprocedure('realtime.tell_ddl()') AND e.evtenabled IN ('O', 'A')"
    "   THEN 'made' ELSE 'foreign' END"
    " FROM unnest(ARRAY['walcast_ddl', 'walcast_drop']) AS wanted"
    " LEFT JOIN pg_event_trigger e ON e.evtname = wanted"
    " WHERE current_setting('server_version_num')::int >= 140000";

static const char *state_text(const char *kind, const char *state) {
    if (strcmp(state, "made") == 0)
        return "there";
    if (strcmp(state, "missing") == 0)
        return "MISSING";
    if (strcmp(state, "absent") == 0)
        return "not there: an event trigger is a superuser's to make; changed policies are "
               "noticed by asking, every auth.grants_interval";
    if (strcmp(kind, "trigger") == 0)
        return "there, disabled or not Walcast's: changed policies are noticed by asking, every "
               "auth.grants_interval";
    return strcmp(kind, "role") == 0
               ? "there, but does not bypass row-level security: ALTER ROLE service_role BYPASSRLS"
               : "there, not Walcast's: left as it is";
}

bool cli_setup_look(pg_connection *connection, FILE *out, cli_setup_count *count,
                    core_error *error) {
    *count = (cli_setup_count){.made = 0};
    pg_result *result = pg_query(connection, look_sql, NULL, 0, error);
    if (result == NULL)
        return core_error_wrap(error, "looking for what walcast setup makes");
    for (size_t row = 0; row < pg_result_rows(result); row++) {
        const char *kind = pg_result_value(result, row, 0);
        const char *state = pg_result_value(result, row, 2);
        count->made += strcmp(state, "made") == 0;
        count->foreign += strcmp(state, "foreign") == 0;
        count->missing += strcmp(state, "missing") == 0;
        count->absent += strcmp(state, "absent") == 0;
        if (out != NULL)
            (void)fprintf(out, "%-8s %-76s %s\n", kind, pg_result_value(result, row, 1),
                          state_text(kind, state));
    }
    pg_result_free(result);
    return true;
}

static pg_connection *database_connect(const core_config *config, int64_t timeout_ms,
                                       core_error *error) {
    const pg_connection_spec spec = {
        .url = core_config_text(config, "postgres.url"),
        .application_name = "walcast setup",
        .timeout_ms = timeout_ms,
        .cancel_fd = -1,
    };
    return pg_connection_new(&spec, error);
}

pg_connection *cli_setup_connect(const core_config *config, core_error *error) {
    return database_connect(config, SETUP_TIMEOUT_MS, error);
}

void cli_setup_hint(const core_config *config, FILE *out) {
    core_error error = {.code = CORE_ERROR_NONE};
    cli_setup_count count;
    pg_connection *connection = database_connect(config, HINT_TIMEOUT_MS, &error);
    if (connection == NULL)
        return;
    bool looked = cli_setup_look(connection, NULL, &count, &error);
    if (looked && count.missing > 0)
        (void)fprintf(out,
                      "%u of the roles and functions for clients are missing (private channels, "
                      "broadcasts from SQL): see walcast setup --help\n",
                      count.missing);
    else if (looked && count.absent > 0)
        (void)fprintf(out,
                      "the event triggers that tell of changed policies are not there: those are "
                      "noticed by asking, every auth.grants_interval, and not in order with the "
                      "data (a superuser's walcast setup makes them)\n");
    pg_connection_free(connection);
}
