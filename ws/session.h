/* A realtime session: what one connected client has joined, and the protocol spoken with it. */
#ifndef WALCAST_WS_SESSION_H
#define WALCAST_WS_SESSION_H

#include "ws/channel.h"
#include "ws/socket.h"

/* Makes the connection a WebSocket with a session on it, of whom the handshake's key names, known
 * in records by the handshake's id. NULL when memory is out. */
CORE_MUST_CHECK ws_session *ws_session_new(ws_connection *connection, ws_protocol protocol,
                                           ws_identity *identity, core_slice request_id);

#endif
