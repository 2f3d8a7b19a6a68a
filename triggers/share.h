/* Who owns which partition: this process's share of the sixteen, by leases, as many as there are
 * for each process that lives. A thread of its own, which waits for the broker: it takes leases,
 * folds the partitions' logs, reads their tasks, and hands all to the worker; and takes them back
 * when another process should have them, or a lease was lost. */
#ifndef WALCAST_TRIGGERS_SHARE_H
#define WALCAST_TRIGGERS_SHARE_H

#include "triggers/worker.h"

typedef struct triggers_share triggers_share;

typedef struct {
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
} triggers_share_spec;

/* Starts nothing yet. */
CORE_MUST_CHECK triggers_share *triggers_share_new(const triggers_share_spec *spec,
                                                   core_error *error);
/* Starts the thread, for this worker, which outlives the share. */
CORE_MUST_CHECK bool triggers_share_start(triggers_share *share, triggers_worker *worker,
                                          core_error *error);
/* Gives back all: waits for attempts under way, up to `wait_ms`. The thread ends. */
void triggers_share_stop(triggers_share *share, int64_t wait_ms);
void triggers_share_free(triggers_share *share);
/* The worker's on_back. */
void triggers_share_back(void *share, unsigned number);
/* Why not all that should be here is; empty: all is well. Any thread. */
void triggers_share_trouble(triggers_share *share, char *text, size_t text_size);

#endif
