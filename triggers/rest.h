/* Definitions over REST: /v1/projects/{p}/triggers. */
#ifndef WALCAST_TRIGGERS_REST_H
#define WALCAST_TRIGGERS_REST_H

#include "triggers/api.h"
#include "triggers/kind.h"

/* Hands the request to the desk. */
void triggers_rest_take(triggers_host *host, core_route_reply *reply);

/* For what else the desk answers, on its thread: the store, with its connection, and the audit
 * record of what a request did. `detail` may be NULL. */
fanout_definitions *triggers_rest_store(const triggers_host *host);
void triggers_rest_audit(const triggers_host *host, const core_route_reply *reply, const char *act,
                         const char *object, const char *detail);

/* The part: the desk, and what it answers with. */
CORE_MUST_CHECK triggers_part *triggers_rest_part(triggers_host *host, core_error *error);

#endif
