/* Application events over HTTP, /events/v1 (docs/EVENTS.md): published into the stream of events,
 * listed and looked up there.
 *
 * One thread with a courier: nothing on it waits for the broker but the beginning, so a thousand
 * requests are under way at once. Private to the room. */
#ifndef WALCAST_TRIGGERS_EVENTS_H
#define WALCAST_TRIGGERS_EVENTS_H

#include "triggers/host.h"

typedef struct triggers_events triggers_events;

/* A triggers_taker (api.h). */
void triggers_events_take(triggers_host *host, core_route_reply *reply);

/* The part. */
CORE_MUST_CHECK triggers_part *triggers_events_part(triggers_host *host, core_error *error);

#endif
