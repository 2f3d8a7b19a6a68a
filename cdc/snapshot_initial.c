/* The initial snapshot's jobs; see snapshot_jobs.h. */
#include "cdc/snapshot_jobs_private.h"

/* $1, $2: patterns; $3, $4: publications. */
static const char initial_sql[] =
    "WITH pattern AS (SELECT * FROM unnest($1::text[], $2::text[]) AS p(s, t))"
    "SELECT DISTINCT p.schemaname, p.tablename FROM pg_publication_tables p"
    " WHERE p.pubname IN ($3, $4) AND EXISTS (SELECT FROM pattern WHERE"
    "  coalesce(s = p.schemaname, true) AND coalesce(t = p.tablename, true)) ORDER BY 1, 2";

static bool initial_job_make(cdc_snapshot_jobs *jobs, const char *schema, const char *table,
                             core_error *error) {
    core_snapshot record = {.schema = core_slice_text(schema),
                            .table = core_slice_text(table),
                            .initial = true,
                            .requested_us = core_clock_wall_us(core_clock_system())};
    core_buffer json;
    core_buffer_init(&json, CORE_SNAPSHOT_JSON_MAX);
    bool ok = core_snapshot_id_make(record.id, error);
    core_snapshot_encode(&record, &json);
    cdc_snapshot_job *job = ok ? cdc_snapshot_job_read(core_buffer_slice(&json), 0, error) : NULL;
    core_buffer_fini(&json);
    if (job == NULL)
        return false;
    (void)pthread_mutex_lock(&jobs->mutex);
    bool room = jobs->count < CDC_SNAPSHOT_JOBS_MAX;
    if (room)
        jobs->jobs[jobs->count++] = job;
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (!room)
        cdc_snapshot_job_free(job);
    return room || core_error_set(error, CORE_ERROR_LIMIT,
                                  "the initial snapshot has more than %d tables; name fewer in "
                                  "snapshot.initial and start the others by hand",
                                  CDC_SNAPSHOT_JOBS_MAX);
}

bool cdc_snapshot_initial_make(cdc_snapshot_jobs *jobs, core_error *error) {
    core_buffer schemas;
    core_buffer tables;
    core_buffer_init(&schemas, (size_t)1 << 20);
    core_buffer_init(&tables, (size_t)1 << 20);
    bool ok = cdc_snapshot_database_open(jobs, error) &&
              cdc_table_patterns_write(jobs->config, "snapshot.initial", &schemas, &tables, error);
    const char *const parameters[] = {(const char *)schemas.data, (const char *)tables.data,
                                      jobs->scope.publication, jobs->scope.inserts_publication};
    pg_result *result = ok ? pg_query(jobs->database, initial_sql, parameters, 4, error) : NULL;
    for (size_t i = 0; result != NULL && ok && i < pg_result_rows(result); i++)
        ok = initial_job_make(jobs, pg_result_value(result, i, 0), pg_result_value(result, i, 1),
                              error);
    ok = ok && result != NULL;
    pg_result_free(result);
    core_buffer_fini(&schemas);
    core_buffer_fini(&tables);
    return ok;
}

bool cdc_snapshot_initial_is_over(cdc_snapshot_jobs *jobs) {
    bool over = true;
    (void)pthread_mutex_lock(&jobs->mutex);
    for (size_t i = 0; i < jobs->count; i++)
        over = over && !jobs->jobs[i]->record.initial;
    (void)pthread_mutex_unlock(&jobs->mutex);
    return over;
}
