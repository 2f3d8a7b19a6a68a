/* Requests under an `Idempotency-Key`, whatever they ask for: each is claimed before its taker gets
 * it, and what the taker answers is kept before the client hears it (idempotency.h).
 *
 * The taker is given a reply of ours in the place of the server's and knows nothing of it; whose
 * work has ids of its own makes them of the claim, so that doing it again does it once. What was
 * done (2xx) is kept. A refusal (4xx) gives the key back as if it had never been used; any other
 * answer gives it back too, but remembers when it was first claimed.
 *
 * One thread with a courier: nothing on it waits for the broker. Private to the room. */
#ifndef WALCAST_TRIGGERS_KEYED_H
#define WALCAST_TRIGGERS_KEYED_H

#include "triggers/api.h"
#include "triggers/idempotency.h"

#define TRIGGERS_KEYED_CALLS_MAX 1024 /* requests at once; beyond that 503 */

typedef struct triggers_keyed triggers_keyed;

typedef struct {
    triggers_idempotency key;
    int64_t began_us; /* when it was first claimed; the same if it is done again */
} triggers_claim;

/* Any thread; never waits. The reply is ours; `take` is called on our thread, if it comes to that.
 */
void triggers_keyed_take(triggers_host *host, core_route_reply *reply, triggers_taker take);
/* What a taker's reply was claimed by; NULL: it came without a key. Lives as long as the reply. */
const triggers_claim *triggers_keyed_claim(const core_route_reply *reply);

/* The part; behind all whose takers it calls, so that it stops before them. */
CORE_MUST_CHECK triggers_part *triggers_keyed_part(triggers_host *host, core_error *error);

#endif
