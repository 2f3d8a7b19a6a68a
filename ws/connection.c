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
        (frame > WS_HTTP_HEAD_MAX ? frame : WS_HTTP_HEAD_MAX) + (size_t)3 * WS_READ_BYTES;
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
    ws_wheel_disarm(&connection->pause);
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
        if (connection->blocked)
            return;
        core_slice next = ws_queue_next(&connection->queue, service->gather, WS_SEND_BYTES);
        size_t taken = 0;
        if (!connection->link->write(connection->socket, next.data, next.length, &taken)) {
            ws_connection_kill(connection);
            return;
        }
        size_t blocks = ws_queue_advance(&connection->queue, taken);
        core_metrics_add(service->metrics, CORE_METRIC_WS_SENDS, 1);
        core_metrics_add(service->metrics, CORE_METRIC_WS_FRAMES_SENT, (int64_t)blocks);
        if (taken < next.length) {
            connection->blocked = true;
            connection->link->want_writable(connection->socket);
        }
    }
}

size_t ws_connection_cap(const ws_connection *connection) {
    const ws_service *service = connection->service;
    size_t cap = service->limits.queue_bytes;
    size_t total = service->limits.queue_total_bytes;
    if (!connection->blocked || total == 0)
        return cap;
    size_t held = atomic_load_explicit(&service->shared->held_bytes, memory_order_relaxed);
    size_t step = total / WS_TOTAL_STEPS + 1;
    size_t room = held < total ? (total - held) / step : 0; /* steps that are left */
    return room >= WS_TOTAL_STEPS_NEAR ? cap : cap / WS_TOTAL_STEPS_NEAR * room;
}

static bool connection_push(ws_connection *connection, core_block *block, size_t cap_bytes,
                            ws_row *row, uint64_t tag) {
    assert(block->length > 1); /* see tls.h */
    if (!ws_connection_open(connection))
        return true; /* it is ending: nobody waits for this any more */
    if (row == NULL ? !ws_queue_push(&connection->queue, block, cap_bytes)
                    : !ws_queue_push_row(&connection->queue, block, cap_bytes, row, tag))
        return false;
    core_block_charge(block, &connection->service->shared->held_bytes);
    ws_service_mark_dirty(connection->service, connection);
    return true;
}

/* A burst is no slowness: what the socket takes is sent before the cap is held against the peer. */
bool ws_connection_send(ws_connection *connection, core_block *block) {
    size_t half = connection->service->limits.queue_bytes / 2;
    if (ws_connection_open(connection) && connection->queue.bytes + block->length > half)
        connection_write(connection);
    return connection_push(connection, block, ws_connection_cap(connection), NULL, 0);
}

/* What waits below the mark stays in order as it came, so that a burst is not conflated. */
bool ws_connection_send_row(ws_connection *connection, core_block *block, ws_row *row,
                            uint64_t tag) {
    ws_queue *queue = &connection->queue;
    size_t mark = ws_connection_cap(connection) / WS_CONFLATE_PART;
    bool much = row != NULL && queue->bytes + block->length > mark;
    if (much && ws_connection_open(connection))
        connection_write(connection);
    if (!much || queue->bytes + block->length <= mark)
        return ws_connection_send(connection, block);
    size_t replaced = ws_queue_replace(queue, row, tag);
    core_metrics_add(connection->service->metrics, CORE_METRIC_WS_CONFLATED, (int64_t)replaced);
    return connection_push(connection, block, ws_connection_cap(connection), row, tag);
}

bool ws_connection_send_last(ws_connection *connection, core_block *block) {
    return connection_push(connection, block, SIZE_MAX, NULL, 0);
}

static void connection_linger(ws_connection *connection) {
    core_state_move(&connection->state, WS_CONNECTION_LINGERING);
    connection->link->half_close(connection->socket);
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
        connection_linger(connection);
}

void ws_connection_watch_drain(ws_connection *connection) {
    connection->watches_drain = true;
    ws_service_mark_dirty(connection->service, connection);
}

void ws_connection_writable(ws_connection *connection) {
    CORE_MAGIC_CHECK(connection, CONNECTION_MAGIC);
    connection->blocked = false;
    ws_connection_flush(connection);
}

static bool connection_paused(const ws_connection *connection) {
    return connection->pause.next != NULL;
}

void ws_connection_pause(ws_connection *connection, int64_t until_ms) {
    if (!ws_connection_open(connection) || connection_paused(connection))
        return;
    ws_wheel_arm(&connection->service->pauses, &connection->pause, until_ms);
    connection->link->read(connection->socket, false);
    core_metrics_add(connection->service->metrics, CORE_METRIC_WS_THROTTLED, 1);
}

void ws_connection_finish(ws_connection *connection) {
    if (!ws_connection_open(connection))
        return;
    core_state_move(&connection->state, WS_CONNECTION_FLUSHING);
    core_buffer_fini(&connection->pending);
    if (connection_paused(connection)) {
        ws_wheel_disarm(&connection->pause);
        connection->link->read(connection->socket, true); /* the peer's close must be seen */
    }
    ws_connection_set_deadline(connection, connection->service->now_ms + WS_LINGER_MS);
    ws_service_mark_dirty(connection->service, connection);
}

/* ---- In ---- */

/* Hands bytes to the handler, and to the next one where it switches, as long as they take some.
 * Returns how many were taken. */
static size_t connection_feed(ws_connection *connection, uint8_t *bytes, size_t length) {
    size_t used = 0;
    while (used < length && ws_connection_open(connection) && !connection_paused(connection)) {
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
    if (connection->pending.length > 0 || connection_paused(connection)) {
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

void ws_connection_pause_over(ws_connection *connection) {
    CORE_MAGIC_CHECK(connection, CONNECTION_MAGIC);
    ws_connection_resume(connection);
    if (ws_connection_open(connection) && !connection_paused(connection))
        connection->link->read(connection->socket, true);
    ws_connection_flush(connection);
}
