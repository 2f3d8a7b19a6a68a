/* Requests under an Idempotency-Key (fanout/keyed.h), whatever they ask for: each taker is given a
 * reply of the keyed's, and knows nothing of it, but for taking ids from its claim. */
#ifndef WALCAST_TRIGGERS_KEYED_H
#define WALCAST_TRIGGERS_KEYED_H

#include "fanout/fanout.h"
#include "triggers/api.h"

/* Any thread; never waits. The reply is ours; the row's taker is called on another thread, if it
 * comes to that. */
void triggers_keyed_take(triggers_host *host, core_route_reply *reply, const triggers_taker *take);

/* The part; behind all whose takers it calls, so that it stops before them. */
CORE_MUST_CHECK triggers_part *triggers_keyed_part(triggers_host *host, core_error *error);

#endif
