/* The snapshots' records in the key-value bucket: watched, adopted, stored; see snapshot_jobs.h. */
#include "cdc/snapshot_jobs_private.h"

#include <stdio.h>

bool cdc_snapshot_records_open(cdc_snapshot_jobs *jobs, core_error *error) {
    if (jobs->connection == NULL)
        jobs->connection = fanout_connection_new(jobs->config, "walcast snapshots", jobs->log,
                                                 jobs->metrics, error);
    if (jobs->connection != NULL && jobs->bucket == NULL)
        jobs->bucket = fanout_bucket_new(jobs->connection, jobs->config, "state", error);
    return jobs->bucket != NULL;
}

cdc_snapshot_job *cdc_snapshot_job_find(cdc_snapshot_jobs *jobs, const char *id) {
    for (size_t i = 0; i < jobs->count; i++)
        if (strcmp(jobs->jobs[i]->record.id, id) == 0)
            return jobs->jobs[i];
    return NULL;
}

/* The record as it is stored, maybe by somebody else: what they may change is what is wanted. Takes
 * `found`. With the mutex held. */
static void job_meet(cdc_snapshot_job *job, cdc_snapshot_job *found) {
    if (job->revision < found->revision) {
        job->record.wanted = found->record.wanted;
        job->revision = found->revision;
    }
    cdc_snapshot_job_free(found);
}

/* A record that this session has to carry out; takes it or frees it. */
static void job_adopt(cdc_snapshot_jobs *jobs, cdc_snapshot_job *found) {
    const core_snapshot *record = &found->record;
    bool rests = record->state == CORE_SNAPSHOT_PAUSED && record->wanted == CORE_SNAPSHOT_PAUSE;
    if (core_snapshot_is_over(record) || rests || jobs->count == CDC_SNAPSHOT_JOBS_MAX) {
        cdc_snapshot_job_free(found);
        return;
    }
    /* What the slot's exported snapshot was cut in goes on as any other, and what was read into a
     * history that is no more is read again: from the start. */
    bool same_epoch =
        record->epoch.length == 0 || core_slice_is(record->epoch, jobs->session.epoch);
    if (record->initial || !same_epoch)
        cdc_snapshot_job_unplan(found);
    found->record.initial = false;
    jobs->jobs[jobs->count++] = found;
    core_metrics_set(jobs->metrics, CORE_METRIC_CDC_SNAPSHOTS, (int64_t)jobs->count);
}

/* On the consumer's thread: a record as it stands, or was changed. A deleted one has no value. */
static void record_on_message(void *context, const fanout_message *message) {
    cdc_snapshot_jobs *jobs = context;
    core_error unreadable = {0};
    CORE_MAGIC_CHECK(jobs, CDC_SNAPSHOT_JOBS_MAGIC);
    if (message->payload.length == 0)
        return;
    cdc_snapshot_job *found =
        cdc_snapshot_job_read(message->payload, message->sequence, &unreadable);
    if (found == NULL) {
        CORE_LOG(jobs->log, WARN, "cdc", "a snapshot's record cannot be read; it is left alone",
                 CORE_LOG_TEXT("key", message->subject), CORE_LOG_TEXT("error", unreadable.text));
        return;
    }
    (void)pthread_mutex_lock(&jobs->mutex);
    cdc_snapshot_job *known = cdc_snapshot_job_find(jobs, found->record.id);
    if (known == NULL)
        job_adopt(jobs, found);
    else
        job_meet(known, found);
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
}

static void record_on_lost(void *context, const core_error *reason) {
    cdc_snapshot_jobs *jobs = context;
    CORE_MAGIC_CHECK(jobs, CDC_SNAPSHOT_JOBS_MAGIC);
    CORE_LOG(jobs->log, DEBUG, "cdc", "looking at the snapshots' records anew",
             CORE_LOG_TEXT("reason", reason->text));
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->watch_lost = true;
    (void)pthread_cond_broadcast(&jobs->changed);
    (void)pthread_mutex_unlock(&jobs->mutex);
}

void cdc_snapshot_records_unwatch(cdc_snapshot_jobs *jobs) {
    fanout_ordered_free(jobs->watch);
    jobs->watch = NULL;
    jobs->watch_lost = false;
}

/* Every record comes once, then each that is written. */
bool cdc_snapshot_records_watch(cdc_snapshot_jobs *jobs, core_error *error) {
    (void)pthread_mutex_lock(&jobs->mutex);
    bool lost = jobs->watch_lost;
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (lost)
        cdc_snapshot_records_unwatch(jobs);
    if (jobs->watch != NULL)
        return true;
    char stream[FANOUT_NAME_MAX];
    char filter[CORE_SUBJECT_MAX];
    const char *name = core_config_text(jobs->config, "nats.stream");
    (void)snprintf(stream, sizeof stream, "KV_%s_state", name);
    (void)snprintf(filter, sizeof filter, "$KV.%s_state." CORE_SNAPSHOT_TOKEN ".*", name);
    const fanout_ordered_spec spec = {.stream = stream,
                                      .filter = filter,
                                      .from = FANOUT_FROM_FIRST,
                                      .on_message = record_on_message,
                                      .on_lost = record_on_lost,
                                      .context = jobs};
    jobs->watch = fanout_ordered_new(jobs->connection, &spec, jobs->log, error);
    return jobs->watch != NULL;
}

/* After a conflict: what somebody else wrote, without which ours cannot be stored. The watch would
 * bring it too, but in the initial snapshot's session there is none. */
static bool record_look(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, const char *key,
                        core_error *error) {
    uint64_t revision = 0;
    core_buffer json;
    core_buffer_init(&json, CORE_SNAPSHOT_JSON_MAX);
    bool ok = fanout_bucket_get(jobs->bucket, key, &json, &revision, error);
    cdc_snapshot_job *found = ok && revision != 0
                                  ? cdc_snapshot_job_read(core_buffer_slice(&json), revision, error)
                                  : NULL;
    core_buffer_fini(&json);
    if (found == NULL)
        return ok && revision == 0;
    (void)pthread_mutex_lock(&jobs->mutex);
    job_meet(job, found);
    (void)pthread_mutex_unlock(&jobs->mutex);
    return true;
}

bool cdc_snapshot_record_store(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job, core_error *error) {
    char key[CORE_SNAPSHOT_ID_SIZE + 16];
    core_buffer json;
    core_buffer_init(&json, CORE_SNAPSHOT_JSON_MAX);
    (void)pthread_mutex_lock(&jobs->mutex);
    cdc_snapshot_job_write(job, &json);
    job->changed = false;
    uint64_t revision = job->revision;
    core_snapshot_key(job->record.id, key);
    (void)pthread_mutex_unlock(&jobs->mutex);
    core_error reason = {0};
    bool ok =
        core_buffer_ok(&json) && fanout_bucket_set(jobs->bucket, key, core_buffer_slice(&json),
                                                   revision, &revision, &reason);
    (void)pthread_mutex_lock(&jobs->mutex);
    job->stored_at_ms = core_clock_ms(core_clock_system());
    if (ok)
        job->revision = revision;
    else
        job->changed = true;
    (void)pthread_mutex_unlock(&jobs->mutex);
    core_buffer_fini(&json);
    if (ok)
        return true;
    if (reason.code == CORE_ERROR_CONFLICT)
        return record_look(jobs, job, key, error);
    *error = reason;
    return false;
}
