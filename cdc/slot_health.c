/* See slot_health.h. */
#include "cdc/slot_health.h"

#include <stdio.h>

/* ---- Asking ---- */

static cdc_wal_status wal_status_of(const char *text) {
    static const char *const names[] = {
        [CDC_WAL_STATUS_RESERVED] = "reserved",
        [CDC_WAL_STATUS_EXTENDED] = "extended",
        [CDC_WAL_STATUS_UNRESERVED] = "unreserved",
        [CDC_WAL_STATUS_LOST] = "lost",
    };
    for (size_t i = CDC_WAL_STATUS_RESERVED; text != NULL && i < CORE_COUNT_OF(names); i++)
        if (strcmp(text, names[i]) == 0)
            return (cdc_wal_status)i;
    return CDC_WAL_STATUS_UNKNOWN;
}

/* NULL is -1: no limit. */
static bool bytes_of(const char *text, int64_t *bytes) {
    *bytes = -1;
    return text == NULL || core_slice_to_i64(core_slice_text(text), bytes);
}

/* NULL is 0: a slot that holds nothing, or none at all. */
static bool lsn_of(const char *text, core_lsn *lsn) {
    *lsn = 0;
    return text == NULL || core_lsn_parse(core_slice_text(text), lsn);
}

static bool health_read(const pg_result *result, cdc_slot_health *health) {
    const char *active = pg_result_value(result, 0, 3);
    *health = (cdc_slot_health){
        .exists = active != NULL,
        .active = active != NULL && active[0] == 't',
        .wal_status = wal_status_of(pg_result_value(result, 0, 4)),
    };
    return lsn_of(pg_result_value(result, 0, 0), &health->written_lsn) &&
           lsn_of(pg_result_value(result, 0, 1), &health->restart_lsn) &&
           lsn_of(pg_result_value(result, 0, 2), &health->confirmed_lsn) &&
           bytes_of(pg_result_value(result, 0, 5), &health->safe_wal_bytes) &&
           bytes_of(pg_result_value(result, 0, 6), &health->keep_bytes);
}

bool cdc_slot_health_ask(pg_connection *connection, const char *slot, cdc_slot_health *health,
                         core_error *error) {
    const char *const parameters[] = {slot};
    pg_result *result =
        pg_query(connection,
                 "SELECT pg_current_wal_lsn(), s.restart_lsn, s.confirmed_flush_lsn, s.active,"
                 " s.wal_status, s.safe_wal_size,"
                 " (SELECT CASE WHEN setting = '-1' THEN -1 ELSE setting::int8 * 1048576 END"
                 "  FROM pg_settings WHERE name = 'max_slot_wal_keep_size')"
                 " FROM (SELECT) one LEFT JOIN pg_replication_slots s ON s.slot_name = $1",
                 parameters, 1, error);
    if (result == NULL)
        return core_error_wrap(error, "asking how slot \"%s\" stands", slot);
    bool ok = pg_result_rows(result) == 1 && health_read(result, health);
    pg_result_free(result);
    return ok ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "the server's answer how slot \"%s\" stands was not understood", slot);
}

bool cdc_slot_heartbeat(pg_connection *connection, core_lsn *lsn, core_error *error) {
    pg_result *result =
        pg_query(connection, "SELECT pg_logical_emit_message(false, 'walcast.heartbeat', '')", NULL,
                 0, error);
    if (result == NULL)
        return false;
    bool ok = lsn_of(pg_result_value(result, 0, 0), lsn);
    pg_result_free(result);
    return ok ||
           core_error_set(error, CORE_ERROR_INPUT, "the heartbeat's position was not understood");
}

/* ---- Judging ---- */

int64_t cdc_slot_lag_bytes(const cdc_slot_health *health) {
    bool is_behind = health->exists && health->written_lsn > health->confirmed_lsn;
    return is_behind ? (int64_t)(health->written_lsn - health->confirmed_lsn) : 0;
}

static bool lag_warns(const cdc_slot_health *health, const cdc_slot_limits *limits, bool warned,
                      char *reason, size_t reason_size) {
    int64_t limit = warned ? limits->lag_bytes - limits->lag_bytes / 4 : limits->lag_bytes;
    int64_t lag = cdc_slot_lag_bytes(health);
    if (limits->lag_bytes == 0 || lag <= limit)
        return false;
    (void)snprintf(reason, reason_size,
                   "%lld bytes of WAL are written and not yet confirmed (cdc.warn_lag_bytes is "
                   "%lld)",
                   (long long)lag, (long long)limits->lag_bytes);
    return true;
}

/* A server that keeps little must not warn all the time. */
static int64_t safe_limit(const cdc_slot_health *health, const cdc_slot_limits *limits,
                          bool warned) {
    int64_t limit = limits->safe_wal_bytes;
    if (health->keep_bytes >= 0 && health->keep_bytes / 2 < limit)
        limit = health->keep_bytes / 2;
    return warned ? limit + limit / 4 : limit;
}

static bool safe_warns(const cdc_slot_health *health, const cdc_slot_limits *limits, bool warned,
                       char *reason, size_t reason_size) {
    bool has_size = health->safe_wal_bytes >= 0 || health->wal_status == CDC_WAL_STATUS_UNRESERVED;
    if (limits->safe_wal_bytes == 0 || !health->exists || !has_size)
        return false;
    if (health->wal_status != CDC_WAL_STATUS_UNRESERVED &&
        health->safe_wal_bytes >= safe_limit(health, limits, warned))
        return false;
    (void)snprintf(reason, reason_size,
                   "the slot is lost once %lld more bytes of WAL are written (safe_wal_size; "
                   "max_slot_wal_keep_size is %lld bytes)",
                   (long long)(health->safe_wal_bytes > 0 ? health->safe_wal_bytes : 0),
                   (long long)health->keep_bytes);
    return true;
}

bool cdc_slot_health_warns(const cdc_slot_health *health, const cdc_slot_limits *limits,
                           bool warned, char *reason, size_t reason_size) {
    return safe_warns(health, limits, warned, reason, reason_size) ||
           lag_warns(health, limits, warned, reason, reason_size);
}
