/* TLS between a connection and its socket: a link over another link.
 *
 * The connection writes plain bytes to it and is brought plain bytes; the socket has the records.
 * Nobody above knows. What the connection queues stays shared: a record is made of its bytes when
 * the socket is about to take it, up to 16 KiB of frames in one. Only the part of a last record
 * that the socket did not take is kept here, a copy that is this client's alone anyway; it counts
 * among what waits for all clients. As long as there is such a part one byte of its record counts
 * as not taken: so the connection sees that the socket is full, does not end before all is out, and
 * does not forget or replace a block that was begun. (Blocks are of two bytes and more.)
 *
 * A handshake is bounded by the deadline that the connection is born with. One that fails, or is
 * cut, is counted and told at level debug. No lock, no blocking call; one service thread. */
#ifndef WALCAST_WS_TLS_H
#define WALCAST_WS_TLS_H

#include "ws/service.h"
#include "ws/tls_context.h"

typedef struct ws_tls ws_tls;

extern const ws_link ws_tls_link;

/* A session with the service's present certificate over `socket` of `link`; it is the `socket` of
 * ws_tls_link. NULL when memory is out. */
CORE_MUST_CHECK ws_tls *ws_tls_new(ws_service *service, const ws_link *link, void *socket);
void ws_tls_free(ws_tls *tls);
/* The connection's; NULL: it has none. */
ws_tls *ws_tls_of(const ws_connection *connection);

/* ---- For the link below, instead of ws_connection_bytes and ws_connection_writable ---- */
void ws_tls_bytes(ws_connection *connection, const uint8_t *bytes, size_t length);
void ws_tls_writable(ws_connection *connection);

/* For tls_context.c: OpenSSL's BIO_METHOD of a session, or NULL. */
void *ws_tls_bio_new(void);

#endif
