/* See slot.h. */
#include "cdc/slot.h"

#include <stdio.h>

enum { VERSION_MIN = 130000, SQL_MAX_BYTES = 1024 };

/* ---- The server ---- */

typedef struct {
    const char *wal_level;
    const char *user;
    bool may_replicate;
    bool in_recovery;
} server_facts;

static bool is_true(const char *value) {
    return value != NULL && value[0] == 't';
}

static bool facts_judge(const server_facts *facts, int version, core_error *error) {
    if (version < VERSION_MIN)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "the server is PostgreSQL %d, expected 13 or newer; upgrade it",
                              version / 10000);
    if (facts->in_recovery)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "the server is a standby (in recovery), expected a primary; point "
                              "postgres.url at the primary or promote it");
    if (strcmp(facts->wal_level, "logical") != 0)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "the server's wal_level is \"%s\", expected \"logical\"; run ALTER "
                              "SYSTEM SET wal_level = logical and restart PostgreSQL",
                              facts->wal_level);
    if (!facts->may_replicate)
        return core_error_set(error, CORE_ERROR_DENIED,
                              "user \"%s\" lacks the replication privilege, expected a user that "
                              "has it; run ALTER ROLE \"%s\" REPLICATION as a superuser",
                              facts->user, facts->user);
    return true;
}

bool cdc_server_check(pg_connection *connection, core_error *error) {
    pg_result *result =
        pg_query(connection,
                 "SELECT current_setting('wal_level'), current_user, pg_is_in_recovery(),"
                 " (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user)"
                 " OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication'"
                 "  AND pg_has_role(current_user, oid, 'MEMBER'))",
                 NULL, 0, error);
    if (result == NULL)
        return core_error_wrap(error, "asking for the server's settings");
    server_facts facts = {
        .wal_level = pg_result_value(result, 0, 0),
        .user = pg_result_value(result, 0, 1),
        .in_recovery = is_true(pg_result_value(result, 0, 2)),
        .may_replicate = is_true(pg_result_value(result, 0, 3)),
    };
    bool ok = facts_judge(&facts, pg_connection_server_version(connection), error);
    pg_result_free(result);
    return ok;
}

/* ---- The slot ---- */

static bool slot_value_check(const char *name, const char *what, const char *value,
                             const char *expected, core_error *error) {
    if (value != NULL && strcmp(value, expected) == 0)
        return true;
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "slot \"%s\" has %s \"%s\", expected \"%s\"; drop that slot or name "
                          "another postgres.slot",
                          name, what, value != NULL ? value : "", expected);
}

static bool lsn_of(const char *text, core_lsn *lsn, core_error *error) {
    return core_lsn_parse(core_slice_text(text), lsn) ||
           core_error_set(error, CORE_ERROR_INPUT, "the server gave \"%s\" as an LSN",
                          text != NULL ? text : "");
}

/* Since 17 the server says why it invalidated a slot; 16 knows of one reason besides the WAL. */
static const struct {
    const char *reason;
    const char *text;
} lost_texts[] = {
    {"wal_removed", "the server has removed WAL that it needed (max_slot_wal_keep_size)"},
    {"rows_removed", "the server has removed catalog rows that it needed"},
    {"wal_level_insufficient", "wal_level was below logical"},
    {"idle_timeout", "it was not used for idle_replication_slot_timeout"},
};

static void lost_judge(const pg_result *result, cdc_slot_state *slot) {
    const char *wal_status = pg_result_value(result, 0, 6);
    const char *reason = pg_result_value(result, 0, 8);
    const char *text = lost_texts[0].text;
    slot->lost = (wal_status != NULL && strcmp(wal_status, "lost") == 0) || reason != NULL;
    if (!slot->lost)
        return;
    if (reason != NULL)
        text = reason;
    else if (is_true(pg_result_value(result, 0, 9)))
        text = lost_texts[1].text;
    for (size_t i = 0; reason != NULL && i < CORE_COUNT_OF(lost_texts); i++)
        if (strcmp(reason, lost_texts[i].reason) == 0)
            text = lost_texts[i].text;
    (void)snprintf(slot->lost_reason, sizeof slot->lost_reason, "%s", text);
}

static bool slot_judge(const pg_result *result, const char *name, cdc_slot_state *slot,
                       core_error *error) {
    const char *pid = pg_result_value(result, 0, 4);
    if (!slot_value_check(name, "type", pg_result_value(result, 0, 0), "logical", error) ||
        !slot_value_check(name, "plugin", pg_result_value(result, 0, 1), "pgoutput", error) ||
        !slot_value_check(name, "database", pg_result_value(result, 0, 2),
                          pg_result_value(result, 0, 3), error))
        return false;
    lost_judge(result, slot);
    uint64_t active_pid = 0;
    if (pid != NULL && !core_slice_to_u64(core_slice_text(pid), &active_pid))
        return core_error_set(error, CORE_ERROR_INPUT, "the server gave \"%s\" as a PID", pid);
    slot->active_pid = (int64_t)active_pid;
    slot->exists = true;
    slot->two_phase = is_true(pg_result_value(result, 0, 7));
    return lsn_of(pg_result_value(result, 0, 5), &slot->confirmed_lsn, error);
}

bool cdc_slot_look(pg_connection *connection, const char *name, cdc_slot_state *slot,
                   core_error *error) {
    const char *const parameters[] = {name};
    pg_result *result =
        pg_query(connection,
                 "SELECT slot_type, plugin, database, current_database(), active_pid,"
                 " coalesce(confirmed_flush_lsn, '0/0'), wal_status,"
                 " coalesce(to_jsonb(s)->>'two_phase', 'false'),"  /* since 14 */
                 " to_jsonb(s)->>'invalidation_reason',"           /* since 17 */
                 " coalesce(to_jsonb(s)->>'conflicting', 'false')" /* since 16 */
                 " FROM pg_replication_slots s WHERE slot_name = $1",
                 parameters, 1, error);
    if (result == NULL)
        return core_error_wrap(error, "looking for slot \"%s\"", name);
    *slot = (cdc_slot_state){0};
    bool ok = pg_result_rows(result) == 0 || slot_judge(result, name, slot, error);
    pg_result_free(result);
    return ok;
}

/* Runs a statement about slot $1 that gives its new position. */
static bool slot_move(pg_connection *connection, const char *sql, const char *name,
                      cdc_slot_state *slot, core_error *error) {
    const char *const parameters[] = {name};
    pg_result *result = pg_query(connection, sql, parameters, 1, error);
    if (result == NULL)
        return false;
    bool ok = lsn_of(pg_result_value(result, 0, 0), &slot->confirmed_lsn, error);
    slot->exists = ok;
    pg_result_free(result);
    return ok;
}

bool cdc_slot_create(pg_connection *connection, const char *name, cdc_slot_state *slot,
                     core_error *error) {
    if (slot_move(connection, "SELECT lsn FROM pg_create_logical_replication_slot($1, 'pgoutput')",
                  name, slot, error))
        return true;
    if (strcmp(pg_connection_sqlstate(connection), "42710") == 0)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "slot \"%s\" was made by another process meanwhile; looking again",
                              name);
    if (strcmp(pg_connection_sqlstate(connection), "57014") == 0)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "making slot \"%s\" waits for a transaction that has been open for "
                              "long; end it (pg_stat_activity shows it)",
                              name);
    return core_error_wrap(error, "making slot \"%s\"", name);
}

bool cdc_slot_drop(pg_connection *connection, const char *name, core_error *error) {
    const char *const parameters[] = {name};
    pg_result *result =
        pg_query(connection, "SELECT pg_drop_replication_slot($1)", parameters, 1, error);
    pg_result_free(result);
    return result != NULL || core_error_wrap(error, "dropping slot \"%s\"", name);
}

bool cdc_slot_advance(pg_connection *connection, const char *name, cdc_slot_state *slot,
                      core_error *error) {
    return slot_move(connection,
                     "SELECT end_lsn FROM pg_replication_slot_advance($1, pg_current_wal_lsn())",
                     name, slot, error) ||
           core_error_wrap(error, "advancing slot \"%s\"", name);
}

/* ---- With its snapshot ---- */

/* 15 took a new form of options; older ones know only the old. */
static void create_sql(const pg_connection *replication, const char *name, core_buffer *sql) {
    core_buffer_text(sql, "CREATE_REPLICATION_SLOT ");
    pg_identifier_append(sql, core_slice_text(name));
    core_buffer_text(sql, " LOGICAL pgoutput ");
    core_buffer_text(sql, pg_connection_server_version(replication) >= 150000
                              ? "(SNAPSHOT 'export')"
                              : "EXPORT_SNAPSHOT");
    core_buffer_u8(sql, '\0');
}

bool cdc_slot_create_exporting(pg_connection *replication, const char *name, cdc_slot_state *slot,
                               core_error *error) {
    core_buffer sql;
    core_buffer_init(&sql, SQL_MAX_BYTES);
    create_sql(replication, name, &sql);
    pg_result *result = pg_query(replication, (const char *)sql.data, NULL, 0, error);
    core_buffer_fini(&sql);
    if (result == NULL)
        return core_error_wrap(error, "making slot \"%s\"", name);
    bool ok =
        lsn_of(pg_result_value(result, 0, 1), &slot->confirmed_lsn, error) &&
        (core_slice_to_text(core_slice_text(pg_result_value(result, 0, 2)), slot->exported,
                            sizeof slot->exported) ||
         core_error_set(error, CORE_ERROR_INPUT, "slot \"%s\" has no exported snapshot", name));
    slot->exists = ok;
    pg_result_free(result);
    return ok;
}
