/* The jobs' inside, shared by snapshot_jobs.c (workers, turns, the thread), snapshot_records.c
 * (their records), snapshot_begin.c (planning), snapshot_all.c, snapshot_finish.c,
 * snapshot_initial.c and snapshot_stream.c. */
#ifndef WALCAST_CDC_SNAPSHOT_JOBS_PRIVATE_H
#define WALCAST_CDC_SNAPSHOT_JOBS_PRIVATE_H

#include "cdc/snapshot_job.h"
#include "cdc/snapshot_jobs.h"
#include "cdc/snapshot_predecessor.h"
#include "cdc/table_pattern.h"

#include <pthread.h>

#define CDC_SNAPSHOT_JOBS_MAGIC UINT32_C(0x6a6f6273)

struct cdc_snapshot_jobs {
    uint32_t magic;
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    cdc_snapshot_gate *gate;
    cdc_snapshot_scope scope;
    char inserts_publication[CDC_NAME_MAX];

    pthread_mutex_t mutex; /* guards all below, but for the thread's own */
    pthread_cond_t changed;
    bool stopping;
    cdc_snapshot_session session;
    bool has_session;
    cdc_snapshot_job *jobs[CDC_SNAPSHOT_JOBS_MAX];
    size_t count;
    size_t next; /* whose turn it is */
    int64_t live_share;
    int64_t rest_until_ms; /* while changes flow nothing is read before */
    int64_t taken_at_ms;   /* when a piece was taken last */
    bool watch_lost;

    /* The thread's own. */
    cdc_snapshot_predecessor predecessor;
    fanout_connection *connection;
    fanout_bucket *bucket;
    fanout_ordered *watch;
    pg_connection *database;
    core_arena scratch;
    bool initial_made; /* in this session */
    char told[CORE_ERROR_TEXT_MAX];
};

/* With the mutex held: the snapshot needs a person. */
void cdc_snapshot_jobs_fail(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job,
                            const core_error *error);

/* snapshot_records.c; the thread's. Connects to the broker. */
CORE_MUST_CHECK bool cdc_snapshot_records_open(cdc_snapshot_jobs *jobs, core_error *error);
/* Every record comes once, then each that is written. */
CORE_MUST_CHECK bool cdc_snapshot_records_watch(cdc_snapshot_jobs *jobs, core_error *error);
void cdc_snapshot_records_unwatch(cdc_snapshot_jobs *jobs);
/* NULL: there is none. With the mutex held. */
cdc_snapshot_job *cdc_snapshot_job_find(cdc_snapshot_jobs *jobs, const char *id);
/* After a conflict it has what is wanted, and is stored at the next turn. */
CORE_MUST_CHECK bool cdc_snapshot_record_store(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job,
                                               core_error *error);

/* snapshot_begin.c; the thread's. */
CORE_MUST_CHECK bool cdc_snapshot_database_open(cdc_snapshot_jobs *jobs, core_error *error);
/* Plans the job and sets it running, or says in its record why not. */
CORE_MUST_CHECK bool cdc_snapshot_job_begin(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job,
                                            core_error *error);

/* snapshot_all.c; the thread's. Whether it asks for every table, and that made into a request for
 * each. */
bool cdc_snapshot_is_of_all(const core_snapshot *record);
CORE_MUST_CHECK bool cdc_snapshot_all_request(cdc_snapshot_jobs *jobs, const core_snapshot *all,
                                              core_error *error);

/* snapshot_finish.c; the thread's. Every range is done: looks for what is left, or ends it. */
CORE_MUST_CHECK bool cdc_snapshot_job_finish(cdc_snapshot_jobs *jobs, cdc_snapshot_job *job,
                                             core_error *error);

/* snapshot_initial.c; the thread's. A job for each table of snapshot.initial, once. */
CORE_MUST_CHECK bool cdc_snapshot_initial_make(cdc_snapshot_jobs *jobs, core_error *error);
bool cdc_snapshot_initial_is_over(cdc_snapshot_jobs *jobs);

#endif
