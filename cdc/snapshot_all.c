/* A request for `*.*`: one snapshot for each published table; see snapshot_jobs.h.
 *
 * Ids come from the request's and the table's name, so that a kill in the middle makes none twice.
 * The request itself is done when all were made; a table that cannot be read fails its own. */
#include "cdc/snapshot_jobs_private.h"

#include <inttypes.h>
#include <stdio.h>

bool cdc_snapshot_is_of_all(const core_snapshot *record) {
    return core_slice_is(record->schema, "*") && core_slice_is(record->table, "*");
}

/* $1, $2: the publications. */
static const char tables_sql[] =
    "SELECT DISTINCT schemaname, tablename FROM pg_publication_tables WHERE pubname IN ($1, $2)"
    " ORDER BY 1, 2";

static void id_derive(const char *id, const char *schema, const char *table,
                      char derived[CORE_SNAPSHOT_ID_SIZE]) {
    char text[256];
    int length = snprintf(text, sizeof text, "%s %s.%s", id, schema, table);
    (void)snprintf(derived, CORE_SNAPSHOT_ID_SIZE, "a%016" PRIx64,
                   core_slice_hash(core_slice_make(text, (size_t)length)));
}

static bool table_request(cdc_snapshot_jobs *jobs, const core_snapshot *all, const char *schema,
                          const char *table, core_error *error) {
    char key[CORE_SNAPSHOT_ID_SIZE + 16];
    core_buffer json;
    uint64_t revision = 0;
    core_error reason = {0};
    core_snapshot record = {.schema = core_slice_text(schema),
                            .table = core_slice_text(table),
                            .rate_bytes = all->rate_bytes,
                            .requested_us = all->requested_us};
    id_derive(all->id, schema, table, record.id);
    core_snapshot_key(record.id, key);
    core_buffer_init(&json, CORE_SNAPSHOT_JSON_MAX);
    core_snapshot_encode(&record, &json);
    bool ok = fanout_bucket_set(jobs->bucket, key, core_buffer_slice(&json), 0, &revision, &reason);
    core_buffer_fini(&json);
    if (ok || reason.code == CORE_ERROR_CONFLICT)
        return true;
    *error = reason;
    return false;
}

static bool all_check(const core_snapshot *record, core_error *error) {
    return (record->filter.length == 0 && record->stream.length == 0) ||
           core_error_set(error, CORE_ERROR_CONFIG,
                          "a snapshot of all tables takes no condition and no stream of its own");
}

bool cdc_snapshot_all_request(cdc_snapshot_jobs *jobs, const core_snapshot *all,
                              core_error *error) {
    if (!all_check(all, error) || !cdc_snapshot_database_open(jobs, error))
        return false;
    const char *const parameters[] = {jobs->scope.publication, jobs->scope.inserts_publication};
    pg_result *tables = pg_query(jobs->database, tables_sql, parameters, 2, error);
    bool ok = tables != NULL;
    for (size_t i = 0; ok && i < pg_result_rows(tables); i++)
        ok = table_request(jobs, all, pg_result_value(tables, i, 0), pg_result_value(tables, i, 1),
                           error);
    pg_result_free(tables);
    return ok;
}
