/* The WebSocket handshake (RFC 6455 4.2): who may connect, and the change of protocol. */
#ifndef WALCAST_WS_HANDSHAKE_H
#define WALCAST_WS_HANDSHAKE_H

#include "ws/http.h"

/* Answers 101 and makes the connection a realtime session, or refuses with plain HTTP and
 * {"error": "..."}, as the realtime protocol wants it. */
void ws_handshake(ws_http_request *request);

#endif
