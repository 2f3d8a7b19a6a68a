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

static const char policies_sql[] =
    "DO $walcast$"
    " DECLARE"
    "  asked_role text := current_setting('walcast.role');"
    "  asked_topic text := current_setting('walcast.topic');"
    "  extensions text[] := ARRAY['broadcast', 'presence'];"
    "  verbs text[] := ARRAY['receive broadcasts', 'see presence', 'send broadcasts',"
    "   'track presence'];"
    "  probes uuid[] := ARRAY[gen_random_uuid(), gen_random_uuid()];"
    "  bypasses boolean;"
    "  refusal text;"
    "  reasons text[] := ARRAY[NULL, NULL, NULL, NULL]::text[];" /* NULL: allowed */
    "  reads boolean;"
    " BEGIN"
    "  SELECT rolsuper OR rolbypassrls INTO bypasses FROM pg_roles WHERE rolname = asked_role;"
    "  IF bypasses IS NULL THEN"
    "   refusal := format('role \"%s\" does not exist in the database; make it: CREATE ROLE %I"
    " NOLOGIN', asked_role, asked_role);"
    "  ELSIF bypasses THEN"
    "   NULL;"
    "  ELSIF to_regclass('realtime.messages') IS NULL THEN"
    "   refusal := 'private channels need the table realtime.messages with policies on it: run"
    " walcast setup --apply';"
    "  ELSIF pg_is_in_recovery() THEN"
    "   refusal := 'the database is a read-only standby, where policies on realtime.messages cannot"
    " be tried: point postgres.url at the primary';"
    "  ELSE"
    "   BEGIN"
    "    INSERT INTO realtime.messages (id, topic, extension)"
    "     SELECT probes[i], asked_topic, extensions[i] FROM generate_series(1, 2) i;"
    "   EXCEPTION WHEN OTHERS THEN"
    "    refusal := format('the user of postgres.url could not write to realtime.messages: %s"
    " (SQLSTATE %s)', SQLERRM, SQLSTATE);"
    "   END;"
    "   IF refusal IS NULL THEN"
    "    BEGIN"
    "     PERFORM set_config('realtime.topic', asked_topic, true),"
    "      set_config('request.jwt.claims', current_setting('walcast.claims'), true),"
    "      set_config('request.jwt.claim.sub', current_setting('walcast.subject'), true),"
    "      set_config('request.jwt.claim.role', asked_role, true),"
    "      set_config('request.headers', '{}', true),"
    "      set_config('role', asked_role, true);"
    "     SET LOCAL search_path TO DEFAULT;"
    "    EXCEPTION WHEN OTHERS THEN"
    "     refusal := format('the user of postgres.url could not take the role: %s (SQLSTATE %s);"
    " GRANT %I TO that user', SQLERRM, SQLSTATE, asked_role);"
    "    END;"
    "   END IF;"
    "   FOR n IN 1..4 LOOP"
    "    EXIT WHEN refusal IS NOT NULL;"
    "    BEGIN"
    "     IF n <= 2 THEN"
    "      SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 INTO reads FROM realtime.messages m"
    "       WHERE m.id OPERATOR(pg_catalog.=) probes[n];"
    "      IF NOT reads THEN"
    "       reasons[n] := pg_catalog.format('no policy on realtime.messages lets role \"%s\" %s"
    " here', asked_role, verbs[n]);"
    "      END IF;"
    "     ELSE"
    "      INSERT INTO realtime.messages (topic, extension)"
    "       VALUES (asked_topic, extensions[n - 2]);"
    "     END IF;"
    "    EXCEPTION WHEN insufficient_privilege THEN"
    "     reasons[n] := pg_catalog.format('no policy on realtime.messages lets role \"%s\" %s here"
    " (%s)', asked_role, verbs[n], SQLERRM);"
    "    WHEN OTHERS THEN"
    "     reasons[n] := pg_catalog.format('a policy on realtime.messages failed: %s (SQLSTATE %s)',"
    "      SQLERRM, SQLSTATE);"
    "    END;"
    "   END LOOP;"
    "   SET LOCAL search_path TO '';"
    "   PERFORM pg_catalog.set_config('role', 'none', true);"
    "  END IF;"
    "  IF refusal IS NOT NULL THEN"
    "   reasons := ARRAY[refusal, refusal, refusal, refusal];"
    "  END IF;"
    "  PERFORM set_config('walcast.rights', to_jsonb(reasons)::text, true);"
    " END $walcast$;"
    "SELECT r->>0, r->>2, r->>1, r->>3" /* in auth_channel_right's order */
    " FROM (SELECT current_setting('walcast.rights')::jsonb) AS answer(r)";

#define SQL_MAX_BYTES (sizeof policies_sql + 4 * AUTH_TOKEN_MAX)

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

static void sql_write(core_buffer *sql, const auth_channel_question *question, int64_t timeout_ms) {
    core_buffer_format(sql,
                       "BEGIN; SET LOCAL statement_timeout = %lld;"
                       " SET LOCAL client_min_messages = error; SET LOCAL enable_seqscan = off;"
                       " SET LOCAL jit = off; SELECT ",
                       (long long)timeout_ms);
    setting_append(sql, "role", core_slice_text(question->role), true);
    setting_append(sql, "topic", question->topic, true);
    setting_append(sql, "subject", core_slice_text(question->subject), true);
    setting_append(sql, "claims", question->claims_json, false);
    core_buffer_text(sql, policies_sql);
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
    core_buffer_init(&sql, SQL_MAX_BYTES);
    auth_channel_refuse(rights, true, "the database cannot be asked for its policies now");
    sql_write(&sql, question, timeout_ms);
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
