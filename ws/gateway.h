/* The gateway role as the service threads see it. */
#ifndef WALCAST_WS_GATEWAY_H
#define WALCAST_WS_GATEWAY_H

#include "auth/auth.h"
#include "ws/server.h"

/* Read-only; any thread. */
const auth_verifier *ws_gateway_verifier(const ws_gateway *gateway);

#endif
