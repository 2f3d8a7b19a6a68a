/* The way to a peer's socket, behind an interface: libwebsockets in the program (link_lws.c), TLS
 * over another link (tls.c), a buffer in the tests. A service thread owns its links; nothing here
 * is for another thread. */
#ifndef WALCAST_WS_LINK_H
#define WALCAST_WS_LINK_H

#include "core/core.h"

typedef struct {
    /* Sends of `length` bytes (at most WS_SEND_BYTES) what the socket takes at once, into `taken`;
     * nothing is kept. False: the peer is gone. */
    bool (*write)(void *socket, const uint8_t *bytes, size_t length, size_t *taken);
    /* Calls ws_connection_writable once, as soon as the socket takes bytes. */
    void (*want_writable)(void *socket);
    /* Reads on, or no longer: then the peer's bytes wait in the system until it sends no more. */
    void (*read)(void *socket, bool on);
    /* Tells the peer that no more will come; reading goes on. */
    void (*half_close)(void *socket);
    /* Closes; ws_connection_gone follows, perhaps later. */
    void (*kill)(void *socket);
} ws_link;

#endif
