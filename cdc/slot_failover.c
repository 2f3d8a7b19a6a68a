/* Failover slots: ones that standbys keep in step; see slot.h.
 *
 * Made so after the slot, also when it is new: there is one way for slots of either kind. It is
 * never taken back: a slot that somebody marked by hand stays marked. */
#include "cdc/slot.h"

enum { VERSION_17 = 170000, SQL_MAX_BYTES = 256 };

bool cdc_slot_failover_wanted(pg_connection *connection, const char *name, core_log *log,
                              bool *wanted, core_error *error) {
    const char *const parameters[] = {name};
    *wanted = false;
    if (pg_connection_server_version(connection) < VERSION_17) {
        CORE_LOG(log, WARN, "cdc",
                 "postgres.failover is true, which needs PostgreSQL 17: a standby that is promoted "
                 "will not have the slot",
                 CORE_LOG_TEXT("slot", name));
        return true;
    }
    pg_result *result = pg_query(
        connection,
        "SELECT FROM pg_replication_slots WHERE slot_name = $1 AND NOT failover AND NOT active",
        parameters, 1, error);
    if (result == NULL)
        return core_error_wrap(error, "asking whether \"%s\" is a failover slot", name);
    *wanted = pg_result_rows(result) == 1;
    pg_result_free(result);
    return true;
}

bool cdc_slot_failover_mark(pg_connection *replication, const char *name, core_log *log,
                            core_error *error) {
    core_buffer sql;
    core_buffer_init(&sql, SQL_MAX_BYTES);
    core_buffer_text(&sql, "ALTER_REPLICATION_SLOT ");
    pg_identifier_append(&sql, core_slice_text(name));
    core_buffer_text(&sql, " (FAILOVER true)");
    core_buffer_u8(&sql, '\0');
    assert(core_buffer_ok(&sql)); /* a name has 63 bytes at most */
    pg_result *result = pg_query(replication, (const char *)sql.data, NULL, 0, error);
    core_buffer_fini(&sql);
    if (result == NULL)
        return core_error_wrap(error, "making \"%s\" a failover slot", name);
    pg_result_free(result);
    CORE_LOG(log, INFO, "cdc", "the slot is a failover slot now", CORE_LOG_TEXT("slot", name));
    return true;
}
