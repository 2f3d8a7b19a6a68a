/* Requests under an `Idempotency-Key`, whatever they ask for: each is claimed before its taker gets
 * it, and what the taker answers is kept before the client hears it (idempotency.h).
 *
 * The taker is given a reply of ours in the place of the server's and knows nothing of it; whose
 * work has ids of its own makes them of the claim, so that doing it again does it once. What was
 * done (2xx) is kept. A refusal (4xx) gives the key back as if it had never been used; any other
 * answer gives it back too, but remembers when it was first claimed.
 *
 * One thread with a courier: nothing on it waits for the broker. Part of fanout's public header. */
#ifndef WALCAST_FANOUT_KEYED_H
#define WALCAST_FANOUT_KEYED_H

#include "fanout/idempotency.h"

#define FANOUT_KEYED_CALLS_MAX 1024 /* requests at once; beyond that 503 */

/* All must outlive it. */
typedef struct {
    const core_config *config; /* the source's */
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    const char *room; /* in the log */
    fanout_digest digest;
} fanout_keyed_spec;

typedef struct fanout_keyed fanout_keyed;

/* Who does what was asked for; `context` outlives the keyed's thread. */
typedef struct {
    /* On the keyed's thread; must not block. Must send the reply, also when the keyed is gone. */
    void (*take)(void *context, const void *what, core_route_reply *reply);
    /* Fills the reply with a refusal, on any thread; NULL: an RFC 9457 problem. */
    void (*refuse)(const void *what, core_route_reply *reply, unsigned status, const char *detail);
    void *context;
    const void *what; /* static */
} fanout_keyed_work;

typedef struct {
    fanout_idempotency key;
    int64_t began_us; /* when it was first claimed; the same if it is done again */
} fanout_claim;

CORE_MUST_CHECK fanout_keyed *fanout_keyed_new(const fanout_keyed_spec *spec, core_error *error);
CORE_MUST_CHECK bool fanout_keyed_start(fanout_keyed *keyed, core_error *error);
/* Any thread: a WARNING while requests cannot be taken. */
core_readiness fanout_keyed_ready(fanout_keyed *keyed, char *reason, size_t reason_size);
/* Before whoever takes ends; nothing is given to it any more. What has gone to its taker is sent by
 * that. NULL is nothing. */
void fanout_keyed_stop(fanout_keyed *keyed);

/* Any thread; never waits. The reply is ours. */
void fanout_keyed_take(fanout_keyed *keyed, core_route_reply *reply, const fanout_keyed_work *work);
/* What a taker's reply was claimed by; NULL: it came without a key. Lives as long as the reply. */
const fanout_claim *fanout_keyed_claim(const core_route_reply *reply);

#endif
