/* See socket.h. States: open; closing, when either side has sent a close frame. We close the TCP
 * side once both have, or after WS_LINGER_MS.
 *
 * Bad frames, and messages over the limit, close with the code that RFC 6455 7.4 has for them. */
#include "ws/socket.h"

#include "ws/deflate.h"
#include "ws/service.h"

#include <stdio.h>
#include <stdlib.h>

#define SOCKET_MAGIC 0x50c7e700u

struct ws_socket {
    uint32_t magic;
    bool closing;    /* our close frame is queued */
    bool deflate;    /* messages may be compressed, both ways */
    bool in_message; /* fragments of a message have come */
    bool message_binary, message_compressed;
    core_buffer message;    /* those fragments */
    size_t message_checked; /* bytes of it that are UTF-8 */
    size_t held;            /* bytes of messages not yet whole, as counted for all clients */
    ws_connection *connection;
    const ws_socket_owner *owner;
    void *context;
};

static ws_socket *socket_of(const ws_connection *connection) {
    ws_socket *socket = connection->handler_state;
    CORE_MAGIC_CHECK(socket, SOCKET_MAGIC);
    return socket;
}

ws_connection *ws_socket_connection(const ws_socket *socket) {
    return socket->connection;
}

bool ws_socket_open(const ws_socket *socket) {
    return !socket->closing && ws_connection_open(socket->connection);
}

static core_metrics *socket_metrics(const ws_socket *socket) {
    return socket->connection->service->metrics;
}

void ws_socket_set_deflate(ws_socket *socket) {
    assert(socket->connection->service->deflate != NULL);
    socket->deflate = true;
}

/* Counts what a message that is not whole keeps; false when all clients together keep too much. */
static bool socket_hold(ws_socket *socket, size_t bytes) {
    ws_service *service = socket->connection->service;
    size_t more = bytes - socket->held; /* modulo, as the counter is */
    if (more == 0)
        return true;
    bool grows = bytes > socket->held;
    socket->held = bytes;
    atomic_size_t *all = &service->shared->held_bytes;
    size_t total = atomic_fetch_add_explicit(all, more, memory_order_relaxed) + more;
    size_t limit = service->limits.queue_total_bytes;
    return !grows || limit == 0 || total <= limit || bytes <= WS_READ_BYTES;
}

static void socket_forget_message(ws_socket *socket) {
    core_buffer_fini(&socket->message);
    (void)socket_hold(socket, 0);
}

/* ---- Out ---- */

static void socket_close_with(ws_socket *socket, core_block *frame) {
    bool sent = frame != NULL && ws_connection_send_last(socket->connection, frame);
    core_block_release(frame);
    socket->closing = true;
    socket_forget_message(socket);
    ws_connection *connection = socket->connection;
    ws_connection_set_deadline(connection, connection->service->now_ms + WS_LINGER_MS);
    socket->owner->on_closing(socket->context);
    if (!sent)
        ws_connection_kill(connection);
}

void ws_socket_close(ws_socket *socket, unsigned code, const char *reason) {
    if (ws_socket_open(socket))
        socket_close_with(socket, ws_frame_close(code, reason));
}

static void socket_slow(ws_socket *socket) {
    ws_connection *connection = socket->connection;
    char reason[WS_CONTROL_FRAME_MAX];
    (void)snprintf(reason, sizeof reason,
                   "too slow: %zu bytes wait for you, at most %zu may; join again with since",
                   connection->queue.bytes, ws_connection_cap(connection));
    core_metrics_add(socket_metrics(socket), CORE_METRIC_WS_SLOW_CLOSED, 1);
    ws_queue_drop_unsent(&connection->queue);
    ws_socket_close(socket, WS_CLOSE_TRY_LATER, reason);
}

static core_block *socket_compress(ws_socket *socket, core_block *frame) {
    bool made;
    core_block *twin = ws_deflate_frame(socket->connection->service->deflate, frame, &made);
    if (made)
        core_metrics_add(socket_metrics(socket), CORE_METRIC_WS_COMPRESSED_FRAMES, 1);
    return twin;
}

void ws_socket_send_row(ws_socket *socket, core_block *frame, ws_row *row, uint64_t tag) {
    if (!ws_socket_open(socket))
        return;
    core_block *form = socket->deflate ? socket_compress(socket, frame) : frame;
    if (!ws_connection_send_row(socket->connection, form, row, tag))
        socket_slow(socket);
}

void ws_socket_send(ws_socket *socket, core_block *frame) {
    ws_socket_send_row(socket, frame, NULL, 0);
}

/* ---- In ---- */

static void socket_refuse(ws_socket *socket, unsigned code, const char *reason) {
    core_metrics_add(socket_metrics(socket),
                     code == WS_CLOSE_TOO_BIG ? CORE_METRIC_WS_OVERSIZE_CLOSED
                                              : CORE_METRIC_WS_MALFORMED_FRAMES,
                     1);
    ws_socket_close(socket, code, reason);
}

static void socket_deliver(ws_socket *socket, bool binary, core_slice payload) {
    if (!binary && !core_utf8_valid(payload))
        socket_refuse(socket, WS_CLOSE_INVALID, "the text is not UTF-8");
    else
        socket->owner->on_message(socket->context, binary, payload);
}

static void socket_deliver_compressed(ws_socket *socket, bool binary, core_slice payload) {
    ws_service *service = socket->connection->service;
    core_buffer message;
    core_buffer_init(&message, service->limits.max_frame_bytes);
    switch (ws_deflate_read(service->deflate, payload, &message)) {
    case WS_INFLATE_OK:
        socket_deliver(socket, binary, core_buffer_slice(&message));
        break;
    case WS_INFLATE_INVALID:
        socket_refuse(socket, WS_CLOSE_INVALID, "the message is not compressed as it says");
        break;
    case WS_INFLATE_TOO_BIG:
        socket_refuse(socket, WS_CLOSE_TOO_BIG, "the message is too long");
        break;
    case WS_INFLATE_NO_MEMORY:
        ws_socket_close(socket, WS_CLOSE_INTERNAL, "out of memory");
        break;
    }
    core_buffer_fini(&message);
}

static void socket_whole(ws_socket *socket, bool binary, bool compressed, core_slice payload) {
    if (compressed)
        socket_deliver_compressed(socket, binary, payload);
    else
        socket_deliver(socket, binary, payload);
}

/* What has come of a text can still become UTF-8. */
static bool socket_text_begins(ws_socket *socket) {
    size_t whole;
    core_slice all = core_buffer_slice(&socket->message);
    core_slice fresh =
        core_slice_make(all.data + socket->message_checked, all.length - socket->message_checked);
    bool fine = fresh.length == 0 || core_utf8_begins(fresh, &whole);
    if (fine && fresh.length > 0)
        socket->message_checked += whole;
    return fine;
}

static void socket_fragment(ws_socket *socket, const ws_frame_head *head, core_slice payload) {
    core_buffer_slice_append(&socket->message, payload);
    if (!core_buffer_ok(&socket->message)) {
        socket_refuse(socket, WS_CLOSE_TOO_BIG, "the message is too long");
        return;
    }
    if (!socket->message_binary && !socket->message_compressed && !socket_text_begins(socket)) {
        socket_refuse(socket, WS_CLOSE_INVALID, "the text is not UTF-8");
        return;
    }
    if (!head->final)
        return;
    core_buffer whole = socket->message;
    socket->in_message = false;
    core_buffer_init(&socket->message, whole.max_bytes);
    socket_whole(socket, socket->message_binary, socket->message_compressed,
                 core_buffer_slice(&whole));
    core_buffer_fini(&whole);
}

static void socket_data(ws_socket *socket, const ws_frame_head *head, core_slice payload) {
    bool continues = head->opcode == WS_FRAME_CONTINUATION;
    if (continues != socket->in_message) {
        socket_refuse(socket, WS_CLOSE_PROTOCOL, "fragments are out of order");
    } else if (!continues && head->final) {
        socket_whole(socket, head->opcode == WS_FRAME_BINARY, head->compressed, payload);
    } else {
        if (!continues) {
            socket->message_binary = head->opcode == WS_FRAME_BINARY;
            socket->message_compressed = head->compressed;
            socket->message_checked = 0;
        }
        socket->in_message = true;
        socket_fragment(socket, head, payload);
    }
}

static void socket_pong(ws_socket *socket, core_slice payload) {
    core_block *frame = ws_frame_block(WS_FRAME_PONG, &payload, 1);
    if (frame == NULL)
        ws_connection_kill(socket->connection);
    else
        ws_socket_send(socket, frame);
    core_block_release(frame);
}

/* The peer's close frame: answered with its own code, or complained of. */
static void socket_peer_closes(ws_socket *socket, core_slice payload) {
    core_cursor cursor = core_cursor_make(payload);
    unsigned code = core_cursor_u16(&cursor);
    core_slice reason = core_cursor_rest(&cursor);
    bool empty = payload.length == 0;
    if (socket->closing) {
        /* It answers ours. */
    } else if (!empty && (!core_cursor_ok(&cursor) || !ws_close_code_valid(code))) {
        socket_refuse(socket, WS_CLOSE_PROTOCOL, "the close code is not valid");
    } else if (!core_utf8_valid(reason)) {
        socket_refuse(socket, WS_CLOSE_INVALID, "the close reason is not UTF-8");
    } else if (empty) {
        socket_close_with(socket, ws_frame_block(WS_FRAME_CLOSE, NULL, 0));
    } else {
        ws_socket_close(socket, code, "");
    }
    ws_connection_finish(socket->connection);
}

static void socket_frame(ws_socket *socket, const ws_frame_head *head, core_slice payload) {
    switch (head->opcode) {
    case WS_FRAME_CLOSE:
        socket_peer_closes(socket, payload);
        break;
    case WS_FRAME_PING:
        socket_pong(socket, payload);
        break;
    case WS_FRAME_PONG:
        break;
    default:
        if (!socket->closing)
            socket_data(socket, head, payload);
        break;
    }
}

/* `bytes` of a frame have come and its rest has not. */
static void socket_wait(ws_socket *socket, size_t bytes) {
    if (!socket->closing && !socket_hold(socket, bytes + socket->message.length))
        ws_socket_close(socket, WS_CLOSE_TRY_LATER,
                        "too much waits for all clients together; try again later");
}

static size_t socket_bytes(ws_connection *connection, uint8_t *bytes, size_t length) {
    ws_socket *socket = socket_of(connection);
    ws_frame_head head;
    unsigned code;
    const char *reason;
    size_t max = connection->service->limits.max_frame_bytes;
    switch (ws_frame_read(core_slice_make(bytes, length), max, socket->deflate, &head, &code,
                          &reason)) {
    case WS_FRAME_PARTIAL:
        return 0;
    case WS_FRAME_REFUSED:
        socket_refuse(socket, code, reason);
        ws_connection_finish(connection); /* no telling where the next frame would begin */
        return length;
    case WS_FRAME_WHOLE:
        break;
    }
    if (length - head.header_bytes < head.payload_bytes) {
        socket_wait(socket, length);
        return 0;
    }
    uint8_t *payload = bytes + head.header_bytes;
    ws_frame_unmask(&head, payload);
    socket_frame(socket, &head, core_slice_make(payload, head.payload_bytes));
    socket_wait(socket, 0);
    return head.header_bytes + head.payload_bytes;
}

static void socket_deadline(ws_connection *connection, int64_t now_ms) {
    ws_socket *socket = socket_of(connection);
    if (socket->closing)
        ws_connection_kill(connection);
    else
        socket->owner->on_deadline(socket->context, now_ms);
}

static void socket_drained(ws_connection *connection) {
    ws_socket *socket = socket_of(connection);
    if (!socket->closing)
        socket->owner->on_drained(socket->context);
}

static size_t socket_recheck(ws_connection *connection) {
    ws_socket *socket = socket_of(connection);
    return socket->closing ? 0 : socket->owner->on_recheck(socket->context);
}

static void socket_gone(ws_connection *connection) {
    ws_socket *socket = socket_of(connection);
    if (!socket->closing)
        socket->owner->on_closing(socket->context);
    socket->owner->on_gone(socket->context);
    socket_forget_message(socket);
    socket->magic = 0;
    free(socket);
}

static const ws_handler socket_handler = {
    .on_bytes = socket_bytes,
    .on_deadline = socket_deadline,
    .on_drained = socket_drained,
    .on_recheck = socket_recheck,
    .on_gone = socket_gone,
};

ws_socket *ws_socket_of(ws_connection *connection) {
    return connection->handler == &socket_handler ? socket_of(connection) : NULL;
}

ws_socket *ws_socket_new(ws_connection *connection, const ws_socket_owner *owner, void *context) {
    ws_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL)
        return NULL;
    socket->magic = SOCKET_MAGIC;
    socket->connection = connection;
    socket->owner = owner;
    socket->context = context;
    core_buffer_init(&socket->message, connection->service->limits.max_frame_bytes);
    ws_connection_switch(connection, &socket_handler, socket);
    return socket;
}
