/* A service without a loop, and a link into memory, for tests of what sits on a connection. */
#ifndef WALCAST_TESTS_FAKE_LINK_H
#define WALCAST_TESTS_FAKE_LINK_H

#include "ws/service.h"

#include <stdlib.h>

typedef struct {
    core_buffer sent;
    bool full;     /* the socket takes nothing */
    bool not_read; /* reading is off */
    bool wants_writable, half_closed, killed;
    ws_connection *connection;
} fake_socket;

static bool fake_write(void *socket, const uint8_t *bytes, size_t length, size_t *taken) {
    fake_socket *fake = socket;
    *taken = fake->full ? 0 : length;
    core_buffer_append(&fake->sent, bytes, *taken);
    return true;
}

static void fake_read(void *socket, bool on) {
    ((fake_socket *)socket)->not_read = !on;
}

static void fake_want_writable(void *socket) {
    ((fake_socket *)socket)->wants_writable = true;
}

static void fake_half_close(void *socket) {
    ((fake_socket *)socket)->half_closed = true;
}

static void fake_kill(void *socket) {
    ((fake_socket *)socket)->killed = true;
}

static const ws_link fake_link = {.write = fake_write,
                                  .want_writable = fake_want_writable,
                                  .read = fake_read,
                                  .half_close = fake_half_close,
                                  .kill = fake_kill};

static inline void fake_service_init(ws_service *service, size_t queue_bytes) {
    ws_shared *shared = calloc(1, sizeof *shared);
    *service = (ws_service){.shared = shared,
                            .limits = {.max_connections = 10,
                                       .max_channels = 10,
                                       .max_frame_bytes = 4096,
                                       .queue_bytes = queue_bytes,
                                       .idle_timeout_ms = 60000},
                            .clock = core_clock_system(),
                            .now_ms = 1000,
                            .gather = malloc(WS_SEND_BYTES)};
    ws_wheel_init(&service->wheel, service->now_ms);
    ws_wheel_init(&service->pauses, service->now_ms);
}

/* Whatever became of the connections: the links close. */
static inline void fake_service_fini(ws_service *service) {
    while (service->connections != NULL)
        ws_connection_gone(service->connections);
    free(service->gather);
    free(service->shared);
}

static inline void fake_socket_init(fake_socket *socket) {
    *socket = (fake_socket){0};
    core_buffer_init(&socket->sent, 1 << 20);
}

/* Bytes come; the text is copied, since handlers may change it. */
static inline void fake_receive(fake_socket *socket, const void *bytes, size_t length) {
    uint8_t *copy = malloc(length + 1);
    memcpy(copy, bytes, length);
    ws_connection_bytes(socket->connection, copy, length);
    free(copy);
}

#endif
