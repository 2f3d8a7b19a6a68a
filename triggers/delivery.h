/* One attempt, from the worker to whoever makes it and back. */
#ifndef WALCAST_TRIGGERS_DELIVERY_H
#define WALCAST_TRIGGERS_DELIVERY_H

#include "fanout/fanout.h"
#include "net/net.h"
#include "triggers/partition.h"

#define TRIGGERS_ATTEMPTS_MAX 128 /* at once, of a partition */

typedef struct triggers_delivery triggers_delivery;

/* The worker's, lent to the sender until _ended. */
struct triggers_delivery {
    const triggers_definition *definition; /* held */
    triggers_task task;                    /* its slices live as long */
    core_block *block;                     /* holds them */
    uint32_t number;                       /* of the attempt, from 1 */
    uint64_t sequence;                     /* in the stream of tasks */
    char id[TRIGGERS_WEBHOOK_ID_MAX];      /* the same over attempts */

    triggers_end end; /* the sender's answer; its reason points to `reason` */
    char reason[TRIGGERS_REASON_MAX];

    void *made; /* the sender's own, until it is done */
    uint32_t breaker_ticket;
    net_breaker_word word; /* what the attempt says of its endpoint: the sender's, too */

    /* The worker's own. */
    triggers_delivery *next;
    struct triggers_worker *worker;
    unsigned slot;
    uint64_t life, ticket;
    const fanout_lease *lease; /* outlives it */
    uint64_t lease_term;
};

/* Whether the partition is still this process's, which perhaps has slept: asked by the sender when
 * all is ready, right before others can see the attempt; false: it ends with
 * TRIGGERS_END_WITHDRAWN. Any thread, until _ended. */
CORE_MUST_CHECK bool triggers_delivery_may_begin(const triggers_delivery *delivery);
/* Any thread. The delivery is the worker's again. */
void triggers_delivery_ended(triggers_delivery *delivery);
/* The same with its end: kind and reason are put in. */
void triggers_delivery_end(triggers_delivery *delivery, triggers_end_kind kind, const char *reason);

#endif
