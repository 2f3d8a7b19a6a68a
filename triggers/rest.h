/* Definitions over REST: /v1/projects/{p}/triggers. */
#ifndef WALCAST_TRIGGERS_REST_H
#define WALCAST_TRIGGERS_REST_H

#include "triggers/api.h"

/* Hands the request to the desk. */
void triggers_rest_take(triggers_host *host, core_route_reply *reply);

/* The part: the desk, and what it answers with. */
CORE_MUST_CHECK triggers_part *triggers_rest_part(triggers_host *host, core_error *error);

#endif
