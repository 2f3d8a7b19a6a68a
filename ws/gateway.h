/* The gateway role as the service threads see it. */
#ifndef WALCAST_WS_GATEWAY_H
#define WALCAST_WS_GATEWAY_H

#include "auth/auth.h"
#include "ws/server.h"

/* What the database allows. Questions may be put to it as long as the gateway is attached (that is,
 * within a call on a service thread that found it); they are answered before it is freed. */
auth_access *ws_gateway_access(const ws_gateway *gateway);

#endif
