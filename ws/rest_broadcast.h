/* Broadcasts over HTTP (rest_request.h has the forms, docs/BROADCAST.md is its users' side).
 *
 * Happy path: who asks, what he says, a token of the project's bucket for each message, what the
 * policies say of private topics, a hand-over to the hub, 202. A batch goes out whole or not at
 * all, but for messages to private topics that may not be written: these are left out, as
 * Supabase's server does, and the answer says which. Nothing is sent when the policies cannot be
 * asked (503), nor when the hub is behind (429), nor for a client that went away meanwhile. */
#ifndef WALCAST_WS_REST_BROADCAST_H
#define WALCAST_WS_REST_BROADCAST_H

#include "ws/http.h"

/* False: the path is not one of these, and nothing was done. */
CORE_MUST_CHECK bool ws_rest_broadcast_serve(ws_http_request *request);

#endif
