/* The publisher's window: which messages are on their way, what their acks must say.
 *
 * Pure bookkeeping without sockets or clock, so that a test can be the broker. Messages of one
 * writer epoch are numbered from 1; number n must become stream sequence base + n. Owned by one
 * thread. */
#ifndef WALCAST_FANOUT_PUBLISHER_WINDOW_H
#define WALCAST_FANOUT_PUBLISHER_WINDOW_H

#include "fanout/puback.h"

/* "{epoch as 16 hex digits}-{n}" and NUL. */
#define FANOUT_MESSAGE_ID_MAX 40

typedef struct {
    int64_t sent_us;
    size_t bytes;
} fanout_window_slot;

typedef struct {
    const char *stream; /* whose acks count */
    uint64_t epoch;     /* random; never used before */
    uint64_t base;      /* the stream's last sequence before number 1 */
    uint64_t sent;      /* the last number sent */
    uint64_t acked;     /* every number up to it is stored */
    size_t bytes;       /* in flight */
    size_t max_messages;
    size_t max_bytes;
    fanout_window_slot *slots; /* by number modulo max_messages */
} fanout_window;

CORE_MUST_CHECK bool fanout_window_init(fanout_window *window, const char *stream,
                                        size_t max_messages, size_t max_bytes, core_error *error);
void fanout_window_fini(fanout_window *window);
/* A new writer epoch: nothing sent, nothing acked. */
void fanout_window_start(fanout_window *window, uint64_t epoch, uint64_t base);

static inline size_t fanout_window_length(const fanout_window *window) {
    return (size_t)(window->sent - window->acked);
}
/* The stream sequence up to which everything is stored. */
static inline uint64_t fanout_window_acked_sequence(const fanout_window *window) {
    return window->base + window->acked;
}

/* Whether a message of `bytes` may be sent now. The first one travels alone; one larger than the
 * window's bytes does too, since it could never fit otherwise. */
bool fanout_window_admits(const fanout_window *window, size_t bytes);
/* Notes the next message as sent and returns its number. It must be admitted. */
uint64_t fanout_window_send(fanout_window *window, size_t bytes, int64_t now_us);
/* The Nats-Msg-Id of number `n`. */
void fanout_window_message_id(const fanout_window *window, uint64_t n,
                              char text[FANOUT_MESSAGE_ID_MAX]);

/* Takes the ack of number `n`; `*sent_us` gets when that was sent. False, with the reason, when the
 * fence did not hold: refused, duplicate, other stream, other sequence, or not the oldest in
 * flight. The window must not be used after that until it is started again. */
CORE_MUST_CHECK bool fanout_window_ack(fanout_window *window, uint64_t n, const fanout_puback *ack,
                                       int64_t *sent_us, core_error *error);
/* True when the oldest message in flight waits longer than `timeout_ms`. */
bool fanout_window_overdue(const fanout_window *window, int64_t now_us, int64_t timeout_ms);

#endif
