/* See channel_query.h.
 *
 * One transaction: two probe rows, one for each extension, are inserted as the user of
 * postgres.url; then, as the role and with its claims, each is selected (may it read?) and one more
 * of each is inserted (may it write?). Each of the four stands in a block of its own, so a policy
 * that raises denies that one alone. ROLLBACK ends it whatever happened: nothing is left and
 * nothing is published. The search path is the database's own while policies run, since their
 * functions may count on it, and empty otherwise. What policies ran before cannot change the
 * answer: it is set when the role is left again. */
#include "auth/channel_query.h"

#include <stdio.h>

#define QUOTE_SQL "$walcast$"

/* Keys of pg_connection_note: a connection on which the function was tried to be made, and was. */
static const char tried_key[] = "tried";
static const char made_key[] = "made";

void auth_channel_refuse(auth_channel_rights *rights, bool unavailable, const char *reason) {
    rights->unavailable = unavailable;
    for (size_t i = 0; i < AUTH_CHANNEL_RIGHTS; i++) {
        rights->allowed[i] = false;
        (void)snprintf(rights->reasons[i], sizeof rights->reasons[i], "%s", reason);
    }
}

static void setting_append(core_buffer *sql, const char *name, core_slice value, bool more) {
    core_buffer_format(sql, "set_config('walcast.%s', ", name);
    pg_literal_append(sql, value);
    core_buffer_format(sql, ", true)%s", more ? ", " : "; ");
}

/* A function of the session's own keeps its plans, which makes it several times as fast. */
static void function_make(pg_connection *connection, core_buffer *sql) {
    core_error ignored = {.code = CORE_ERROR_NONE}; /* a standby, no TEMP: it goes without */
    pg_connection_note(connection, tried_key);
    core_buffer_text(sql, "CREATE FUNCTION pg_temp.walcast_rights() RETURNS void LANGUAGE plpgsql"
                          " AS " QUOTE_SQL);
    core_buffer_text(sql, auth_channel_body_sql);
    core_buffer_text(sql, QUOTE_SQL);
    core_buffer_u8(sql, '\0');
    pg_result *result = core_buffer_ok(sql)
                            ? pg_query(connection, (const char *)sql->data, NULL, 0, &ignored)
                            : NULL;
    if (result != NULL)
        pg_connection_note(connection, made_key);
    pg_result_free(result);
    core_buffer_reset(sql);
}

static void sql_write(core_buffer *sql, const auth_channel_question *question, int64_t timeout_ms,
                      bool made) {
    core_buffer_format(sql,
                       "BEGIN; SET LOCAL statement_timeout = %lld;"
                       " SET LOCAL client_min_messages = error; SET LOCAL jit = off; SELECT ",
                       (long long)timeout_ms);
    setting_append(sql, "role", core_slice_text(question->role), true);
    setting_append(sql, "topic", question->topic, true);
    setting_append(sql, "subject", core_slice_text(question->subject), true);
    setting_append(sql, "claims", question->claims_json, false);
    core_buffer_text(sql, made ? "SELECT pg_temp.walcast_rights(); " : "DO " QUOTE_SQL);
    if (!made) {
        core_buffer_text(sql, auth_channel_body_sql);
        core_buffer_text(sql, QUOTE_SQL "; ");
    }
    /* In auth_channel_right's order. */
    core_buffer_text(sql, "SELECT r->>0, r->>2, r->>1, r->>3 FROM"
                          " (SELECT current_setting('walcast.rights')::jsonb) AS answer(r)");
    core_buffer_u8(sql, '\0');
}

static void rights_read(const pg_result *result, auth_channel_rights *rights) {
    rights->unavailable = false;
    for (size_t i = 0; i < AUTH_CHANNEL_RIGHTS; i++) {
        const char *reason = pg_result_value(result, 0, i);
        rights->allowed[i] = reason == NULL;
        (void)snprintf(rights->reasons[i], sizeof rights->reasons[i], "%s",
                       reason != NULL ? reason : "");
    }
}

/* Whether the statement failed of itself, on a connection that is well: the role's own trouble. */
static bool failure_is_policies(pg_connection *connection, int64_t timeout_ms,
                                const core_error *error, auth_channel_rights *rights) {
    const char *state = pg_connection_sqlstate(connection);
    if (!pg_connection_alive(connection) || state[0] == '\0' || strncmp(state, "57P", 3) == 0 ||
        strncmp(state, "53", 2) == 0)
        return false; /* shut down, or out of resources */
    char reason[AUTH_REASON_MAX];
    if (strcmp(state, "57014") == 0)
        (void)snprintf(reason, sizeof reason,
                       "the policies on realtime.messages took longer than %lld ms "
                       "(auth.policy_timeout)",
                       (long long)timeout_ms);
    else
        (void)snprintf(reason, sizeof reason, "the policies on realtime.messages failed: %s",
                       error->text);
    auth_channel_refuse(rights, false, reason);
    return true;
}

static bool rollback(pg_connection *connection, core_error *error) {
    if (!pg_connection_alive(connection))
        return true; /* the server does it */
    pg_result *result = pg_query(connection, "ROLLBACK", NULL, 0, error);
    pg_result_free(result);
    return result != NULL;
}

bool auth_channel_query(pg_connection *connection, const auth_channel_question *question,
                        int64_t timeout_ms, auth_channel_rights *rights, core_error *error) {
    core_buffer sql;
    core_buffer_init(&sql, strlen(auth_channel_body_sql) + 1024 + 4 * AUTH_TOKEN_MAX);
    auth_channel_refuse(rights, true, "the database cannot be asked for its policies now");
    if (!pg_connection_noted(connection, tried_key))
        function_make(connection, &sql);
    sql_write(&sql, question, timeout_ms, pg_connection_noted(connection, made_key));
    if (!core_buffer_ok(&sql)) {
        core_buffer_fini(&sql);
        return core_error_set(error, CORE_ERROR_LIMIT, "topic and claims are too large to ask for");
    }
    pg_result *result = pg_query(connection, (const char *)sql.data, NULL, 0, error);
    core_buffer_fini(&sql);
    if (result != NULL && pg_result_rows(result) == 1)
        rights_read(result, rights);
    bool known = result != NULL || failure_is_policies(connection, timeout_ms, error, rights);
    pg_result_free(result);
    core_error ignored = {.code =
                              CORE_ERROR_NONE}; /* a broken connection is given up by the pool */
    (void)rollback(connection, &ignored);
    return known;
}
