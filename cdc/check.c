/* `walcast check` for the database: every finding on one line that names key, value, what was
 * expected and how to mend it. Reads only. */
#include "cdc/cdc.h"
#include "cdc/publication.h"
#include "cdc/slot.h"

#include <stdio.h>

enum { URL_TEXT_MAX = 512 };

typedef struct {
    const core_config *config;
    FILE *report;
    bool ok;
} check;

/* "postgres.url (origin) value: text" */
static void finding(check *state, const char *key, const char *value, const core_error *error) {
    (void)fprintf(state->report, "%s (%s) %s: %s\n", key, core_config_origin(state->config, key),
                  value, error->text);
    state->ok = false;
}

static void url_finding(check *state, const core_error *error) {
    char url[URL_TEXT_MAX];
    core_config_redact_url(core_config_text(state->config, "postgres.url"), url, sizeof url);
    finding(state, "postgres.url", url, error);
}

static void tables_check(check *state) {
    size_t count = core_config_list_count(state->config, "postgres.tables");
    for (size_t i = 0; i < count; i++) {
        const char *text = core_config_list_item(state->config, "postgres.tables", i);
        cdc_table_pattern pattern;
        core_error error;
        if (!cdc_table_pattern_parse(text, &pattern, &error))
            finding(state, "postgres.tables", text, &error);
    }
}

static void slot_check(check *state, pg_connection *connection) {
    const char *name = core_config_text(state->config, "postgres.slot");
    cdc_slot_state slot;
    core_error error;
    if (!cdc_slot_look(connection, name, &slot, &error))
        finding(state, "postgres.slot", name, &error);
    else if (!slot.exists)
        (void)fprintf(state->report, "postgres.slot %s: not there yet, `walcast run` makes it\n",
                      name);
    else if (slot.lost) {
        (void)core_error_set(&error, CORE_ERROR_GAP,
                             "the slot is lost: %s; `walcast run --on-gap continue` makes it anew",
                             slot.lost_reason);
        finding(state, "postgres.slot", name, &error);
    }
}

static void publication_check(check *state, pg_connection *connection) {
    const char *name = core_config_text(state->config, "postgres.publication");
    bool exists = false;
    core_error error;
    if (!cdc_publication_exists(connection, name, &exists, &error))
        finding(state, "postgres.publication", name, &error);
    else if (!exists)
        (void)fprintf(state->report,
                      "postgres.publication %s: not there yet, `walcast run` makes it\n", name);
}

/* The walsender has rules of its own (pg_hba.conf, max_wal_senders): connect to it too. */
static pg_connection *connection_try(check *state, bool replication) {
    pg_connection_spec spec = {
        .url = core_config_text(state->config, "postgres.url"),
        .application_name = "walcast check",
        .replication = replication,
        .timeout_ms = core_config_integer(state->config, "postgres.connect_timeout"),
        .cancel_fd = -1,
    };
    core_error error;
    pg_connection *connection = pg_connection_new(&spec, &error);
    if (connection == NULL)
        url_finding(state, &error);
    return connection;
}

bool cdc_check(const core_config *config, FILE *report) {
    check state = {.config = config, .report = report, .ok = true};
    tables_check(&state);
    pg_connection *connection = connection_try(&state, false);
    if (connection == NULL)
        return false;
    core_error error;
    if (!cdc_server_check(connection, &error))
        url_finding(&state, &error);
    else
        pg_connection_free(connection_try(&state, true));
    slot_check(&state, connection);
    publication_check(&state, connection);
    pg_connection_free(connection);
    return state.ok;
}
