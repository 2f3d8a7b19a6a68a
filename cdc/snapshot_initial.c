/* The initial snapshot's jobs; see snapshot_jobs.h.
 *
 * They are read from the snapshot that the slot was made with. A process that ends before it has
 * stored all their records leaves no mark in the bucket: the next one makes them again, under the
 * same ids, so that those that were stored count once, and reads the tables while streaming. */
#include "cdc/snapshot_jobs_private.h"

#define MARK_KEY "initial" /* in the bucket: the initial snapshots' records are all there */

enum { MARK_MAX_BYTES = 1024 };

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
                            .initial = cdc_snapshot_session_is_initial(&jobs->session),
                            .requested_us = core_clock_wall_us(core_clock_system())};
    core_buffer json;
    core_buffer_init(&json, CORE_SNAPSHOT_JSON_MAX);
    core_snapshot_id_initial(core_slice_text(jobs->session.epoch), record.schema, record.table,
                             record.id);
    core_snapshot_encode(&record, &json);
    cdc_snapshot_job *job = cdc_snapshot_job_read(core_buffer_slice(&json), 0, error);
    core_buffer_fini(&json);
    if (job == NULL)
        return false;
    (void)pthread_mutex_lock(&jobs->mutex);
    bool known = cdc_snapshot_job_find(jobs, record.id) != NULL; /* this is not the first attempt */
    bool room = jobs->count < CDC_SNAPSHOT_JOBS_MAX;
    if (!known && room)
        jobs->jobs[jobs->count++] = job;
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (known || !room)
        cdc_snapshot_job_free(job);
    return known || room ||
           core_error_set(error, CORE_ERROR_LIMIT,
                          "the initial snapshot has more than %d tables; name fewer in "
                          "snapshot.initial and start the others by hand",
                          CDC_SNAPSHOT_JOBS_MAX);
}

static bool initial_jobs_make(cdc_snapshot_jobs *jobs, core_error *error) {
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

static bool records_store(cdc_snapshot_jobs *jobs, core_error *error) {
    for (size_t i = 0; i < jobs->count; i++)
        if (!cdc_snapshot_record_store(jobs, jobs->jobs[i], error))
            return false;
    return true;
}

/* What cannot be begun at all is told and left to be started by hand: the stream must not wait for
 * it. */
bool cdc_snapshot_initial_make(cdc_snapshot_jobs *jobs, core_error *error) {
    uint64_t revision = 0;
    core_buffer mark;
    core_buffer_init(&mark, MARK_MAX_BYTES);
    bool ok = fanout_bucket_get(jobs->bucket, MARK_KEY, &mark, &revision, error);
    core_buffer_fini(&mark);
    if (!ok || (revision != 0 && !cdc_snapshot_session_is_initial(&jobs->session)))
        return ok;
    core_error reason = {0};
    if (!initial_jobs_make(jobs, &reason))
        *error = reason;
    if (reason.code == CORE_ERROR_TRANSIENT || !records_store(jobs, error))
        return false;
    return fanout_bucket_set(jobs->bucket, MARK_KEY, core_slice_text("{}"), revision, &revision,
                             &reason) ||
           reason.code == CORE_ERROR_CONFLICT || core_error_wrap(&reason, "%s", MARK_KEY);
}

bool cdc_snapshot_initial_is_over(cdc_snapshot_jobs *jobs) {
    bool over = true;
    (void)pthread_mutex_lock(&jobs->mutex);
    for (size_t i = 0; i < jobs->count; i++)
        over = over && !jobs->jobs[i]->record.initial;
    (void)pthread_mutex_unlock(&jobs->mutex);
    return over;
}
