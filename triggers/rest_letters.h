/* Dead letters over REST: /v1/projects/{p}/dead-letters. */
#ifndef WALCAST_TRIGGERS_REST_LETTERS_H
#define WALCAST_TRIGGERS_REST_LETTERS_H

#include "triggers/api.h"

/* Hands the request to the desk. */
void triggers_letters_take(triggers_host *host, core_route_reply *reply);

#endif
