/* The server as the room's other files see it; ws.h is what other rooms see. */
#ifndef WALCAST_WS_SERVER_H
#define WALCAST_WS_SERVER_H

#include "ws/service.h"
#include "ws/ws.h"

typedef struct ws_gateway ws_gateway;

/* ---- Any thread ---- */
const core_route_table *ws_server_routes(const ws_server *server);
bool ws_server_draining(const ws_server *server);
/* Not draining, and what the process says; fills `reason`. */
core_readiness ws_server_ready(const ws_server *server, char *reason, size_t reason_size);
/* The realtime gateway of a source, by its number in the configuration; NULL while none is
 * attached. */
ws_gateway *ws_server_gateway(const ws_server *server, unsigned source);
/* Of any source. */
bool ws_server_has_gateway(const ws_server *server);
const auth_verifier *ws_server_verifier(const ws_server *server);
/* The process is configured to have one. */
bool ws_server_hosts_gateway(const ws_server *server);
void ws_server_attach(ws_server *server, unsigned source, ws_gateway *gateway);
/* Returns once no service thread looks at the gateway any more. */
void ws_server_detach(ws_server *server, unsigned source);
const ws_server_spec *ws_server_spec_of(const ws_server *server);
size_t ws_server_service_count(const ws_server *server);
ws_service *ws_server_service(const ws_server *server, size_t index);

/* Counts WebSockets and streams against ws.max_connections and limits.connections_per_address.
 * False: one is reached. `client` is who asks; the same when it leaves. */
CORE_MUST_CHECK bool ws_server_socket_enter(ws_server *server, const core_address *client);
void ws_server_socket_leave(ws_server *server, const core_address *client);
size_t ws_server_sockets(const ws_server *server);

#endif
