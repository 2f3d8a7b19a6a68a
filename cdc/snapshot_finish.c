/* How a snapshot ends: rows that moved to other keys meanwhile are looked up in the stream and read
 * by themselves (snapshot_moved.h), until there are none; then it is done. See snapshot_jobs.h. */
#include "cdc/snapshot_jobs_private.h"

#include <stdio.h>

/* Each of the job's tables once. */
static bool is_first_of_table(const core_snapshot *record, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (core_slice_equal(record->ranges[i].table, record->ranges[at].table) &&
            core_slice_equal(record->ranges[i].schema, record->ranges[at].schema))
            return false;
    return true;
}

static bool table_scan(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, size_t range,
                       uint64_t until_sequence, core_error *error) {
    cdc_snapshot_table table = {0};
    bool ok =
        cdc_snapshot_table_describe(jobs->database, &jobs->scope, job->record.ranges[range].schema,
                                    job->record.ranges[range].table, &table, error) &&
        cdc_snapshot_key_check(&table, job->record.ranges[range].key, error) &&
        cdc_snapshot_moved_scan(&job->moved, jobs->connection, jobs->config, jobs->log, &table,
                                until_sequence, error);
    cdc_snapshot_table_fini(&table);
    return ok;
}

/* What was published since it was looked at last. */
static bool moved_look(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    fanout_stream_info info;
    if (!cdc_snapshot_database_open(jobs, error) ||
        !fanout_stream_inspect(jobs->connection, core_config_text(jobs->config, "nats.stream"),
                               &info, error))
        return false;
    for (size_t i = 0; i < job->record.range_count; i++)
        if (is_first_of_table(&job->record, i) &&
            !table_scan(jobs, job, i, info.last_sequence, error))
            return false;
    job->moved.scanned_sequence = info.last_sequence;
    job->moved.follows = true;
    return true;
}

static bool job_done(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    fanout_stream_info info = {0};
    char stream[FANOUT_NAME_MAX];
    core_slice name = job->record.stream.length > 0
                          ? job->record.stream
                          : core_slice_text(core_config_text(jobs->config, "nats.stream"));
    (void)snprintf(stream, sizeof stream, "%.*s", CORE_SLICE_ARGS(name));
    /* A table without rows has made no stream of its own. */
    if (job->record.rows > 0 && !fanout_stream_inspect(jobs->connection, stream, &info, error))
        return false;
    (void)pthread_mutex_lock(&jobs->mutex);
    job->record.end_sequence = info.last_sequence;
    cdc_snapshot_job_move(job, CORE_SNAPSHOT_DONE, "");
    (void)pthread_mutex_unlock(&jobs->mutex);
    CORE_LOG(jobs->log, INFO, "cdc", "snapshot is done", CORE_LOG_TEXT("snapshot", job->record.id),
             CORE_LOG_NUMBER("rows", job->record.rows));
    return cdc_snapshot_record_store(jobs, job, error);
}

/* Rows that could not be looked up fail it when only a person can mend that. */
static bool look_failed(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, const core_error *reason,
                        core_error *error) {
    if (reason->code == CORE_ERROR_TRANSIENT) {
        *error = *reason;
        return false;
    }
    (void)pthread_mutex_lock(&jobs->mutex);
    cdc_snapshot_jobs_fail(jobs, job, reason);
    (void)pthread_mutex_unlock(&jobs->mutex);
    return cdc_snapshot_record_store(jobs, job, error);
}

static void looking_set(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, bool looking) {
    (void)pthread_mutex_lock(&jobs->mutex);
    if (!job->finishing)
        cdc_snapshot_moved_init(&job->moved, job->record.start_sequence);
    job->finishing = true;
    job->looking = looking;
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
}

bool cdc_snapshot_job_finish(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    core_error reason = {0};
    bool initial =
        cdc_snapshot_session_is_initial(&jobs->session); /* no change was published meanwhile */
    size_t before = job->moved.count;
    looking_set(jobs, job, true); /* workers leave the list alone meanwhile */
    bool looked = initial || moved_look(jobs, job, &reason);
    looking_set(jobs, job, false);
    if (!looked)
        return look_failed(jobs, job, &reason, error);
    if (job->moved.count == before)
        return job_done(jobs, job, error);
    return true; /* workers read them, then we are asked again */
}
