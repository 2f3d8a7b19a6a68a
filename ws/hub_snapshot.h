/* Joins that ask for the present rows first: a snapshot of their bindings, then the changes after
 * exactly that point.
 *
 * A snapshot waits for one of a few places, is read by a job on the pool (hub_snapshot_read.c), and
 * is handed to its member a piece at a time: the next one when the member's client has taken the
 * last. The reader does not wait for the client: what it has read is kept in memory, bounded for
 * each and for all, so a slow client holds no connection to the database. Behind the last piece the
 * member resumes from the snapshot's place (hub_resume.c), with a gate in front (gate.h).
 *
 * Failure modes: whatever goes wrong before the rows come refuses the join, later it makes the
 * member join again; the reason says what to do. */
#ifndef WALCAST_WS_HUB_SNAPSHOT_H
#define WALCAST_WS_HUB_SNAPSHOT_H

#include "ws/hub_access.h"
#include "ws/hub_lane.h"
#include "ws/hub_recent.h"
#include "ws/hub_ring.h"

typedef struct ws_hub ws_hub;

typedef struct {
    hub_snapshot *first, *last;
} hub_snapshot_list;

typedef struct {
    hub_recent recent;
    pthread_mutex_t lock;   /* over what jobs and the hub share */
    hub_snapshot *progress; /* under the lock: jobs that have something to say */
    atomic_size_t bytes;    /* read, and not taken by clients */
    atomic_bool stop;       /* jobs end */
    /* Of the configuration. */
    size_t places;
    int64_t timeout_ms;
    size_t max_bytes, piece_bytes;
    core_tenants tenants;
    const char *publication;
    /* The hub's. */
    hub_snapshot_list waiting, begun;
    size_t waiting_count, begun_count;
    size_t reading; /* jobs that the pool has */
    int64_t looked_ms;
} hub_snapshots;

CORE_MUST_CHECK bool hub_snapshots_init(hub_snapshots *snapshots, const core_config *config,
                                        core_error *error);
/* The pool must have stopped. */
void hub_snapshots_fini(ws_hub *hub);

/* ---- The hub's thread ---- */
/* Takes the passenger's reference; the role gets one of its own. */
void hub_snapshot_join(ws_hub *hub, const hub_passenger *passenger, hub_role *role);
/* The member's client has taken the last piece; or the member is gone. */
void hub_snapshot_taken(ws_hub *hub, hub_snapshot *snapshot, bool gone);
/* What jobs have read, and what is late. */
void hub_snapshots_step(ws_hub *hub);
/* Some are under way: look again soon. */
bool hub_snapshots_wait(const ws_hub *hub);
/* The live stream was interrupted: what was begun cannot be gone on with. */
void hub_snapshots_reset(ws_hub *hub);

#endif
