/* See connection.h. Writes go straight to the socket when it takes them; only a socket that is full
 * is waited for. */
#include "ws/connection.h"

#include "ws/service.h"

#include <stdlib.h>

#define CONNECTION_MAGIC    0xc0bbec70u
#define CONNECTION_LOW_PART 16 /* of the queue's cap, at which it counts as drained */

static const core_state_row connection_states[] = {
    [WS_CONNECTION_OPEN] = {"open", CORE_STATE_BIT(WS_CONNECTION_FLUSHING) |
                                        CORE_STATE_BIT(WS_CONNECTION_DEAD)},
    [WS_CONNECTION_FLUSHING] = {"flushing", CORE_STATE_BIT(WS_CONNECTION_LINGERING) |
                                                CORE_STATE_BIT(WS_CONNECTION_DEAD)},
    [WS_CONNECTION_LINGERING] = {"lingering", CORE_STATE_BIT(WS_CONNECTION_DEAD)},
    [WS_CONNECTION_DEAD] = {"dead", 0},
};

ws_connection *ws_connection_new(ws_service *service, const ws_link *link, void *socket,
                                 const ws_handler *handler, void *handler_state) {
    ws_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->magic = CONNECTION_MAGIC;
    core_state_init(&connection->state, "ws connection", connection_states,
                    CORE_COUNT_OF(connection_states), WS_CONNECTION_OPEN);
    connection->service = service;
    connection->link = link;
    connection->socket = socket;
    connection->handler = handler;
    connection->handler_state = handler_state;
    size_t frame = service->limits.max_frame_bytes;
    size_t input =
        (frame > WS_HTTP_HEAD_MAX ? frame : WS_HTTP_HEAD_MAX) + (size_t)2 * WS_READ_BYTES;
    core_buffer_init(&connection->pending, input);
    ws_service_add(service, connection);
    return connection;
}

void ws_connection_gone(ws_connection *connection) {
    CORE_MAGIC_CHECK(connection, CONNECTION_MAGIC);
    if (connection->state.current != WS_CONNECTION_DEAD)
        core_state_move(&connection->state, WS_CONNECTION_DEAD);
    connection->handler->on_gone(connection);
    ws_wheel_disarm(&connection->deadline);
    ws_service_remove(connection->service, connection);
    ws_queue_fini(&connection->queue);
    core_buffer_fini(&connection->pending);
    connection->magic = 0;
    free(connection);
}

void ws_connection_switch(ws_connection *connection, const ws_handler *handler,
                          void *handler_state) {
    connection->handler = handler;
    connection->handler_state = handler_state;
}

void ws_connection_set_deadline(ws_connection *connection, int64_t deadline_ms) {
    if (connection->state.current != WS_CONNECTION_DEAD)
        ws_wheel_arm(&connection->service->wheel, &connection->deadline, deadline_ms);
}

void ws_connection_expired(ws_connection *connection, int64_t now_ms) {
    CORE_MAGIC_CHECK(connection, CONNECTION_MAGIC);
    if (ws_connection_open(connection))
        connection->handler->on_deadline(connection, now_ms);
    else
        ws_connection_kill(connection);
}

void ws_connection_kill(ws_connection *connection) {
    if (connection->state.current == WS_CONNECTION_DEAD)
        return;
    core_state_move(&connection->state, WS_CONNECTION_DEAD);
    connection->link->kill(connection->socket);
}

/* ---- Out ---- */

/* As much as the socket takes. */
static void connection_write(ws_connection *connection) {
    ws_service *service = connection->service;
    while (!ws_queue_empty(&connection->queue)) {
        if (connection->link->backlogged(connection->socket)) {
            connection->link->want_writable(connection->socket);
            return;
        }
        core_slice next = ws_queue_next(&connection->queue, service->gather, WS_SEND_BYTES);
        if (!connection->link->write(connection->socket, next.data, next.length)) {
            ws_connection_kill(connection);
            return;
        }
        size_t blocks = ws_queue_advance(&connection->queue, next.length);
        core_metrics_add(service->metrics, CORE_METRIC_WS_SENDS, 1);
        core_metrics_add(service->metrics, CORE_METRIC_WS_FRAMES_SENT, (int64_t)blocks);
    }
}

/* A burst is no slowness: what the socket takes is sent before the cap is held against the peer. */
static bool connection_push(ws_connection *connection, core_block *block) {
    size_t cap = connection->service->limits.queue_bytes;
    if (connection->queue.bytes + block->length > cap / 2)
        connection_write(connection);
    return !ws_connection_open(connection) || ws_queue_push(&connection->queue, block, cap);
}

bool ws_connection_send(ws_connection *connection, core_block *block) {
    if (!ws_connection_open(connection))
        return true; /* it is ending: nobody waits for this any more */
    if (!connection_push(connection, block))
        return false;
    ws_service_mark_dirty(connection->service, connection);
    return true;
}

static void connection_linger(ws_connection *connection) {
    core_state_move(&connection->state, WS_CONNECTION_LINGERING);
    connection->link->half_close(connection->socket);
}

static void connection_finish_flushing(ws_connection *connection) {
    if (connection->link->backlogged(connection->socket))
        connection->link->want_writable(connection->socket);
    else
        connection_linger(connection);
}

static void connection_tell_drained(ws_connection *connection) {
    size_t low = connection->service->limits.queue_bytes / CONNECTION_LOW_PART;
    if (!connection->watches_drain || connection->queue.bytes > low)
        return;
    connection->watches_drain = false;
    connection->handler->on_drained(connection);
}

void ws_connection_flush(ws_connection *connection) {
    unsigned state = connection->state.current;
    if (state != WS_CONNECTION_OPEN && state != WS_CONNECTION_FLUSHING)
        return;
    connection_write(connection);
    if (state == WS_CONNECTION_OPEN && ws_connection_open(connection))
        connection_tell_drained(connection);
    else if (connection->state.current == WS_CONNECTION_FLUSHING &&
             ws_queue_empty(&connection->queue))
        connection_finish_flushing(connection);
}

void ws_connection_watch_drain(ws_connection *connection) {
    connection->watches_drain = true;
    ws_service_mark_dirty(connection->service, connection);
}

void ws_connection_writable(ws_connection *connection) {
    CORE_MAGIC_CHECK(connection, CONNECTION_MAGIC);
    ws_connection_flush(connection);
}

void ws_connection_finish(ws_connection *connection) {
    if (!ws_connection_open(connection))
        return;
    core_state_move(&connection->state, WS_CONNECTION_FLUSHING);
    core_buffer_fini(&connection->pending);
    ws_connection_set_deadline(connection, connection->service->now_ms + WS_LINGER_MS);
    ws_service_mark_dirty(connection->service, connection);
}

/* ---- In ---- */

/* Hands bytes to the handler, and to the next one where it switches, as long as they take some.
 * Returns how many were taken. */
static size_t connection_feed(ws_connection *connection, uint8_t *bytes, size_t length) {
    size_t used = 0;
    while (used < length && ws_connection_open(connection)) {
        const ws_handler *handler = connection->handler;
        size_t taken = handler->on_bytes(connection, bytes + used, length - used);
        assert(taken <= length - used);
        used += taken;
        if (taken == 0 && handler == connection->handler)
            break;
    }
    return ws_connection_open(connection) ? used : length;
}

static void connection_feed_pending(ws_connection *connection) {
    core_buffer *pending = &connection->pending;
    size_t used = connection_feed(connection, pending->data, pending->length);
    if (!ws_connection_open(connection))
        return;
    if (used == pending->length) {
        core_buffer_fini(pending);
        return;
    }
    memmove(pending->data, pending->data + used, pending->length - used);
    pending->length -= used;
}

void ws_connection_resume(ws_connection *connection) {
    if (ws_connection_open(connection) && connection->pending.length > 0)
        connection_feed_pending(connection);
}

void ws_connection_bytes(ws_connection *connection, uint8_t *bytes, size_t length) {
    CORE_MAGIC_CHECK(connection, CONNECTION_MAGIC);
    if (!ws_connection_open(connection))
        return;
    if (connection->pending.length > 0) {
        core_buffer_append(&connection->pending, bytes, length);
        if (core_buffer_ok(&connection->pending))
            connection_feed_pending(connection);
        else /* handlers refuse before this; so memory is out */
            ws_connection_kill(connection);
    } else {
        size_t used = connection_feed(connection, bytes, length);
        if (used < length) {
            core_buffer_append(&connection->pending, bytes + used, length - used);
            if (!core_buffer_ok(&connection->pending))
                ws_connection_kill(connection);
        }
    }
    ws_connection_flush(connection);
}
