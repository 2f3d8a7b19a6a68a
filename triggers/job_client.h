/* Jobs for tools: enqueued into the inbox stream, and asked of their partitions' owners over NATS.
 */
#ifndef WALCAST_TRIGGERS_JOB_CLIENT_H
#define WALCAST_TRIGGERS_JOB_CLIENT_H

#include "fanout/fanout.h"

/* Connects. The config must outlive it. Calls block. */
typedef struct triggers_job_client triggers_job_client;
CORE_MUST_CHECK triggers_job_client *triggers_job_client_new(const core_config *config,
                                                             core_log *log, core_error *error);
void triggers_job_client_free(triggers_job_client *client);

/* A job as POST /jobs/v1 takes it; `id` gets its id. INPUT names the member that is wrong. */
#define TRIGGERS_JOB_CLIENT_ID_SIZE 32
CORE_MUST_CHECK bool triggers_job_client_enqueue(triggers_job_client *client, core_slice project,
                                                 core_slice json,
                                                 char id[TRIGGERS_JOB_CLIENT_ID_SIZE],
                                                 core_error *error);
/* `verb` is get, cancel or retry. `answer` is reset and gets the job's JSON. INPUT: that is no id;
 * CONFLICT: there is no such job, or it cannot be done in its state; TRANSIENT: nobody owns its
 * partition now. */
CORE_MUST_CHECK bool triggers_job_client_ask(triggers_job_client *client, const char *verb,
                                             core_slice project, core_slice id, core_buffer *answer,
                                             core_error *error);

typedef struct {
    core_slice project;
    core_slice queue; /* empty: all */
    core_slice state; /* empty: any */
    uint64_t limit;   /* of each of the 16 partitions */
} triggers_job_filter;

/* Each job's JSON, the newest of each partition first; valid during the call. */
typedef void (*triggers_job_take)(void *context, core_slice json);
/* `*more`: there are others beyond the limit. */
CORE_MUST_CHECK bool triggers_job_client_list(triggers_job_client *client,
                                              const triggers_job_filter *filter,
                                              triggers_job_take take, void *context, bool *more,
                                              core_error *error);

#endif
