/* This node's share of the jobs' partitions: 16 by the number of nodes; see job_runner_private.h.
 *
 * Each node keeps a key of its own in the bucket of leases, which says that it is there. What it
 * has beyond its share it gives back: it posts none of its jobs to endpoints any more, serves all
 * else until those under way have ended, and lets go when the log has what was done. Attempts that
 * run are not cut: they are the log's, and their workers' next words go to the new owner.
 *
 * Failure: what cannot be counted stays as it was; a node that died is counted until its key is
 * gone, as its leases are. */
#include "triggers/job_runner_private.h"

#include <stdio.h>

enum { LEAVE_MS = 20 * 1000 }; /* so long requests to endpoints are waited for */

bool job_share_open(triggers_job_runner *runner, core_error *error) {
    char key[64];
    (void)snprintf(key, sizeof key, "jobs.node.%s", runner->node);
    const fanout_lease_spec lease = {.key = key, .owner = runner->node, .ttl_ms = runner->lease_ms};
    runner->node_lease = fanout_lease_new(runner->leases, &lease, runner->spec.clock, error);
    runner->share = TRIGGERS_JOB_PARTITIONS;
    runner->share_ms = 0;
    return runner->node_lease != NULL;
}

void job_share_close(triggers_job_runner *runner) {
    if (runner->node_lease != NULL && fanout_connection_alive(runner->connection))
        fanout_lease_release(runner->node_lease);
    fanout_lease_free(runner->node_lease);
    runner->node_lease = NULL;
}

static bool count_key(void *context, const char *key) {
    (void)key;
    return ++*(unsigned *)context <= TRIGGERS_JOB_PARTITIONS;
}

static void share_count(triggers_job_runner *runner) {
    core_error error = {.text = ""};
    unsigned nodes = 0;
    bool ok = fanout_lease_keep(runner->node_lease, &error) &&
              (fanout_bucket_keys(runner->leases, "jobs.node", count_key, &nodes, &error) ||
               error.code == CORE_ERROR_NONE);
    if (ok && nodes > 0)
        runner->share = (TRIGGERS_JOB_PARTITIONS + nodes - 1) / nodes;
}

/* Without those that are being given back. */
static unsigned held_count(const triggers_job_runner *runner) {
    unsigned held = 0;
    for (unsigned i = 0; i < TRIGGERS_JOB_PARTITIONS; i++)
        held += runner->slots[i].state.current != SLOT_IDLE && runner->slots[i].leave_ms == 0;
    return held;
}

bool job_share_has_room(const triggers_job_runner *runner) {
    return held_count(runner) < runner->share;
}

void job_share_turn(triggers_job_runner *runner) {
    int64_t now_ms = core_clock_ms(runner->spec.clock);
    if (now_ms < runner->share_ms)
        return;
    runner->share_ms = now_ms + runner->lease_ms / 3;
    share_count(runner);
    unsigned held = held_count(runner);
    for (unsigned i = TRIGGERS_JOB_PARTITIONS; i > 0 && held > runner->share; i--) {
        job_slot *slot = &runner->slots[i - 1];
        if (!job_slot_owns(slot) || slot->leave_ms != 0)
            continue;
        slot->leave_ms = now_ms + LEAVE_MS;
        held--;
    }
}
