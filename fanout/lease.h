/* A lease: a key of a brief bucket that says who does something. Only a hint who should: what is
 * done under it is fenced at its stream, for a holder that slept does not know that the lease is
 * over. A part of the fanout room's public header. */
#ifndef WALCAST_FANOUT_LEASE_H
#define WALCAST_FANOUT_LEASE_H

#include "fanout/fanout.h"

typedef struct fanout_lease fanout_lease;

typedef struct {
    const char *key;
    const char *owner; /* who asks: one id for each process start */
    int64_t ttl_ms;    /* the bucket's; renewed in time by _keep */
} fanout_lease_spec;

/* Holds nothing yet. The bucket must outlive it; one thread. */
CORE_MUST_CHECK fanout_lease *fanout_lease_new(fanout_bucket *bucket, const fanout_lease_spec *spec,
                                               const core_clock *clock, core_error *error);
void fanout_lease_free(fanout_lease *lease); /* does not release it */
/* Takes the lease when it is free, renews it when it is ours. False: somebody else has it
 * (CONFLICT), or no answer (TRANSIENT). Asks the server; at once TRANSIENT while there is none. */
CORE_MUST_CHECK bool fanout_lease_keep(fanout_lease *lease, core_error *error);
/* Whether it is ours and not over, by our own clock, which counts from before the renewal was
 * asked for. Any thread; no call to the server. */
bool fanout_lease_held(const fanout_lease *lease);
/* Another number each time that it was lost, or given back: whoever began something under a former
 * one is not its holder any more, though it may be held again. Any thread. */
uint64_t fanout_lease_term(const fanout_lease *lease);
/* Gives it back at once, if it is ours and a server is there; else it ends by itself. */
void fanout_lease_release(fanout_lease *lease);

#endif
