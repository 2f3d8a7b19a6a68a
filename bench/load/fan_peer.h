/* What the broadcast load must know of each server that it drives: how a WebSocket client
 * subscribes, how one publishes, and how a message looks when it comes.
 *
 * The message is the same for all: FAN_PAYLOAD_SIZE bytes of JSON, in which stand a number that its
 * publisher counts up, the time when it was sent, and the publisher. */
#ifndef WALCAST_BENCH_FAN_PEER_H
#define WALCAST_BENCH_FAN_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAN_PAYLOAD_SIZE   200
#define FAN_PUBLISH_MAX    512 /* bytes of one published message, its frame's head included */
#define FAN_NUMBER_FIRST   1000000000 /* so that all numbers have as many digits */
#define FAN_PUBLISHERS_MAX 10         /* a publisher is one digit */

typedef struct {
    const char *name;
    /* The request's target; one %s takes the token where the peer wants one. */
    const char *subscribe_target;
    const char *publish_target;
    /* What a subscriber, and what a publisher sends first; NULL: nothing. One %s: the token. */
    const char *subscribe;
    const char *introduce;
    /* What a frame holds that says it is subscribed, or may publish; NULL: the handshake does. */
    const char *ready;
    /* Around a payload that is published. */
    const char *before, *after;
    unsigned kind; /* of the frames that clients send */
    bool packs;    /* frames hold a stream of messages in which one may begin here and end there */
} fan_peer;

/* Fails on a name that it does not know. */
const fan_peer *fan_peer_find(const char *name);

typedef struct {
    int64_t number; /* from 0 */
    int64_t sent_us;
    unsigned publisher;
} fan_message;

/* Writes the frame of one published message. Returns its size. */
size_t fan_peer_publish(const fan_peer *peer, const fan_message *message,
                        uint8_t out[FAN_PUBLISH_MAX]);

/* Finds the next payload in [*at, size) and moves *at behind it. `hint` is where, behind *at, the
 * last one began, kept by the caller: frames of one kind begin alike. False when there is none. */
bool fan_message_next(const char *bytes, size_t size, size_t *at, size_t *hint,
                      fan_message *message);

#endif
