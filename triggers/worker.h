/* The worker: one thread that drives the partitions that this process owns over NATS, and hands
 * their attempts to a sender. Who owns which is another thread's to see to (share.h), which waits
 * for the broker; this one never does, but for connecting again. */
#ifndef WALCAST_TRIGGERS_WORKER_H
#define WALCAST_TRIGGERS_WORKER_H

#include "fanout/fanout.h"
#include "triggers/definitions.h"
#include "triggers/inbox.h"
#include "triggers/senders.h"

typedef struct triggers_worker triggers_worker;

typedef struct {
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    triggers_senders *senders;         /* outlive the worker */
    triggers_definitions *definitions; /* outlive the worker */
    /* A partition is the caller's again, quiet or fenced: its inbox and lease may go. On the
     * worker's thread; must not wait. */
    void (*on_back)(void *context, unsigned number);
    void *on_back_context;
} triggers_worker_spec;

/* Starts the thread. */
CORE_MUST_CHECK triggers_worker *triggers_worker_new(const triggers_worker_spec *spec,
                                                     core_error *error);
/* Ends the thread: nothing more is sent. */
void triggers_worker_stop(triggers_worker *worker);
/* Once the sender has ended all deliveries. Partitions that are still here are dropped: their
 * attempts count as not made. */
void triggers_worker_free(triggers_worker *worker);

/* ---- For whoever owns partitions; any one thread ---- */

/* A partition to fold the log into, and then to hand over. The caller's until then. */
CORE_MUST_CHECK triggers_partition *triggers_worker_partition(triggers_worker *worker,
                                                              unsigned number, core_error *error);
typedef struct {
    unsigned number;
    triggers_partition *partition; /* the worker's from here on */
    triggers_inbox *inbox;         /* lent until on_back, as the lease is */
    const fanout_lease *lease;
    uint64_t lease_term; /* under which it was taken */
    uint64_t log_end;    /* the log's last record that was folded */
} triggers_handover;

void triggers_worker_give(triggers_worker *worker, const triggers_handover *handover);
/* Nothing new begins; on_back comes when attempts under way have ended and the log has them.
 * `at_once`: without waiting. */
void triggers_worker_want_back(triggers_worker *worker, unsigned number, bool at_once);
int triggers_worker_wake_fd(const triggers_worker *worker);

typedef struct {
    size_t partitions, tasks, parked_tasks, attempts;
    size_t held_tasks; /* of the parked ones, those that wait for their trigger */
    bool holds_up;     /* a stream has no room */
    bool is_limited;   /* a trigger's share of what may wait is used up */
    bool is_connected;
} triggers_worker_stats;
/* Of a moment ago; any thread. */
triggers_worker_stats triggers_worker_look(triggers_worker *worker);

#endif
