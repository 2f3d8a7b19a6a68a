/* A realtime session: what one connected client has joined, and the protocol spoken with it. */
#ifndef WALCAST_WS_SESSION_H
#define WALCAST_WS_SESSION_H

#include "ws/channel.h"
#include "ws/socket.h"

/* Makes the connection a WebSocket with a session on it. NULL when memory is out. */
CORE_MUST_CHECK ws_session *ws_session_new(ws_connection *connection, ws_protocol protocol,
                                           const auth_claims *claims);

/* ---- For the table ---- */
void ws_session_send(ws_session *session, core_block *frame);
/* The hub has made the channel a member. */
void ws_session_joined(ws_channel *channel);
/* The hub will not. Frees the channel. */
void ws_session_refused(ws_channel *channel, const char *reason);
/* Changes may have been missed: the client must join again. Frees the channel. */
void ws_session_reset(ws_channel *channel);

#endif
