/* See fan_peer.h. */
#include "bench/load/fan_peer.h"

#include <stdio.h>
#include <string.h>

#include "bench/load/samples.h"
#include "bench/load/ws_wire.h"

#define NUMBER_DIGITS 10
#define TIME_DIGITS   16
#define NUMBER        "{\"n\":"
#define TIME          ",\"t\":"
#define PUBLISHER     ",\"p\":"
#define FILL          ",\"x\":\""
#define TIME_AT       (sizeof NUMBER - 1 + NUMBER_DIGITS)
#define PUBLISHER_AT  (TIME_AT + sizeof TIME - 1 + TIME_DIGITS)

#define REALTIME "/realtime/v1/websocket?apikey=%s&vsn=2.0.0"
#define JOIN                                                                                       \
    "[\"1\",\"1\",\"realtime:bench\",\"phx_join\",{\"config\":{\"broadcast\":{\"ack\":false,"      \
    "\"self\":false},\"presence\":{\"key\":\"\",\"enabled\":false},\"postgres_changes\":[],"       \
    "\"private\":false},\"access_token\":\"%s\"}]"
#define NATS_CONNECT "CONNECT {\"verbose\":false,\"pedantic\":false,\"protocol\":1}\r\n"

static const fan_peer fan_peers[] = {
    {.name = "walcast",
     .subscribe_target = REALTIME,
     .publish_target = REALTIME,
     .subscribe = JOIN,
     .introduce = JOIN,
     .ready = "\"status\":\"ok\"",
     .before = "[\"1\",\"2\",\"realtime:bench\",\"broadcast\",{\"type\":\"broadcast\",\"event\":"
               "\"e\",\"payload\":",
     .after = "}]",
     .kind = BENCH_WS_TEXT},
    {.name = "epoll",
     .subscribe_target = "/sub",
     .publish_target = "/pub",
     .before = "",
     .after = "",
     .kind = BENCH_WS_TEXT},
    {.name = "nchan",
     .subscribe_target = "/sub",
     .publish_target = "/pub",
     .before = "",
     .after = "",
     .kind = BENCH_WS_TEXT},
    {.name = "nats",
     .subscribe_target = "/",
     .publish_target = "/",
     .subscribe = NATS_CONNECT "SUB bench 1\r\nPING\r\n",
     .introduce = NATS_CONNECT "PING\r\n",
     .ready = "PONG",
     .before = "PUB bench 200\r\n",
     .after = "\r\n",
     .kind = BENCH_WS_BINARY,
     .packs = true},
};

const fan_peer *fan_peer_find(const char *name) {
    for (size_t at = 0; at < sizeof fan_peers / sizeof fan_peers[0]; at++)
        if (strcmp(fan_peers[at].name, name) == 0)
            return &fan_peers[at];
    bench_fail("there is no peer \"%s\"", name);
}

size_t fan_peer_publish(const fan_peer *peer, const fan_message *message,
                        uint8_t out[FAN_PUBLISH_MAX]) {
    char payload[FAN_PAYLOAD_SIZE + 1];
    size_t before = strlen(peer->before), after = strlen(peer->after);
    size_t at = bench_ws_client_head(out, peer->kind, before + FAN_PAYLOAD_SIZE + after);
    int length = snprintf(payload, sizeof payload, NUMBER "%lld" TIME "%lld" PUBLISHER "%u" FILL,
                          (long long)(FAN_NUMBER_FIRST + message->number),
                          (long long)message->sent_us, message->publisher);
    memset(payload + length, 'x', (size_t)(FAN_PAYLOAD_SIZE - length));
    memcpy(payload + FAN_PAYLOAD_SIZE - 2, "\"}", 2);
    if (at + before + FAN_PAYLOAD_SIZE + after > FAN_PUBLISH_MAX)
        bench_fail("a message of %s has no room", peer->name);
    memcpy(out + at, peer->before, before);
    memcpy(out + at + before, payload, FAN_PAYLOAD_SIZE);
    memcpy(out + at + before + FAN_PAYLOAD_SIZE, peer->after, after);
    return at + before + FAN_PAYLOAD_SIZE + after;
}

static int64_t digits_read(const char *text, size_t count) {
    int64_t value = 0;
    for (size_t at = 0; at < count; at++)
        value = value * 10 + (text[at] - '0');
    return value;
}

bool fan_message_next(const char *bytes, size_t size, size_t *at, size_t *hint,
                      fan_message *message) {
    const size_t mark = sizeof NUMBER - 1;
    size_t begin = *at + *hint;
    if (begin + FAN_PAYLOAD_SIZE > size || memcmp(bytes + begin, NUMBER, mark) != 0) {
        const char *found = memmem(bytes + *at, size - *at, NUMBER, mark);
        if (found == NULL || (size_t)(found - bytes) + FAN_PAYLOAD_SIZE > size)
            return false;
        begin = (size_t)(found - bytes);
        *hint = begin - *at;
    }
    const char *payload = bytes + begin;
    if (memcmp(payload + TIME_AT, TIME, sizeof TIME - 1) != 0 ||
        memcmp(payload + PUBLISHER_AT, PUBLISHER, sizeof PUBLISHER - 1) != 0 ||
        memcmp(payload + FAN_PAYLOAD_SIZE - 2, "\"}", 2) != 0)
        bench_fail("a message came changed: %.*s", FAN_PAYLOAD_SIZE, payload);
    message->number = digits_read(payload + mark, NUMBER_DIGITS) - FAN_NUMBER_FIRST;
    message->sent_us = digits_read(payload + TIME_AT + sizeof TIME - 1, TIME_DIGITS);
    message->publisher = (unsigned)(payload[PUBLISHER_AT + sizeof PUBLISHER - 1] - '0');
    *at = begin + FAN_PAYLOAD_SIZE;
    return true;
}
