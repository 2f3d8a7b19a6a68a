/* The floor of fan-out: a bare epoll loop that does nothing but pass frames on.
 *
 *   bench_epoll_server PORT FRAMES
 *
 * A WebSocket client of /pub publishes, every other one subscribes. What publishers send is kept in
 * a ring of ready frames, all of one size; each subscriber is a position in it. A subscriber is
 * sent FRAMES frames in each send, never fewer: with 10, whoever publishes sends multiples of ten.
 * There is no JSON, no channel, no limit, no timer. Runs until it is killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/fan_peer.h"
#include "bench/load/samples.h"
#include "bench/load/ws_wire.h"

#define FRAME_SIZE  (4 + FAN_PAYLOAD_SIZE)
#define RING_FRAMES 10000 /* a multiple of FRAMES: what is sent at once lies in one piece */
#define FRAMES_MAX  100
#define EVENTS      512
#define INPUT_SIZE  65536
#define BACKLOG     4096

typedef struct epoll_peer epoll_peer;
struct epoll_peer {
    int socket;
    bool upgraded, publishes, full;
    uint64_t frame; /* the next to send, counted from the first ever */
    size_t sent;    /* bytes of the send that was begun */
    size_t input_size;
    uint8_t *input;   /* the request, then a publisher's frames */
    epoll_peer *next; /* among the subscribers */
};

typedef struct {
    int epoll;
    int listen_socket;
    size_t frames; /* a send */
    epoll_peer *subscribers;
    uint64_t end; /* frames published */
    uint8_t ring[RING_FRAMES][FRAME_SIZE];
} epoll_server;

static void server_watch(const epoll_server *server, int operation, epoll_peer *peer, int socket,
                         uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = peer};
    if (epoll_ctl(server->epoll, operation, socket, &event) != 0)
        bench_fail("epoll_ctl: %m");
}

static void server_listen(epoll_server *server, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->listen_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->epoll < 0 || server->listen_socket < 0 ||
        setsockopt(server->listen_socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(server->listen_socket, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listen_socket, BACKLOG) != 0)
        bench_fail("cannot listen on 127.0.0.1:%d: %m", port);
    server_watch(server, EPOLL_CTL_ADD, NULL, server->listen_socket, EPOLLIN);
}

static void server_accept(const epoll_server *server) {
    int on = 1, fd = accept4(server->listen_socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    epoll_peer *peer = calloc(1, sizeof *peer);
    if (fd < 0 || peer == NULL || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (peer->input = malloc(INPUT_SIZE)) == NULL)
        bench_fail("cannot accept: %m");
    peer->socket = fd;
    server_watch(server, EPOLL_CTL_ADD, peer, fd, EPOLLIN);
}

static void server_remove(epoll_server *server, epoll_peer *gone) {
    epoll_peer **at = &server->subscribers;
    while (*at != NULL && *at != gone)
        at = &(*at)->next;
    if (*at != NULL)
        *at = gone->next;
    (void)close(gone->socket);
    free(gone->input);
    free(gone);
}

/* ---- In ---- */

static size_t peer_upgrade(epoll_server *server, epoll_peer *peer) {
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\n\r\n";
    const uint8_t *end = memmem(peer->input, peer->input_size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    peer->upgraded = true;
    peer->publishes = memcmp(peer->input, "GET /pub", 8) == 0;
    if (!peer->publishes) {
        peer->frame = server->end;
        peer->next = server->subscribers;
        server->subscribers = peer;
    }
    if (send(peer->socket, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
        bench_fail("cannot send: %m");
    return (size_t)(end + 4 - peer->input);
}

static size_t peer_publish(epoll_server *server, const uint8_t *bytes, size_t size) {
    bench_ws_head head;
    if (!bench_ws_head_read(bytes, size, &head) || size - head.head_size < head.length)
        return 0;
    if (head.length != FAN_PAYLOAD_SIZE)
        bench_fail("a message of %zu bytes, expected %d", head.length, FAN_PAYLOAD_SIZE);
    uint8_t *frame = server->ring[server->end++ % RING_FRAMES];
    size_t at = bench_ws_server_head(frame, BENCH_WS_TEXT, head.length);
    memcpy(frame + at, bytes + head.head_size, head.length);
    return head.head_size + head.length;
}

static void peer_read(epoll_server *server, epoll_peer *peer) {
    ssize_t got =
        recv(peer->socket, peer->input + peer->input_size, INPUT_SIZE - peer->input_size, 0);
    if (got <= 0) {
        server_remove(server, peer);
        return;
    }
    peer->input_size += (size_t)got;
    size_t used = peer->upgraded ? 0 : peer_upgrade(server, peer), taken = used;
    while (peer->publishes &&
           (taken = peer_publish(server, peer->input + used, peer->input_size - used)) > 0)
        used += taken;
    peer->input_size -= used;
    memmove(peer->input, peer->input + used, peer->input_size);
}

/* ---- Out ---- */

static void peer_send(const epoll_server *server, epoll_peer *peer) {
    const size_t whole = server->frames * FRAME_SIZE;
    if (server->end - peer->frame > RING_FRAMES)
        bench_fail("a subscriber is %d frames behind", RING_FRAMES);
    while (server->end - peer->frame >= server->frames) {
        const uint8_t *bytes = server->ring[peer->frame % RING_FRAMES];
        ssize_t sent = send(peer->socket, bytes + peer->sent, whole - peer->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return; /* gone: reading will tell */
        peer->sent += sent > 0 ? (size_t)sent : 0;
        if (peer->sent < whole) {
            peer->full = true;
            server_watch(server, EPOLL_CTL_MOD, peer, peer->socket, EPOLLIN | EPOLLOUT);
            return;
        }
        peer->frame += server->frames;
        peer->sent = 0;
    }
}

static void server_handle(epoll_server *server, const struct epoll_event *event) {
    epoll_peer *peer = event->data.ptr;
    if (peer == NULL) {
        server_accept(server);
        return;
    }
    if (event->events & EPOLLOUT) {
        peer->full = false;
        server_watch(server, EPOLL_CTL_MOD, peer, peer->socket, EPOLLIN);
    }
    if (event->events & ~(uint32_t)EPOLLOUT)
        peer_read(server, peer);
}

static void server_run(epoll_server *server) {
    struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(server->epoll, events, EVENTS, -1);
        for (int at = 0; at < count; at++)
            server_handle(server, &events[at]);
        for (epoll_peer *peer = server->subscribers; peer != NULL; peer = peer->next)
            if (!peer->full)
                peer_send(server, peer);
    }
}

int main(int argc, char **argv) {
    static epoll_server server;
    if (argc != 3)
        bench_fail("usage: bench_epoll_server PORT FRAMES");
    server.frames = (size_t)bench_number("FRAMES", argv[2], 1, FRAMES_MAX);
    if (RING_FRAMES % server.frames != 0)
        bench_fail("%d is no multiple of %zu FRAMES", RING_FRAMES, server.frames);
    server_listen(&server, (int)bench_number("PORT", argv[1], 1, 65535));
    server_run(&server);
}
