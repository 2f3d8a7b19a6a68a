/* How many connections each client address has open: exact, for `limits.connections_per_address`.
 *
 * Service threads share it under a lock, which nobody holds longer than a look into a table; where
 * there is no limit the lock is not taken. An IPv6 address counts as its /64. */
#ifndef WALCAST_WS_CROWD_H
#define WALCAST_WS_CROWD_H

#include "core/core.h"

#include <pthread.h>

typedef struct {
    core_address address;
    uint32_t count; /* 0: the place is free */
} ws_crowd_row;

typedef struct {
    size_t limit; /* of one address; 0: none */
    pthread_mutex_t lock;
    size_t mask; /* of the places, twice as many as connections */
    uint64_t seed;
    ws_crowd_row *rows; /* NULL where there is no limit */
} ws_crowd;

/* `connections` is how many there can be of all addresses. False when memory is out. */
CORE_MUST_CHECK bool ws_crowd_init(ws_crowd *crowd, size_t limit, size_t connections,
                                   uint64_t seed);
void ws_crowd_fini(ws_crowd *crowd);
/* False: the address has as many as it may. */
CORE_MUST_CHECK bool ws_crowd_enter(ws_crowd *crowd, const core_address *address);
/* One that entered. */
void ws_crowd_leave(ws_crowd *crowd, const core_address *address);

#endif
