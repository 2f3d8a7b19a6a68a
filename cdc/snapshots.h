/* All that reads tables for this process: the thread that keeps the jobs and the workers. */
#ifndef WALCAST_CDC_SNAPSHOTS_H
#define WALCAST_CDC_SNAPSHOTS_H

#include "cdc/snapshot_gate.h"

typedef struct cdc_snapshots cdc_snapshots;

/* Starts the threads; they wait for the source's sessions. All but `error` must outlive it. */
CORE_MUST_CHECK cdc_snapshots *cdc_snapshots_new(const core_config *config, core_log *log,
                                                 core_metrics *metrics, cdc_snapshot_gate *gate,
                                                 core_error *error);
/* Ends them. The source must have ended, or waits for none of them. */
void cdc_snapshots_free(cdc_snapshots *snapshots);

#endif
