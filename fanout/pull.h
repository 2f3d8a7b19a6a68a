/* One life of an ordered consumer: an ephemeral of the server's without acks, and the requests that
 * pull its messages. Any trouble ends it; ordered.c then begins another from its place.
 *
 * Used by one thread, but for _interrupt. */
#ifndef WALCAST_FANOUT_PULL_H
#define WALCAST_FANOUT_PULL_H

#include "fanout/connection.h"

typedef struct {
    const char *stream;
    const char *filter;
    uint64_t sequence; /* where to begin; 0: at time_us */
    int64_t time_us;
    bool last_each; /* instead: of each subject only the last message, in stream order */
} fanout_pull_start;

typedef struct fanout_pull fanout_pull;

/* Makes the consumer and asks for messages. Blocks up to the connection's time limit. */
CORE_MUST_CHECK fanout_pull *fanout_pull_new(fanout_connection *connection,
                                             const fanout_pull_start *start, core_error *error);
/* Asks the server to forget the consumer, without waiting for its word. */
void fanout_pull_free(fanout_pull *pull);

typedef enum {
    FANOUT_PULL_MESSAGE,
    FANOUT_PULL_NOTHING, /* none within the time */
    FANOUT_PULL_OVER,    /* begin another life; `error` says why */
} fanout_pull_result;

/* The next message, valid until the next call. */
CORE_MUST_CHECK fanout_pull_result fanout_pull_next(fanout_pull *pull, int64_t timeout_ms,
                                                    fanout_message *message, core_error *error);
/* The same, for a stream that has one: TRANSIENT when none comes within ten seconds. */
CORE_MUST_CHECK bool fanout_pull_await(fanout_pull *pull, fanout_message *message,
                                       core_error *error);
/* The message that _next gave last, for its headers. */
natsMsg *fanout_pull_message(const fanout_pull *pull);
/* How many messages the server had for us when it made the consumer. */
uint64_t fanout_pull_pending(const fanout_pull *pull);
/* Any thread: a waiting _next, and every later one, ends at once with OVER. */
void fanout_pull_interrupt(fanout_pull *pull);
/* True when the server has nothing for us that we have not taken. Asks it. */
bool fanout_pull_caught_up(fanout_pull *pull);

#endif
