/* Refused credentials by address: who guesses is not asked any more for a while.
 *
 * A bounded table of the addresses that failed last, without locks: sets of a few entries, each a
 * token bucket that holds a minute's failures. Where a set is full the entry that owes least is
 * forgotten, so a flood of addresses makes others be forgotten, and never locks one out that did
 * nothing. Two threads that meet in an entry may lose one failure. An IPv6 address counts as its
 * /64. */
#ifndef WALCAST_AUTH_FAILURES_H
#define WALCAST_AUTH_FAILURES_H

#include "core/core.h"

#include <stdatomic.h>

#define AUTH_FAILURE_SETS 2048
#define AUTH_FAILURE_WAYS 4

typedef struct {
    _Atomic uint64_t key;    /* of the address; 0: none */
    _Atomic int64_t full_ns; /* when the bucket is full again */
} auth_failure;

typedef struct {
    int64_t interval_ns; /* 0: no limit */
    uint64_t seed;       /* so that nobody can choose a set */
    auth_failure entries[AUTH_FAILURE_SETS][AUTH_FAILURE_WAYS];
} auth_failures;

/* `per_minute` 0: no limit. */
void auth_failures_init(auth_failures *failures, int64_t per_minute, uint64_t seed);
/* How long until the address may try again; 0: it may. `now_ns` of the monotonic clock. */
int64_t auth_failures_wait_ns(const auth_failures *failures, const core_address *address,
                              int64_t now_ns);
void auth_failures_add(auth_failures *failures, const core_address *address, int64_t now_ns);

#endif
