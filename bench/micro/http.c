/* How many requests the HTTP client sends to one local receiver, beside a bare loop of sockets that
 * writes the same bytes.
 *
 *   micro_http REQUESTS IN_FLIGHT BODY_BYTES
 *
 * The receiver is a thread of this program that answers "200" to whatever ends with the body that
 * it expects, so both share its cost. Prints requests/s and our own processor time a request of
 * both, and their ratio. Each completion sends the next request, as a worker does. */
#include "bench/load/samples.h"
#include "net/net.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, HEAD_MAX = 2048 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

typedef struct {
    int listener, epoll;
    unsigned port;
    char *received[65536]; /* by descriptor */
    size_t lengths[65536];
    size_t body;
} receiver;

/* ---- The receiver ---- */

static int socket_new(void) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        bench_fail("no socket");
    return fd;
}

static void receiver_open(receiver *r, size_t body) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    r->body = body;
    r->listener = socket_new();
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = r->listener};
    if (bind(r->listener, (struct sockaddr *)&address, length) != 0 ||
        listen(r->listener, 4096) != 0 ||
        getsockname(r->listener, (struct sockaddr *)&address, &length) != 0 ||
        epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->listener, &event) != 0)
        bench_fail("cannot listen");
    r->port = ntohs(address.sin_port);
}

static void receiver_accept(receiver *r) {
    int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0 || (size_t)fd >= CORE_COUNT_OF(r->received) ||
        epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_fail("cannot accept");
    if (r->received[fd] == NULL)
        r->received[fd] = malloc(HEAD_MAX + r->body);
    r->lengths[fd] = 0;
}

static void receiver_read(receiver *r, int fd) {
    char *bytes = r->received[fd];
    ssize_t got = recv(fd, bytes + r->lengths[fd], HEAD_MAX + r->body - r->lengths[fd], 0);
    if (got <= 0) {
        (void)close(fd);
        return;
    }
    r->lengths[fd] += (size_t)got;
    const char *end = memmem(bytes, r->lengths[fd], "\r\n\r\n", 4);
    if (end == NULL || r->lengths[fd] < (size_t)(end + 4 - bytes) + r->body)
        return;
    r->lengths[fd] = 0;
    if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof answer - 1))
        (void)close(fd);
}

static void *receiver_thread(void *context) {
    receiver *r = context;
    struct epoll_event events[256];
    for (;;) {
        int count = epoll_wait(r->epoll, events, 256, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.fd == r->listener)
                receiver_accept(r);
            else
                receiver_read(r, events[i].data.fd);
    }
    return NULL;
}

/* ---- The bare loop ---- */

static void bare_run(const receiver *r, int64_t requests, unsigned in_flight) {
    struct epoll_event events[256];
    char *request = calloc(1, HEAD_MAX + r->body);
    char got[512];
    int64_t sent = 0, ended = 0;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int length = snprintf(request, HEAD_MAX,
                          "POST /hook HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: walcast\r\n"
                          "Accept: */*\r\nContent-Type: application/json\r\n"
                          "webhook-id: msg_0123456789abcdef0123\r\n"
                          "webhook-timestamp: 1795863600\r\nwebhook-signature: "
                          "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          r->port, r->body);
    size_t size = (size_t)length + r->body;
    memset(request + length, 'x', r->body);
    for (; sent < in_flight; sent++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)r->port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket_new();
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0 ||
            send(fd, request, size, 0) != (ssize_t)size)
            bench_fail("cannot connect");
    }
    while (ended < requests) {
        int count = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (recv(fd, got, sizeof got, 0) != (ssize_t)(sizeof answer - 1))
                bench_fail("not the answer");
            ended++;
            if (sent < requests && send(fd, request, size, 0) != (ssize_t)size)
                bench_fail("cannot send");
            sent++;
        }
    }
    (void)close(epoll);
    free(request);
}

/* ---- The client ---- */

typedef struct {
    net_http *http;
    pthread_mutex_t mutex;
    pthread_cond_t done;
    int64_t left, ended, requests;
} client;

static void completed(net_http_request *request, const net_http_result *result) {
    client *c = request->context;
    core_error error;
    if (result->outcome != NET_HTTP_ANSWERED || result->status != 200)
        bench_fail("%s: %s", net_http_outcome_name(result->outcome), result->reason);
    c->ended++;
    if (c->left > 0) {
        c->left--;
        if (!net_http_send(c->http, request, &error))
            bench_fail("%s", error.text);
    }
    if (c->ended < c->requests)
        return;
    (void)pthread_mutex_lock(&c->mutex);
    (void)pthread_cond_signal(&c->done);
    (void)pthread_mutex_unlock(&c->mutex);
}

static void client_run(const receiver *r, int64_t requests, unsigned in_flight) {
    static const net_http_header headers[] = {
        {"content-type", "application/json"},
        {"webhook-id", "msg_0123456789abcdef0123"},
        {"webhook-timestamp", "1795863600"},
        {"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}};
    static net_http_request all[CONNECTIONS_MAX];
    client c = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    core_error error;
    core_network loopback;
    char url[64], *body = malloc(r->body + 1);
    if (body == NULL || !core_network_parse(core_slice_text("127.0.0.0/8"), &loopback))
        bench_fail("cannot set up");
    memset(body, 'x', r->body);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/hook", r->port);
    const net_guard_spec allow = {.allow = {.networks = &loopback, .count = 1}};
    net_guard *guard = net_guard_new(&allow, &error);
    const net_http_spec spec = {.guard = guard, .in_flight_max = in_flight};
    c.http = guard != NULL ? net_http_new(&spec, &error) : NULL;
    if (c.http == NULL)
        bench_fail("%s", error.text);
    c.requests = requests;
    c.left = requests - in_flight;
    (void)pthread_mutex_lock(&c.mutex);
    for (unsigned i = 0; i < in_flight; i++) {
        all[i] = (net_http_request){.url = url,
                                    .headers = headers,
                                    .header_count = CORE_COUNT_OF(headers),
                                    .body = core_slice_make(body, r->body),
                                    .keep_bytes = 1024,
                                    .completed = completed,
                                    .context = &c};
        if (!net_http_send(c.http, &all[i], &error))
            bench_fail("%s", error.text);
    }
    (void)pthread_cond_wait(&c.done, &c.mutex);
    (void)pthread_mutex_unlock(&c.mutex);
    net_http_free(c.http);
    net_guard_free(guard);
    free(body);
}

/* ---- Both ---- */

static double measured(const char *name, void (*run)(const receiver *, int64_t, unsigned),
                       const receiver *r, clockid_t receiver_clock, int64_t requests,
                       unsigned in_flight) {
    struct timespec before, after;
    int64_t start_us = bench_now_us();
    clock_t start_cpu = clock();
    (void)clock_gettime(receiver_clock, &before);
    run(r, requests, in_flight);
    (void)clock_gettime(receiver_clock, &after);
    double cpu_us = (double)(clock() - start_cpu) * 1e6 / CLOCKS_PER_SEC -
                    (double)(after.tv_sec - before.tv_sec) * 1e6 -
                    (double)(after.tv_nsec - before.tv_nsec) / 1e3;
    double rate = (double)requests * 1e6 / (double)(bench_now_us() - start_us);
    printf("%-12s %8.0f requests/s, %6.2f us of processor time a request\n", name, rate,
           cpu_us / (double)requests);
    return rate;
}

int main(int argc, char **argv) {
    static receiver r;
    pthread_t thread;
    clockid_t receiver_clock;
    if (argc != 4)
        bench_fail("usage: micro_http REQUESTS IN_FLIGHT BODY_BYTES");
    int64_t requests = bench_number("REQUESTS", argv[1], CONNECTIONS_MAX, 100000000);
    unsigned in_flight = (unsigned)bench_number("IN_FLIGHT", argv[2], 1, CONNECTIONS_MAX);
    receiver_open(&r, (size_t)bench_number("BODY_BYTES", argv[3], 1, 60000));
    if (pthread_create(&thread, NULL, receiver_thread, &r) != 0 ||
        pthread_getcpuclockid(thread, &receiver_clock) != 0)
        bench_fail("no thread");
    double bare = measured("bare loop", bare_run, &r, receiver_clock, requests, in_flight);
    double ours = measured("net_http", client_run, &r, receiver_clock, requests, in_flight);
    printf("ratio %.2f\n", ours / bare);
    return 0;
}
