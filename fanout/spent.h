/* Messages that are done with, freed many at a time.
 *
 * nats.c frees every message on a collector thread of its own and wakes that thread for each: at
 * one message every few microseconds the wake-ups cost more than the messages. Given a heap of
 * them, it wakes once. Bounded by number and bytes; owned by one thread. */
#ifndef WALCAST_FANOUT_SPENT_H
#define WALCAST_FANOUT_SPENT_H

#include "core/core.h"

#include <nats/nats.h>

#define FANOUT_SPENT_MESSAGES 256
#define FANOUT_SPENT_BYTES    (256 * 1024)

typedef struct {
    natsMsg *messages[FANOUT_SPENT_MESSAGES];
    size_t count;
    size_t bytes; /* of payloads */
} fanout_spent;

/* Takes the message over; NULL is allowed. It may be freed at once or later. */
void fanout_spent_add(fanout_spent *spent, natsMsg *message);
/* Frees all that was added. */
void fanout_spent_free_all(fanout_spent *spent);

#endif
