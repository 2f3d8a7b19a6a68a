/* The broadcast load: publishers and a great many subscribers of one channel, on one thread.
 *
 *   bench_fan PEER PORT TOKEN SUBSCRIBERS PUBLISHERS RATE SECONDS
 *
 * PEER is one of fan_peer.c's. With RATE 0 the publishers send as fast as the slowest subscriber
 * follows: at most WINDOW messages are ahead of it, so no server has a reason to cut it off or to
 * drop. Otherwise they send RATE messages a second, in turns, evenly spaced. After SECONDS it waits
 * until every subscriber has every message.
 *
 * Every subscriber must get each publisher's messages in order, each once, with none missing; else
 * the program fails, as it does after TIMEOUT_MS without any. Prints one line of JSON: deliveries a
 * second after the first WARM part of the time, the 50th and 99th percentile from just before a
 * message was sent to when a subscriber read it (with a RATE), and the share of a processor that
 * the program itself used. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "bench/load/clients.h"
#include "bench/load/fan_peer.h"
#include "bench/load/samples.h"
#include "bench/load/ws_wire.h"

#define WINDOW     256 /* a power of two */
#define BATCH      10  /* messages a saturating publisher gives to one send */
#define OPENING    64  /* handshakes at a time */
#define TIMEOUT_MS 20000
#define WARM       0.2
#define TARGET_MAX 4096

typedef struct {
    size_t index; /* of its client */
    int64_t published;
    size_t size, sent; /* of `bytes` */
    uint8_t bytes[BATCH * FAN_PUBLISH_MAX];
} fan_publisher;

typedef struct {
    int64_t next[FAN_PUBLISHERS_MAX]; /* the number that must come next, by publisher */
    int64_t received;
    size_t hint;
    char *part; /* of a packed message */
    size_t part_size;
} fan_subscriber;

typedef struct {
    const fan_peer *peer;
    const char *token;
    bench_clients clients; /* the subscribers, then the publishers */
    fan_subscriber *subscribers;
    size_t subscriber_count;
    fan_publisher publishers[FAN_PUBLISHERS_MAX];
    size_t publisher_count;
    size_t ready;
    int64_t rate;
    int64_t seconds;
    int64_t published;
    int64_t deliveries;
    int64_t slowest;          /* messages that everybody has */
    uint32_t reached[WINDOW]; /* by messages received: how many subscribers have as many */
    int64_t *latencies_us;
    size_t latency_count, latency_capacity;
    int64_t warm_us; /* latencies of messages sent before are not kept */
} fan_load;

/* ---- Receiving ---- */

static void fan_reach(fan_load *load, int64_t received) {
    load->reached[received % WINDOW]++;
    while (load->reached[(load->slowest + 1) % WINDOW] == load->subscriber_count)
        load->reached[++load->slowest % WINDOW] = 0;
}

static void fan_receive(fan_load *load, size_t index, const fan_message *message) {
    fan_subscriber *subscriber = &load->subscribers[index];
    if (message->publisher >= load->publisher_count)
        bench_fail("a message of publisher %u came", message->publisher);
    int64_t *next = &subscriber->next[message->publisher];
    if (message->number != *next)
        bench_fail("subscriber %zu got message %lld of publisher %u, expected %lld", index,
                   (long long)message->number, message->publisher, (long long)*next);
    ++*next;
    load->deliveries++;
    fan_reach(load, ++subscriber->received);
    if (message->sent_us >= load->warm_us && load->latency_count < load->latency_capacity)
        load->latencies_us[load->latency_count++] = load->clients.received_us - message->sent_us;
}

/* Returns how much was taken. */
static size_t fan_receive_all(fan_load *load, size_t index, const char *bytes, size_t size) {
    fan_message message;
    size_t at = 0;
    while (at < size &&
           fan_message_next(bytes, size, &at, &load->subscribers[index].hint, &message))
        fan_receive(load, index, &message);
    return at;
}

/* A message may begin in one frame and end in the next. */
static void fan_receive_packed(fan_load *load, size_t index, const char *bytes, size_t size) {
    fan_subscriber *subscriber = &load->subscribers[index];
    if (subscriber->part_size > 0) {
        subscriber->part = realloc(subscriber->part, subscriber->part_size + size);
        if (subscriber->part == NULL)
            bench_fail("no memory for a message's beginning");
        memcpy(subscriber->part + subscriber->part_size, bytes, size);
        bytes = subscriber->part;
        size += subscriber->part_size;
    }
    size_t taken = fan_receive_all(load, index, bytes, size), left = size - taken;
    if (left > 0 && bytes != subscriber->part) {
        subscriber->part = realloc(subscriber->part, left);
        if (subscriber->part == NULL)
            bench_fail("no memory for a message's beginning");
    }
    if (left > 0)
        memmove(subscriber->part, bytes + taken, left);
    subscriber->part_size = left;
}

static void fan_on_frame(bench_clients *clients, size_t index, unsigned kind, char *payload,
                         size_t size) {
    fan_load *load = clients->context;
    const char *ready = load->peer->ready;
    if (kind != BENCH_WS_TEXT && kind != BENCH_WS_BINARY)
        bench_fail("client %zu: a frame of kind %#x: %.*s", index, kind, (int)size, payload);
    if (load->ready < load->clients.count) {
        if (memmem(payload, size, "\"status\":\"error\"", 16) != NULL)
            bench_fail("client %zu was refused: %.*s", index, (int)size, payload);
        load->ready += ready != NULL && memmem(payload, size, ready, strlen(ready)) != NULL;
    } else if (index >= load->subscriber_count) {
        return; /* what publishers are told is of no interest, and they may be members too */
    } else if (load->peer->packs) {
        fan_receive_packed(load, index, payload, size);
    } else {
        (void)fan_receive_all(load, index, payload, size);
    }
}

/* ---- Before ---- */

static void fan_on_upgraded(bench_clients *clients, size_t index) {
    fan_load *load = clients->context;
    const fan_peer *peer = load->peer;
    const char *format = index < load->subscriber_count ? peer->subscribe : peer->introduce;
    load->ready += peer->ready == NULL;
    if (format == NULL)
        return;
    char text[TARGET_MAX];
    int length = snprintf(text, sizeof text, format, load->token);
    if (length < 0 || (size_t)length >= sizeof text)
        bench_fail("the token does not fit");
    bench_clients_send(clients, index, peer->kind, text, (size_t)length);
}

static const bench_clients_handler fan_handler = {.upgraded = fan_on_upgraded,
                                                  .frame = fan_on_frame};

static void fan_open(fan_load *load) {
    bench_clients *clients = &load->clients;
    char target[TARGET_MAX];
    bench_clients_init(clients, load->subscriber_count + load->publisher_count, clients->port,
                       &fan_handler, load);
    while (load->ready < clients->count) {
        while (clients->opened < clients->count && clients->opened - load->ready < OPENING) {
            bool subscribes = clients->opened < load->subscriber_count;
            const char *format =
                subscribes ? load->peer->subscribe_target : load->peer->publish_target;
            if (snprintf(target, sizeof target, format, load->token) >= (int)sizeof target)
                bench_fail("the token does not fit");
            bench_clients_open_next(clients, target);
        }
        if (!bench_clients_wait(clients, TIMEOUT_MS))
            bench_fail("%zu of %zu clients subscribed, then nothing", load->ready, clients->count);
    }
    for (size_t at = 0; at < load->publisher_count; at++)
        load->publishers[at].index = load->subscriber_count + at;
}

/* ---- Publishing ---- */

static void publisher_flush(fan_load *load, fan_publisher *publisher) {
    if (publisher->sent == publisher->size)
        return;
    ssize_t sent =
        send(load->clients.all[publisher->index].socket, publisher->bytes + publisher->sent,
             publisher->size - publisher->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        bench_fail("a publisher cannot send: %m");
    publisher->sent += sent > 0 ? (size_t)sent : 0;
}

static void publisher_send(fan_load *load, size_t at, int messages) {
    fan_publisher *publisher = &load->publishers[at];
    publisher->size = publisher->sent = 0;
    for (int i = 0; i < messages; i++) {
        fan_message message = {
            .number = publisher->published++, .publisher = (unsigned)at, .sent_us = bench_now_us()};
        publisher->size +=
            fan_peer_publish(load->peer, &message, publisher->bytes + publisher->size);
    }
    load->published += messages;
    publisher_flush(load, publisher);
}

/* True while some publisher's socket is full. */
static bool fan_flush(fan_load *load) {
    bool full = false;
    for (size_t at = 0; at < load->publisher_count; at++) {
        publisher_flush(load, &load->publishers[at]);
        full |= load->publishers[at].sent < load->publishers[at].size;
    }
    return full;
}

/* Fills the window. True while some publisher's socket is full. */
static bool fan_publish_all(fan_load *load) {
    bool full = fan_flush(load), room = true;
    while (room) {
        room = false;
        for (size_t at = 0; at < load->publisher_count; at++) {
            fan_publisher *publisher = &load->publishers[at];
            if (publisher->sent < publisher->size ||
                load->published + BATCH - load->slowest >= WINDOW)
                continue;
            publisher_send(load, at, BATCH);
            full |= publisher->sent < publisher->size;
            room = true;
        }
    }
    return full;
}

/* ---- Measuring ---- */

static double processor_s(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

typedef struct {
    int64_t at_us;
    int64_t deliveries;
    double processor_s;
} fan_moment;

static fan_moment fan_now(const fan_load *load) {
    return (fan_moment){
        .at_us = bench_now_us(), .deliveries = load->deliveries, .processor_s = processor_s()};
}

static void fan_finish(fan_load *load) {
    while (load->slowest < load->published) {
        bool full = fan_flush(load);
        if (!bench_clients_wait(&load->clients, full ? 1 : TIMEOUT_MS) && !full)
            bench_fail("the slowest subscriber has %lld of %lld messages, then nothing",
                       (long long)load->slowest, (long long)load->published);
    }
}

static fan_moment fan_saturate(fan_load *load, int64_t start_us) {
    const int64_t warm_us = start_us + (int64_t)((double)load->seconds * WARM * 1e6);
    const int64_t end_us = start_us + load->seconds * 1000000;
    fan_moment warm = {.at_us = 0};
    for (int64_t now_us = start_us; now_us < end_us; now_us = bench_now_us()) {
        if (warm.at_us == 0 && now_us >= warm_us)
            warm = fan_now(load);
        bool full = fan_publish_all(load);
        if (!bench_clients_wait(&load->clients, full ? 1 : TIMEOUT_MS) && !full)
            bench_fail("the slowest subscriber has %lld of %lld messages, then nothing",
                       (long long)load->slowest, (long long)load->published);
    }
    return warm;
}

static fan_moment fan_pace(fan_load *load, int64_t start_us) {
    const int64_t count = load->rate * load->seconds;
    fan_moment warm = fan_now(load);
    load->warm_us = start_us + (int64_t)((double)load->seconds * WARM * 1e6);
    for (int64_t message = 0; message < count; message++) {
        const int64_t due_us = start_us + message * 1000000 / load->rate;
        for (int64_t now_us; (now_us = bench_now_us()) < due_us;)
            (void)bench_clients_wait(&load->clients, (int)((due_us - now_us + 999) / 1000));
        publisher_send(load, (size_t)message % load->publisher_count, 1);
        if (load->published - load->slowest >= WINDOW)
            bench_fail("%lld messages wait for the slowest subscriber: slower than the rate",
                       (long long)(load->published - load->slowest));
    }
    return warm;
}

static int latency_compare(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static int64_t fan_percentile(const fan_load *load, double share) {
    if (load->latency_count == 0)
        return 0;
    size_t at = (size_t)ceil((double)load->latency_count * share);
    return load->latencies_us[at > 0 ? at - 1 : 0];
}

static void fan_run(fan_load *load) {
    const int64_t start_us = bench_now_us();
    fan_moment begin = load->rate > 0 ? fan_pace(load, start_us) : fan_saturate(load, start_us);
    fan_moment end = fan_now(load);
    fan_finish(load);
    const double seconds = (double)(end.at_us - begin.at_us) / 1e6;
    qsort(load->latencies_us, load->latency_count, sizeof load->latencies_us[0], latency_compare);
    printf("{\"published\":%lld,\"deliveries\":%lld,\"rate\":%.0f,\"p50_us\":%lld,\"p99_us\":%lld,"
           "\"load_cpu\":%.2f}\n",
           (long long)load->published, (long long)load->deliveries,
           (double)(end.deliveries - begin.deliveries) / seconds,
           (long long)fan_percentile(load, 0.5), (long long)fan_percentile(load, 0.99),
           (end.processor_s - begin.processor_s) / seconds);
}

static void fan_fini(fan_load *load) {
    for (size_t index = 0; index < load->subscriber_count; index++)
        free(load->subscribers[index].part);
    free(load->subscribers);
    free(load->latencies_us);
    bench_clients_fini(&load->clients);
}

int main(int argc, char **argv) {
    static fan_load load;
    if (argc != 8)
        bench_fail("usage: bench_fan PEER PORT TOKEN SUBSCRIBERS PUBLISHERS RATE SECONDS");
    load.peer = fan_peer_find(argv[1]);
    load.clients.port = (int)bench_number("PORT", argv[2], 1, 65535);
    load.token = argv[3];
    load.subscriber_count = (size_t)bench_number("SUBSCRIBERS", argv[4], 1, 100000);
    load.publisher_count = (size_t)bench_number("PUBLISHERS", argv[5], 1, FAN_PUBLISHERS_MAX);
    load.rate = bench_number("RATE", argv[6], 0, 10000);
    load.seconds = bench_number("SECONDS", argv[7], 1, 3600);
    load.latency_capacity = (size_t)(load.rate * load.seconds) * load.subscriber_count;
    load.subscribers = calloc(load.subscriber_count, sizeof load.subscribers[0]);
    load.latencies_us = calloc(load.latency_capacity + 1, sizeof load.latencies_us[0]);
    if (load.subscribers == NULL || load.latencies_us == NULL)
        bench_fail("no memory for %zu subscribers", load.subscriber_count);
    fan_open(&load);
    fan_run(&load);
    fan_fini(&load);
    return 0;
}
