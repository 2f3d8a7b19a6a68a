/* One attempt, from the worker to whoever makes it and back. */
#ifndef WALCAST_TRIGGERS_DELIVERY_H
#define WALCAST_TRIGGERS_DELIVERY_H

#include "triggers/partition.h"

#define TRIGGERS_ATTEMPTS_MAX 128 /* at once, of a partition */

typedef struct triggers_delivery triggers_delivery;

/* The worker's, lent to the sender until _ended. */
struct triggers_delivery {
    const triggers_definition *definition; /* held */
    triggers_task task;                    /* its slices live as long */
    core_block *block;                     /* holds them */
    uint32_t number;                       /* of the attempt, from 1 */
    char id[TRIGGERS_WEBHOOK_ID_MAX];      /* the same over attempts */

    triggers_end end; /* the sender's answer; its reason points to `reason` */
    char reason[TRIGGERS_REASON_MAX];

    void *made; /* the sender's own, until _done */

    /* The worker's own. */
    triggers_delivery *next;
    struct triggers_worker *worker;
    unsigned slot;
    uint64_t life, ticket;
};

/* Whoever makes attempts. */
typedef struct {
    void *context;
    /* These four on the worker's thread; none may wait. 0: an attempt may begin, and _send or
     * _unadmit follows; else not before that time (wall clock, milliseconds). */
    int64_t (*admit)(void *context, const triggers_definition *definition, int64_t now_ms);
    /* What was admitted is not sent after all. */
    void (*unadmit)(void *context, core_slice project, core_slice trigger);
    /* Ends with triggers_delivery_ended, once, on any thread, perhaps from within. */
    void (*send)(void *context, triggers_delivery *delivery);
    /* It has ended. True: others of the trigger may be admitted now that were not. */
    bool (*done)(void *context, triggers_delivery *delivery);
} triggers_sender;

/* Any thread. The delivery is the worker's again. */
void triggers_delivery_ended(triggers_delivery *delivery);

#endif
