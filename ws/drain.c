/* See drain.h. Clients of supabase-js come back after a fixed second, so the batches alone spread
 * them; those that read the close reason are told apart within a batch too. */
#include "ws/drain.h"

#include "ws/server.h"
#include "ws/socket.h"
#include "ws/sse.h"

#include <stdio.h>

size_t ws_drain_batch(size_t left, int64_t left_ms) {
    int64_t steps = left_ms / WS_WHEEL_STEP_MS + 1;
    if (steps < 1)
        return left;
    size_t even = (left + (size_t)steps - 1) / (size_t)steps;
    size_t batch = even > WS_DRAIN_STEP_CLOSES ? even : WS_DRAIN_STEP_CLOSES;
    return batch < left ? batch : left;
}

/* A client that stays until it is told to go: a WebSocket, or a stream of server-sent events. */
static bool drain_is_client(ws_connection *connection) {
    const ws_socket *socket = ws_socket_of(connection);
    const ws_stream *stream = ws_stream_of(connection);
    return (socket != NULL && ws_socket_open(socket)) || (stream != NULL && ws_stream_open(stream));
}

static void drain_close(ws_service *service, ws_socket *socket) {
    char reason[WS_CONTROL_FRAME_MAX];
    unsigned jitter_ms = service->drain.closed++ * 37 % WS_DRAIN_JITTER_MS;
    (void)snprintf(reason, sizeof reason, "this server is shutting down; retry after %u ms",
                   WS_DRAIN_HINT_MS + jitter_ms);
    ws_socket_close(socket, WS_CLOSE_RESTART, reason);
}

static void drain_end(ws_service *service, ws_connection *connection) {
    ws_socket *socket = ws_socket_of(connection);
    if (socket != NULL)
        drain_close(service, socket);
    else
        ws_sse_drain(ws_stream_of(connection));
}

/* Something is on its way to or from a client that is no WebSocket: those are counted apart. */
static bool drain_is_busy(ws_connection *connection) {
    const ws_handler *handler = connection->handler;
    return ws_socket_of(connection) == NULL &&
           (!ws_queue_empty(&connection->queue) || connection->pending.length > 0 ||
            (handler->busy != NULL && handler->busy(connection)));
}

static size_t drain_count(const ws_service *service, bool *busy) {
    size_t clients = 0;
    *busy = false;
    for (ws_connection *connection = service->connections; connection != NULL;
         connection = connection->next) {
        clients += drain_is_client(connection);
        *busy = *busy || drain_is_busy(connection);
    }
    return clients;
}

void ws_drain_step(ws_service *service) {
    if (!service->drain.begun)
        return;
    bool busy;
    size_t left = drain_count(service, &busy);
    size_t batch = ws_drain_batch(left, service->drain.ends_ms - service->now_ms);
    ws_connection *connection = service->connections;
    while (batch > 0 && connection != NULL) {
        ws_connection *next = connection->next;
        if (drain_is_client(connection)) {
            drain_end(service, connection);
            batch--;
            left--;
        }
        connection = next;
    }
    atomic_store(&service->drain.idle, !busy && left == 0);
    ws_service_flush(service);
}

void ws_drain_begin(ws_service *service) {
    if (service->drain.begun || !ws_server_draining(service->server))
        return;
    service->drain.begun = true;
    service->drain.ends_ms = service->now_ms + service->limits.drain_spread_ms;
    ws_drain_step(service);
}
