/* /realtime/v1/sse: changes as server-sent events, for browsers' EventSource, curl -N, and anything
 * else that reads lines; docs/SSE.md is its users' side.
 *
 * A stream is a member of the hub's classes as a channel is, so streams that ask for the same share
 * one evaluation and one block. What is wrong before it begins is an RFC 9457 problem with the
 * right status; but EventSource gives up on every status that is not 200, and shows none to the
 * page. So to a client that accepts text/event-stream what may pass by itself (shutting down, too
 * many clients) is said by an event of a stream that ends at once, after which it connects again;
 * and so is history that is no longer held, which a page must hear of to load the rows anew. */
#ifndef WALCAST_WS_SSE_H
#define WALCAST_WS_SSE_H

#include "ws/http_stream.h"

void ws_sse_serve(ws_http_request *request);
/* The server drains: the stream ends, and tells its client when to come back. */
void ws_sse_drain(ws_stream *stream);

#endif
