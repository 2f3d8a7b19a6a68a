/* A WebSocket connection: messages in, frames out, the closing handshake.
 *
 * Sits on a connection as its handler; what the messages mean is the session's. A peer that does
 * not read is told so with 1013 once its queue's cap is reached, and closed. Text is checked as its
 * fragments come; a compressed message when it is whole. */
#ifndef WALCAST_WS_SOCKET_H
#define WALCAST_WS_SOCKET_H

#include "ws/connection.h"
#include "ws/frame.h"

typedef struct ws_socket ws_socket;

/* What the socket tells its owner. */
typedef struct {
    /* A whole message: text is valid UTF-8. */
    void (*on_message)(void *context, bool binary, core_slice payload);
    /* The socket's own time-outs set apart, the owner's deadline has passed. */
    void (*on_deadline)(void *context, int64_t now_ms);
    /* What waited for the client was sent, after ws_connection_watch_drain. */
    void (*on_drained)(void *context);
    /* A credential may have ended; how many were looked at. */
    size_t (*on_recheck)(void *context);
    /* No message will come any more, and none can be sent. Called once, before on_gone. */
    void (*on_closing)(void *context);
    /* The last call: free `context`. */
    void (*on_gone)(void *context);
} ws_socket_owner;

/* Makes the connection, so far another handler's, a WebSocket. The former handler's state is the
 * caller's. NULL when memory is out. */
CORE_MUST_CHECK ws_socket *ws_socket_new(ws_connection *connection, const ws_socket_owner *owner,
                                         void *context);
/* Queues a frame (a reference of its own). */
void ws_socket_send(ws_socket *socket, core_block *frame);
/* The same of a frame that may take a waiting one's place (connection.h). */
void ws_socket_send_row(ws_socket *socket, core_block *frame, ws_row *row, uint64_t tag);
/* Starts the closing handshake. */
void ws_socket_close(ws_socket *socket, unsigned code, const char *reason);
/* permessage-deflate was negotiated; the service has a ws_deflate. */
void ws_socket_set_deflate(ws_socket *socket);
bool ws_socket_open(const ws_socket *socket);
ws_connection *ws_socket_connection(const ws_socket *socket);
/* The socket of a connection; NULL when it is none. */
ws_socket *ws_socket_of(ws_connection *connection);

#endif
