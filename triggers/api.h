/* Requests to the room, handed to the role of the source that hosts their project. */
#ifndef WALCAST_TRIGGERS_API_H
#define WALCAST_TRIGGERS_API_H

#include "triggers/host.h"

#define TRIGGERS_PROJECT_MAX 256

/* From here to `leave` requests reach the host, whose parts all run. */
CORE_MUST_CHECK bool triggers_api_join(triggers_api *api, triggers_host *host, core_error *error);
/* None is being handed over any more when it returns. */
void triggers_api_leave(triggers_api *api, triggers_host *host);

/* On a service thread: hands the reply on, or sends it; must not block. */
typedef void (*triggers_taker)(triggers_host *host, core_route_reply *reply);

#endif
