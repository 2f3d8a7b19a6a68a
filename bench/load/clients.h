/* Many WebSocket clients on one thread, that cost next to nothing: what is measured is the server.
 *
 * A set of connections to 127.0.0.1:PORT under one epoll. Bytes are read into one buffer for all;
 * only the beginning of a frame whose end has not come is kept at its client. Each frame is handed
 * over where it lies. Any failure (a refused handshake, a closed connection, a frame larger than
 * the buffer) ends the program: a measurement that lost somebody is none. */
#ifndef WALCAST_BENCH_CLIENTS_H
#define WALCAST_BENCH_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int socket; /* -1: not opened yet */
    bool upgraded;
    uint32_t rest_size, rest_capacity;
    char *rest; /* the beginning of a frame */
} bench_client;

typedef struct bench_clients bench_clients;

typedef struct {
    /* The handshake succeeded. */
    void (*upgraded)(bench_clients *clients, size_t index);
    /* A whole frame came, of any kind but a ping. */
    void (*frame)(bench_clients *clients, size_t index, unsigned kind, char *payload, size_t size);
    /* The server closed it; it may be opened again. NULL: that ends the program. */
    void (*closed)(bench_clients *clients, size_t index);
} bench_clients_handler;

struct bench_clients {
    bench_client *all;
    size_t count;
    size_t opened; /* [0, opened) are connected, handshake or not */
    int epoll;
    int port;
    int64_t received_us; /* when the bytes that are handed over came */
    const bench_clients_handler *handler;
    void *context; /* the program's */
    char *buffer;
};

void bench_clients_init(bench_clients *clients, size_t count, int port,
                        const bench_clients_handler *handler, void *context);
/* Connects the next client and asks for the upgrade. */
void bench_clients_open_next(bench_clients *clients, const char *target);
/* One frame with this payload; waits until the socket took it. */
void bench_clients_send(bench_clients *clients, size_t index, unsigned kind, const char *payload,
                        size_t size);
/* Waits at most `timeout_ms` for input and handles what came. False when nothing did. */
bool bench_clients_wait(bench_clients *clients, int timeout_ms);
void bench_clients_fini(bench_clients *clients);

/* Bytes to a socket, waiting until it took them all. */
void bench_send_all(int socket, const void *bytes, size_t size);

#endif
