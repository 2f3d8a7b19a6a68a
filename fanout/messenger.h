/* Messages on other people's subjects, and what became of them: a stream or the server has one, or
 * whoever listens there has answered. A thread and a connection of its own, so nobody waits. A part
 * of the fanout room's public header. */
#ifndef WALCAST_FANOUT_MESSENGER_H
#define WALCAST_FANOUT_MESSENGER_H

#include "fanout/fanout.h"

typedef struct fanout_messenger fanout_messenger;
typedef struct fanout_dispatch fanout_dispatch;

#define FANOUT_MESSENGER_MAX 4096 /* under way */

/* What has to happen before it is done. */
typedef enum {
    FANOUT_UNTIL_TAKEN,    /* a stream has it, where one takes the subject; else the server */
    FANOUT_UNTIL_STORED,   /* a stream has it; that none takes the subject is a failure */
    FANOUT_UNTIL_ANSWERED, /* somebody has answered; that nobody listens is a failure */
} fanout_until;

/* `error` NULL: it is done, and `answer` is what was answered. Else TRANSIENT: done or not, nobody
 * knows, or nobody listens; INPUT: answered with an error, as NATS services do; CONFLICT, FULL,
 * LIMIT as of the courier. Both are valid during the call, which must not wait. */
typedef void (*fanout_dispatch_completed)(fanout_dispatch *dispatch, core_slice answer,
                                          const core_error *error);

/* Lent, with all that it points to, from _send to its completion. */
struct fanout_dispatch {
    const char *subject;
    const char *id;             /* NULL: none; within a stream's window it is stored once */
    bool is_fenced;             /* stored only if the subject's last message is the expected one */
    uint64_t expected_sequence; /* 0: the subject has none */
    const fanout_header *headers;
    size_t header_count;
    core_slice payload;
    fanout_until until;
    int64_t timeout_ms;
    fanout_dispatch_completed completed;
    void *context;
    struct { /* the messenger's */
        fanout_dispatch *next;
        uint64_t number;
        int64_t until_ms; /* 0: it is not waited for yet */
    } own;
};

/* Starts the thread, which connects when there is something to send. The config must outlive it. */
CORE_MUST_CHECK fanout_messenger *fanout_messenger_new(const core_config *config, const char *name,
                                                       core_log *log, const core_clock *clock,
                                                       core_error *error);
/* Ends all that is under way with TRANSIENT, and refuses what comes. NULL is allowed, as below. */
void fanout_messenger_stop(fanout_messenger *messenger);
void fanout_messenger_free(fanout_messenger *messenger);
/* A connection that was there is lost: there is no sense in sending now. Any thread; of a moment
 * ago. */
bool fanout_messenger_is_away(const fanout_messenger *messenger);
/* Any thread; never waits. False, and no completion: FANOUT_MESSENGER_MAX are under way, or it was
 * stopped (TRANSIENT). Completions come on threads of the messenger's, in no order. What one thread
 * sends on one subject is published in that order. */
CORE_MUST_CHECK bool fanout_messenger_send(fanout_messenger *messenger, fanout_dispatch *dispatch,
                                           core_error *error);

#endif
