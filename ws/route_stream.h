/* Streams of server-sent events that other rooms feed (core/route.h), on top of http_stream.h.
 *
 * The room's calls come from any thread and go to the service thread as posts; what the client has
 * not taken is counted where the room sees it, so that a room that holds back is never cut off for
 * a slow client. The stream ends with its credential, and with the server's drain. */
#ifndef WALCAST_WS_ROUTE_STREAM_H
#define WALCAST_WS_ROUTE_STREAM_H

#include "ws/http_stream.h"
#include "ws/identity.h"

/* A stream in the place of a reply, which waits under `handle`; the room has it. The service's
 * thread begins it with the next call. NULL: out of memory. Any thread. */
CORE_MUST_CHECK core_route_stream *ws_route_stream_new(ws_service *service, ws_http_handle handle);
/* The service's thread: answers the request with the stream. `identity` is retained. */
void ws_route_stream_begin(core_route_stream *stream, ws_identity *identity);

#endif
