/* What became of a trigger's events over REST, and events delivered again:
 * /v1/projects/{p}/triggers/{name}/deliveries and .../redeliver. */
#ifndef WALCAST_TRIGGERS_REST_HISTORY_H
#define WALCAST_TRIGGERS_REST_HISTORY_H

#include "triggers/api.h"

/* Hand the request to the desk. */
void triggers_deliveries_take(triggers_host *host, core_route_reply *reply);
void triggers_redeliver_take(triggers_host *host, core_route_reply *reply);

#endif
