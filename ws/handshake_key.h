/* Sec-WebSocket-Accept (RFC 6455 4.2.2). */
#ifndef WALCAST_WS_HANDSHAKE_KEY_H
#define WALCAST_WS_HANDSHAKE_KEY_H

#include "core/core.h"

#define WS_ACCEPT_SIZE 32

/* For a Sec-WebSocket-Key of at most 64 bytes. */
CORE_MUST_CHECK bool ws_handshake_accept(core_slice key, char accept[WS_ACCEPT_SIZE]);

#endif
