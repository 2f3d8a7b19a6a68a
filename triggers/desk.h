/* A thread that answers requests one after the other, where answering waits for a broker or a
 * database. Requests wait in a bounded line; one that finds no room is answered 503. */
#ifndef WALCAST_TRIGGERS_DESK_H
#define WALCAST_TRIGGERS_DESK_H

#include "core/core.h"

#define TRIGGERS_DESK_MAX 256 /* requests that wait */

typedef struct triggers_desk triggers_desk;

/* On the desk's thread: fills the response; it is sent when this returns. May block. */
typedef void (*triggers_desk_work)(void *context, core_route_reply *reply);

/* Starts the thread. */
CORE_MUST_CHECK triggers_desk *triggers_desk_new(const char *name, core_error *error);
/* Ends the thread behind the request at hand, and answers those that wait with 503; from then on
 * all that are put. */
void triggers_desk_stop(triggers_desk *desk);
/* Stopped before. NULL is allowed. */
void triggers_desk_free(triggers_desk *desk);
/* Any thread; never waits. The reply is the desk's. */
void triggers_desk_put(triggers_desk *desk, core_route_reply *reply, triggers_desk_work work,
                       void *context);

#endif
