/* See clients.h. */
#include "bench/load/clients.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/samples.h"
#include "bench/load/ws_wire.h"

#define BUFFER_SIZE (1 << 20)
#define EVENTS      512
#define REQUEST_MAX 8192
#define PORTS_ADDRESS                                                                              \
    4000 /* connections from one source address: the search for a free port is slow */

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

void bench_clients_init(bench_clients *clients, size_t count, int port,
                        const bench_clients_handler *handler, void *context) {
    *clients =
        (bench_clients){.count = count, .port = port, .handler = handler, .context = context};
    clients->all = calloc(count, sizeof clients->all[0]);
    clients->buffer = malloc(BUFFER_SIZE);
    clients->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (clients->all == NULL || clients->buffer == NULL || clients->epoll < 0)
        bench_fail("no memory for %zu clients", count);
    for (size_t index = 0; index < count; index++)
        clients->all[index].socket = -1;
}

void bench_clients_fini(bench_clients *clients) {
    for (size_t index = 0; index < clients->opened; index++) {
        if (clients->all[index].socket >= 0)
            (void)close(clients->all[index].socket);
        free(clients->all[index].rest);
    }
    (void)close(clients->epoll);
    free(clients->all);
    free(clients->buffer);
}

void bench_send_all(int socket, const void *bytes, size_t size) {
    for (const char *at = bytes; size > 0;) {
        ssize_t sent = send(socket, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            bench_fail("cannot send to the server: %m");
        at += sent;
        size -= (size_t)sent;
    }
}

/* Source addresses from 127.0.0.1 on, since one has fewer ports than some loads have clients. */
static int client_connect(size_t index, int port) {
    struct sockaddr_in source = {.sin_family = AF_INET};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(index / PORTS_ADDRESS));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&source, sizeof source) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        bench_fail("client %zu cannot connect to 127.0.0.1:%d: %m", index, port);
    return fd;
}

void bench_clients_open_next(bench_clients *clients, const char *target) {
    size_t index = clients->opened++;
    bench_client *client = &clients->all[index];
    char request[REQUEST_MAX];
    size_t length = bench_ws_request(request, sizeof request, target, clients->port);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
    client->socket = client_connect(index, clients->port);
    if (epoll_ctl(clients->epoll, EPOLL_CTL_ADD, client->socket, &event) != 0)
        bench_fail("client %zu cannot be watched: %m", index);
    bench_send_all(client->socket, request, length);
}

void bench_clients_send(bench_clients *clients, size_t index, unsigned kind, const char *payload,
                        size_t size) {
    uint8_t head[BENCH_WS_HEAD_MAX];
    size_t head_size = bench_ws_client_head(head, kind, size);
    int socket = clients->all[index].socket;
    bench_send_all(socket, head, head_size);
    bench_send_all(socket, payload, size);
}

/* ---- In ---- */

static size_t client_upgrade(bench_clients *clients, size_t index, const char *bytes, size_t size) {
    const char *end = memmem(bytes, size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    if (memmem(bytes, (size_t)(end - bytes), " 101 ", 5) == NULL)
        bench_fail("client %zu: handshake refused: %.*s", index, (int)size, bytes);
    clients->all[index].upgraded = true;
    clients->handler->upgraded(clients, index);
    return (size_t)(end + 4 - bytes);
}

/* Hands over the frame at the beginning of `bytes`. Returns how much it took, 0 while a part of it
 * is missing. */
static size_t client_frame(bench_clients *clients, size_t index, char *bytes, size_t size) {
    bench_ws_head head;
    if (!bench_ws_head_read((const uint8_t *)bytes, size, &head) ||
        size - head.head_size < head.length)
        return 0;
    if (head.kind != BENCH_WS_PING)
        clients->handler->frame(clients, index, head.kind, bytes + head.head_size, head.length);
    return head.head_size + head.length;
}

static void client_keep(bench_client *client, const char *bytes, size_t size) {
    if (size > client->rest_capacity) {
        client->rest = realloc(client->rest, size * 2);
        client->rest_capacity = (uint32_t)(size * 2);
        if (client->rest == NULL)
            bench_fail("no memory for a frame's beginning");
    }
    if (size > 0)
        memcpy(client->rest, bytes, size);
    client->rest_size = (uint32_t)size;
}

static void client_closed(bench_clients *clients, size_t index) {
    bench_client *client = &clients->all[index];
    (void)close(client->socket);
    free(client->rest);
    *client = (bench_client){.socket = -1};
    clients->handler->closed(clients, index);
}

static void client_read(bench_clients *clients, size_t index) {
    bench_client *client = &clients->all[index];
    size_t size = client->rest_size, used = 0, taken;
    if (size == BUFFER_SIZE)
        bench_fail("client %zu: a frame of more than %d bytes", index, BUFFER_SIZE);
    if (size > 0)
        memcpy(clients->buffer, client->rest, size);
    ssize_t got = recv(client->socket, clients->buffer + size, BUFFER_SIZE - size, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0 && clients->handler->closed != NULL) {
        client_closed(clients, index);
        return;
    }
    if (got <= 0)
        bench_fail("client %zu: the server closed the connection: %s", index,
                   got < 0 ? strerror(errno) : "end of stream");
    clients->received_us = bench_now_us();
    size += (size_t)got;
    do {
        char *bytes = clients->buffer + used;
        taken = client->upgraded ? client_frame(clients, index, bytes, size - used)
                                 : client_upgrade(clients, index, bytes, size - used);
        used += taken;
    } while (taken > 0);
    client_keep(client, clients->buffer + used, size - used);
}

bool bench_clients_wait(bench_clients *clients, int timeout_ms) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(clients->epoll, events, EVENTS, timeout_ms);
    if (count < 0 && errno != EINTR)
        bench_fail("epoll_wait: %m");
    for (int at = 0; at < count; at++)
        client_read(clients, (size_t)events[at].data.u64);
    return count > 0;
}
