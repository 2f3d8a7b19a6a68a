/* A receiver of webhooks that costs next to nothing: one thread, one epoll loop, no JSON.
 *
 *   bench_webhook_receiver ROWS KEYS
 *
 * Listens on a free port of 127.0.0.1 and prints `ready PORT`. Every POST whose body holds
 * `"id":N` and `"customer":K` is row N of key K and answered 200 at once, all that one recv()
 * brought with one time; one to /hang is read, counted and never answered. Rows of a key must come
 * in the order of their ids, each once: a measure of anything else is none.
 *
 * When rows 1 to ROWS have come it prints `done SECONDS HUNG`, the processor time since the first
 * of them and how many requests hang, holds the connections until its input ends, and prints `id
 * received_us` lines. Fails after SILENCE_MS without a request once the first has come. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/samples.h"

#define BACKLOG    4096
#define EVENTS     256
#define INPUT_SIZE 65536
#define SILENCE_MS 60000

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

typedef struct {
    int socket;
    size_t size;
    char input[INPUT_SIZE];
} hook_peer;

typedef struct {
    int epoll, listener;
    bench_arrivals arrivals;
    int64_t *last; /* id, by key */
    int64_t keys;
    int64_t hung;
    clock_t began;
    size_t missing;
} hook_receiver;

static void watch(const hook_receiver *receiver, hook_peer *peer, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(receiver->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_fail("epoll_ctl: %m");
}

static unsigned receiver_listen(hook_receiver *receiver) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    receiver->epoll = epoll_create1(EPOLL_CLOEXEC);
    receiver->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receiver->epoll < 0 || receiver->listener < 0 ||
        bind(receiver->listener, (struct sockaddr *)&address, length) != 0 ||
        listen(receiver->listener, BACKLOG) != 0 ||
        getsockname(receiver->listener, (struct sockaddr *)&address, &length) != 0)
        bench_fail("cannot listen on 127.0.0.1: %m");
    watch(receiver, NULL, receiver->listener);
    return ntohs(address.sin_port);
}

static void receiver_accept(const hook_receiver *receiver) {
    int on = 1, fd = accept4(receiver->listener, NULL, NULL, SOCK_CLOEXEC);
    hook_peer *peer = malloc(sizeof *peer);
    if (fd < 0 || peer == NULL || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        bench_fail("cannot accept: %m");
    peer->socket = fd;
    peer->size = 0;
    watch(receiver, peer, fd);
}

static void row_take(hook_receiver *receiver, const char *body, size_t length, int64_t now_us) {
    int64_t id, key;
    if (!bench_number_after(body, length, "\"id\":", &id) ||
        !bench_number_after(body, length, "\"customer\":", &key) || key < 0 ||
        key >= receiver->keys)
        bench_fail("a body without id and customer: %.*s", (int)length, body);
    if (receiver->last[key] > id)
        bench_fail("row %lld of key %lld came behind row %lld", (long long)id, (long long)key,
                   (long long)receiver->last[key]);
    receiver->last[key] = id;
    if (receiver->arrivals.count == 0)
        receiver->began = clock();
    receiver->missing = bench_arrivals_add(&receiver->arrivals, id, now_us);
}

/* The first request of the input, or nothing when it is not whole. Returns its size. */
static size_t request_take(hook_receiver *receiver, const hook_peer *peer, int64_t now_us) {
    static const char hang[] = "POST /hang ";
    int64_t length = 0;
    const char *end = memmem(peer->input, peer->size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t head = (size_t)(end + 4 - peer->input);
    if (!bench_number_after(peer->input, head, "\r\nContent-Length: ", &length) &&
        !bench_number_after(peer->input, head, "\r\ncontent-length: ", &length))
        bench_fail("a request without a length: %.*s", (int)head, peer->input);
    if ((uint64_t)length > INPUT_SIZE - head)
        bench_fail("a body of %lld bytes", (long long)length);
    if (peer->size - head < (size_t)length)
        return 0;
    if (memcmp(peer->input, hang, sizeof hang - 1) == 0) {
        receiver->hung++;
        return head + (size_t)length;
    }
    row_take(receiver, peer->input + head, (size_t)length, now_us);
    if (send(peer->socket, answer, sizeof answer - 1, MSG_NOSIGNAL) != (ssize_t)sizeof answer - 1)
        bench_fail("cannot answer: %m");
    return head + (size_t)length;
}

static void peer_read(hook_receiver *receiver, hook_peer *peer) {
    ssize_t got = recv(peer->socket, peer->input + peer->size, INPUT_SIZE - peer->size, 0);
    if (got <= 0) {
        (void)close(peer->socket);
        free(peer);
        return;
    }
    peer->size += (size_t)got;
    int64_t now_us = bench_now_us();
    size_t used = 0;
    while ((used = request_take(receiver, peer, now_us)) > 0) {
        peer->size -= used;
        memmove(peer->input, peer->input + used, peer->size);
    }
}

static void receiver_run(hook_receiver *receiver) {
    struct epoll_event events[EVENTS];
    while (receiver->missing > 0) {
        int wait_ms = receiver->arrivals.count > 0 ? SILENCE_MS : -1;
        int count = epoll_wait(receiver->epoll, events, EVENTS, wait_ms);
        if (count == 0)
            bench_fail("%zu rows did not come", receiver->missing);
        for (int at = 0; at < count; at++)
            if (events[at].data.ptr == NULL)
                receiver_accept(receiver);
            else
                peer_read(receiver, events[at].data.ptr);
    }
}

int main(int argc, char **argv) {
    hook_receiver receiver = {0};
    if (argc != 3)
        bench_fail("usage: bench_webhook_receiver ROWS KEYS");
    receiver.missing = (size_t)bench_number("ROWS", argv[1], 1, 100000000);
    receiver.keys = bench_number("KEYS", argv[2], 1, 100000000);
    receiver.last = calloc((size_t)receiver.keys, sizeof receiver.last[0]);
    if (receiver.last == NULL)
        bench_fail("no memory for %lld keys", (long long)receiver.keys);
    bench_arrivals_init(&receiver.arrivals, receiver.missing);
    printf("ready %u\n", receiver_listen(&receiver));
    (void)fflush(stdout);
    receiver_run(&receiver);
    printf("done %.6f %lld\n", (double)(clock() - receiver.began) / CLOCKS_PER_SEC,
           (long long)receiver.hung);
    (void)fflush(stdout);
    while (getchar() != EOF)
        continue;
    bench_arrivals_finish(&receiver.arrivals, 1);
    free(receiver.last);
    return 0;
}
