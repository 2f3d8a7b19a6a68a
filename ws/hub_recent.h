/* The transactions that were spread last: from which place in the stream on a client that has a
 * snapshot must be given changes.
 *
 * A commit that waits for a synchronous standby, or that is just about to be seen, is in the stream
 * and may have been spread while a snapshot does not see it yet. So the place is in front of the
 * first transaction that the snapshot does not see, however far back; all before it are seen. What
 * was forgotten, or was in the stream before the hub began, is known by a bound: no id from the
 * bound on was among it. A transaction that runs in the snapshot and is older than the bound may
 * have been among it: that is a doubt, to be cleared by asking the database, or by another
 * snapshot.
 *
 * Written by the hub's thread, asked by those of the pool: locked. */
#ifndef WALCAST_WS_HUB_RECENT_H
#define WALCAST_WS_HUB_RECENT_H

#include "core/core.h"

#include <pthread.h>

#define HUB_RECENT_MAX 65536 /* transactions; a power of two */
#define HUB_RECENT_DOUBTS                                                                          \
    64 /* that are told; with more of them the snapshot is as good as stale                        \
        */

typedef struct {
    uint64_t sequence; /* of its first change's message */
    uint32_t xid;
} hub_recent_entry;

typedef struct {
    pthread_mutex_t lock;
    hub_recent_entry *entries; /* a ring */
    uint64_t count;            /* ever added since it began */
    uint64_t generation;       /* of beginnings */
    uint64_t position;         /* all up to it was spread */
    char epoch[CORE_EPOCH_TEXT_SIZE];
    bool bounded, forgot; /* which of the two bounds are known */
    uint32_t bound;       /* of what was in the stream before the hub began */
    uint32_t forgotten;   /* of what the ring has lost */
} hub_recent;

typedef enum {
    HUB_RECENT_SURE,
    HUB_RECENT_DOUBT, /* SURE if none of `doubts` has committed yet */
    HUB_RECENT_STALE, /* too old, or of before the hub began anew: take another snapshot */
} hub_recent_verdict;

typedef struct {
    hub_recent_verdict verdict;
    uint64_t position; /* all up to it is seen */
    char epoch[CORE_EPOCH_TEXT_SIZE];
    uint32_t doubts[HUB_RECENT_DOUBTS];
    size_t doubt_count;
} hub_recent_answer;

CORE_MUST_CHECK bool hub_recent_init(hub_recent *recent, core_error *error);
void hub_recent_fini(hub_recent *recent);

/* ---- The hub ---- */
/* What is spread from here on comes behind `position`; all that was known is forgotten. */
void hub_recent_begin(hub_recent *recent, uint64_t position,
                      const char epoch[CORE_EPOCH_TEXT_SIZE]);
/* A change of this transaction, in the message of that sequence, is being spread. Changes of one
 * transaction come in a row. */
void hub_recent_add(hub_recent *recent, uint32_t xid, uint64_t sequence);
/* All up to there was spread. */
void hub_recent_pass(hub_recent *recent, uint64_t position, const char epoch[CORE_EPOCH_TEXT_SIZE]);

/* ---- Any thread ---- */
/* To be asked before the snapshot is taken, and given to hub_recent_ask. */
uint64_t hub_recent_generation(hub_recent *recent);
/* Where a client with this snapshot goes on. */
hub_recent_answer hub_recent_ask(hub_recent *recent, uint64_t generation,
                                 core_visibility *visibility);

#endif
