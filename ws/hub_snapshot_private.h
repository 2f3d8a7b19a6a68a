/* A snapshot's inside, shared by hub_snapshot.c (the hub's thread) and hub_snapshot_read.c (a
 * thread of the pool). */
#ifndef WALCAST_WS_HUB_SNAPSHOT_PRIVATE_H
#define WALCAST_WS_HUB_SNAPSHOT_PRIVATE_H

#include "ws/hub_private.h"

#define HUB_SNAPSHOT_REASON_MAX (CORE_ERROR_TEXT_MAX + 64)

struct hub_snapshot {
    pg_job job; /* first: the job is the snapshot */
    uint32_t magic;
    hub_snapshots *all;
    core_ring *wake; /* of the hub */
    hub_passenger passenger;
    hub_role *role;
    hub_snapshot *next, *previous; /* in its list: the hub's */
    int64_t since_ms;              /* when it came, then when it was begun */
    /* The hub's. */
    bool answered;  /* its member was told that it is in */
    bool in_flight; /* a piece was sent and is not taken */
    bool sent_last;
    bool over; /* nothing more is sent */
    /* Shared, under all->lock. */
    hub_snapshot *progress_next;
    bool in_progress; /* in the list of progress */
    bool ready;       /* its tables may be read: rows follow */
    bool ended, ok;
    ws_rows *pieces, *pieces_last;
    char reason[HUB_SNAPSHOT_REASON_MAX];
    atomic_bool cancelled;
    /* The job's; the hub's once it has ended. */
    hub_recent_answer place;
    int64_t taken_us; /* when the snapshot was taken, by the database's clock */
    ws_gate *gate;
    ws_rows *piece; /* being filled */
    uint64_t rows;
    size_t bytes;
};

/* The job's `run` and `done`. */
CORE_MUST_CHECK bool hub_snapshot_run(pg_job *job, pg_connection *connection, core_error *error);
void hub_snapshot_done(pg_job *job, bool ok, const core_error *error);
/* For the pool's thread: says that the rows follow. */
void hub_snapshot_tell_ready(hub_snapshot *snapshot);
/* The same for a piece, which is the hub's from here. */
void hub_snapshot_tell_piece(hub_snapshot *snapshot, ws_rows *piece);

#endif
