/* See http_stream.h. States: open; closing, when the end was decided: the connection sends what
 * waits and goes. */
#include "ws/http_stream.h"

#include "ws/sse_event.h"

#include <stdio.h>
#include <stdlib.h>

#define STREAM_MAGIC 0x57e4a300u

struct ws_stream {
    uint32_t magic;
    bool closing;
    ws_connection *connection;
    const ws_stream_owner *owner;
    void *context;
    int64_t sent_ms;     /* when something was sent last */
    int64_t deadline_ms; /* the owner's */
};

static ws_stream *stream_of(const ws_connection *connection) {
    ws_stream *stream = connection->handler_state;
    CORE_MAGIC_CHECK(stream, STREAM_MAGIC);
    return stream;
}

static ws_service *stream_service(const ws_stream *stream) {
    return stream->connection->service;
}

ws_connection *ws_stream_connection(const ws_stream *stream) {
    return stream->connection;
}

bool ws_stream_open(const ws_stream *stream) {
    return !stream->closing && ws_connection_open(stream->connection);
}

/* ---- Out ---- */

static void stream_close(ws_stream *stream) {
    stream->closing = true;
    stream->owner->on_closing(stream->context);
}

void ws_stream_end(ws_stream *stream, core_block *last) {
    if (!ws_stream_open(stream))
        return;
    if (last != NULL && !ws_connection_send(stream->connection, last))
        ws_queue_drop_unsent(&stream->connection->queue); /* no room to say why */
    stream_close(stream);
    ws_connection_finish(stream->connection);
}

static void stream_slow(ws_stream *stream) {
    ws_connection *connection = stream->connection;
    char reason[160];
    (void)snprintf(reason, sizeof reason,
                   "too slow: %zu bytes wait for you, at most %zu may; go on from your last id",
                   connection->queue.bytes, connection->service->limits.queue_bytes);
    core_metrics_add(connection->service->metrics, CORE_METRIC_WS_SLOW_CLOSED, 1);
    ws_queue_drop_unsent(&connection->queue);
    core_block *problem = ws_sse_problem_block(WS_SSE_PROBLEM, 429, reason, 0);
    ws_stream_end(stream, problem);
    core_block_release(problem);
}

/* The earlier of the next beat and the owner's deadline. */
static void stream_rearm(ws_stream *stream) {
    int64_t beat_ms = stream->sent_ms + WS_STREAM_BEAT_MS;
    ws_connection_set_deadline(stream->connection,
                               stream->deadline_ms < beat_ms ? stream->deadline_ms : beat_ms);
}

void ws_stream_send_row(ws_stream *stream, core_block *events, ws_row *row, uint64_t tag) {
    if (!ws_stream_open(stream))
        return;
    stream->sent_ms = stream_service(stream)->now_ms; /* the deadline finds out when it fires */
    if (!ws_connection_send_row(stream->connection, events, row, tag))
        stream_slow(stream);
}

void ws_stream_send(ws_stream *stream, core_block *events) {
    ws_stream_send_row(stream, events, NULL, 0);
}

void ws_stream_set_deadline(ws_stream *stream, int64_t deadline_ms) {
    stream->deadline_ms = deadline_ms;
    if (ws_stream_open(stream))
        stream_rearm(stream);
}

/* Behind what a client has not read yet a beat would say nothing. */
static void stream_beat(ws_stream *stream, int64_t now_ms) {
    stream->sent_ms = now_ms;
    if (!ws_queue_empty(&stream->connection->queue))
        return;
    core_block *beat = stream->owner->on_beat(stream->context);
    if (beat == NULL)
        beat = ws_sse_heartbeat_block();
    if (beat != NULL)
        ws_stream_send(stream, beat);
    core_block_release(beat);
}

/* ---- In ---- */

static size_t stream_bytes(ws_connection *connection, uint8_t *bytes, size_t length) {
    (void)connection;
    (void)bytes;
    return length;
}

static void stream_deadline(ws_connection *connection, int64_t now_ms) {
    ws_stream *stream = stream_of(connection);
    if (stream->deadline_ms <= now_ms) {
        stream->deadline_ms = INT64_MAX;
        stream->owner->on_deadline(stream->context, now_ms);
    }
    if (!ws_stream_open(stream))
        return;
    if (now_ms - stream->sent_ms >= WS_STREAM_BEAT_MS)
        stream_beat(stream, now_ms);
    if (ws_stream_open(stream))
        stream_rearm(stream);
}

static void stream_drained(ws_connection *connection) {
    ws_stream *stream = stream_of(connection);
    if (!stream->closing)
        stream->owner->on_drained(stream->context);
}

static size_t stream_recheck(ws_connection *connection) {
    ws_stream *stream = stream_of(connection);
    return stream->closing ? 0 : stream->owner->on_recheck(stream->context);
}

static void stream_gone(ws_connection *connection) {
    ws_stream *stream = stream_of(connection);
    if (!stream->closing)
        stream_close(stream);
    stream->owner->on_gone(stream->context);
    stream->magic = 0;
    free(stream);
}

static const ws_handler stream_handler = {
    .on_bytes = stream_bytes,
    .on_deadline = stream_deadline,
    .on_drained = stream_drained,
    .on_recheck = stream_recheck,
    .on_gone = stream_gone,
};

ws_stream *ws_stream_of(ws_connection *connection) {
    return connection->handler == &stream_handler ? stream_of(connection) : NULL;
}

ws_stream *ws_stream_new(ws_service *service, ws_http_handle handle, const ws_stream_owner *owner,
                         void *context) {
    ws_connection *connection = ws_http_wait_find(service, handle);
    ws_stream *stream = connection != NULL ? calloc(1, sizeof *stream) : NULL;
    if (stream == NULL)
        return NULL;
    *stream = (ws_stream){.magic = STREAM_MAGIC,
                          .connection = connection,
                          .owner = owner,
                          .context = context,
                          .sent_ms = service->now_ms,
                          .deadline_ms = INT64_MAX};
    ws_http_become(service, handle, "text/event-stream", WS_SSE_HEADERS, &stream_handler, stream);
    if (ws_stream_open(stream))
        stream_rearm(stream);
    return stream;
}
