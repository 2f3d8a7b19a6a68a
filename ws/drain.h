/* The end of a service thread's connections: sockets are closed in batches, spread over
 * ws.drain_spread, so that their clients do not all come to another server at once; HTTP requests
 * that are under way are answered. */
#ifndef WALCAST_WS_DRAIN_H
#define WALCAST_WS_DRAIN_H

#include "ws/service.h"

/* How many of `left` sockets go now, so that the last go at the end; a few always do. */
size_t ws_drain_batch(size_t left, int64_t left_ms);
/* The server drains: closes the first batch. Does nothing where it does not, or has begun. */
void ws_drain_begin(ws_service *service);
/* At each tick: the next batch. */
void ws_drain_step(ws_service *service);

#endif
