/* A response that goes on: server-sent events to one client, until either side ends it.
 *
 * Sits on a connection as its handler, in place of http.h's, once a deferred request was answered
 * with a stream. The body ends with the connection: its bytes are then the events alone, the same
 * for HTTP/1.0 and 1.1, and shared by all clients; who wants to know whether it got all compares
 * ids, not lengths. What the client sends meanwhile is dropped. When nothing was sent for
 * WS_STREAM_BEAT_MS a comment is. A client that does not read is told so by a `problem`, where that
 * still fits, once its queue's cap is reached, and the stream ends: it goes on from its last id. */
#ifndef WALCAST_WS_HTTP_STREAM_H
#define WALCAST_WS_HTTP_STREAM_H

#include "ws/http.h"

/* Proxies that would gather (nginx), keep or change the events are asked not to. */
#define WS_SSE_HEADERS "Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n"

typedef struct ws_stream ws_stream;

/* What the stream tells its owner. */
typedef struct {
    /* What ws_stream_set_deadline set has passed. */
    void (*on_deadline)(void *context, int64_t now_ms);
    /* Nothing was sent for a while: what to send, a reference of the stream's; NULL: a comment. */
    core_block *(*on_beat)(void *context);
    /* What waited for the client was sent, after ws_connection_watch_drain. */
    void (*on_drained)(void *context);
    /* A credential may have ended; how many were looked at. */
    size_t (*on_recheck)(void *context);
    /* Nothing can be sent any more. Called once, before on_gone. */
    void (*on_closing)(void *context);
    /* The last call: free `context`. */
    void (*on_gone)(void *context);
} ws_stream_owner;

/* Answers the deferred request with a stream. NULL, with the request still waiting, when memory is
 * out; NULL also when nobody waits any more. */
CORE_MUST_CHECK ws_stream *ws_stream_new(ws_service *service, ws_http_handle handle,
                                         const ws_stream_owner *owner, void *context);
/* Queues whole events (a reference of its own). */
void ws_stream_send(ws_stream *stream, core_block *events);
/* The same of events that may take waiting ones' place (connection.h). */
void ws_stream_send_row(ws_stream *stream, core_block *events, ws_row *row, uint64_t tag);
/* Sends what waits, and `last` (a reference of its own; NULL: nothing more), then ends. */
void ws_stream_end(ws_stream *stream, core_block *last);
/* Of the owner; INT64_MAX: none. */
void ws_stream_set_deadline(ws_stream *stream, int64_t deadline_ms);
bool ws_stream_open(const ws_stream *stream);
ws_connection *ws_stream_connection(const ws_stream *stream);
/* The stream of a connection; NULL when it is none. */
ws_stream *ws_stream_of(ws_connection *connection);

#endif
