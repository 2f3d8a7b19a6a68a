/* The way to a peer's socket, behind an interface: libwebsockets in the program (link_lws.c), a
 * buffer in the tests. A service thread owns its links; nothing here is for another thread. */
#ifndef WALCAST_WS_LINK_H
#define WALCAST_WS_LINK_H

#include "core/core.h"

typedef struct {
    /* Sends `length` bytes (at most WS_SEND_BYTES); what the socket does not take at once is kept
     * and sent by itself. False: the peer is gone, the link closes. */
    bool (*write)(void *socket, const uint8_t *bytes, size_t length);
    /* True while kept bytes wait: writing more would only pile up. */
    bool (*backlogged)(void *socket);
    /* Calls ws_connection_writable once, as soon as the socket takes bytes. */
    void (*want_writable)(void *socket);
    /* Tells the peer that no more will come; reading goes on. */
    void (*half_close)(void *socket);
    /* Closes; ws_connection_gone follows, perhaps later. */
    void (*kill)(void *socket);
} ws_link;

#endif
