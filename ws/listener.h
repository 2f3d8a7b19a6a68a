/* Listening sockets on one address: one for each service thread. */
#ifndef WALCAST_WS_LISTENER_H
#define WALCAST_WS_LISTENER_H

#include "ws/limits.h"

#define WS_ADDRESS_SIZE 300

/* Binds `listen` ("HOST:PORT", "[V6]:PORT") `count` times into `sockets`; nothing else than that
 * address is bound. `address` gets what it is, with the real port. CONFIG error that names the
 * address; then nothing is left open. */
CORE_MUST_CHECK bool ws_listener_open(const char *listen, int *sockets, size_t count,
                                      char address[WS_ADDRESS_SIZE], core_error *error);

#endif
