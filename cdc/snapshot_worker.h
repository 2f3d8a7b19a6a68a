/* A thread that reads pieces of tables over a connection of its own and passes them to the source;
 * see snapshot_gate.h for the meeting and snapshot_jobs.h for what it reads next. */
#ifndef WALCAST_CDC_SNAPSHOT_WORKER_H
#define WALCAST_CDC_SNAPSHOT_WORKER_H

#include "cdc/snapshot_jobs.h"

typedef struct cdc_snapshot_worker cdc_snapshot_worker;

/* `at`: its ticket. `cancel_fd` readable ends what it waits for in the database. */
CORE_MUST_CHECK cdc_snapshot_worker *cdc_snapshot_worker_new(const core_config *config,
                                                             core_log *log, cdc_snapshot_gate *gate,
                                                             cdc_snapshot_jobs *jobs, size_t at,
                                                             int cancel_fd, core_error *error);
/* Waits for its end: the jobs and the gate must have been stopped. */
void cdc_snapshot_worker_free(cdc_snapshot_worker *worker);

#endif
