/* A sender: whoever makes the attempts of one action. */
#ifndef WALCAST_TRIGGERS_SENDER_H
#define WALCAST_TRIGGERS_SENDER_H

#include "fanout/fanout.h"
#include "triggers/delivery.h"
#include "triggers/endpoint.h"

typedef struct {
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    fanout_messenger *messenger; /* of those whose attempts are messages; outlives the senders */
} triggers_sender_spec;

/* On the worker's thread; must not wait. Ends with triggers_delivery_ended, once, on any thread,
 * perhaps from within. The endpoint is the trigger's, valid during the call. */
typedef void (*triggers_send)(void *context, triggers_delivery *delivery,
                              triggers_endpoint *endpoint);

typedef struct {
    void *context; /* NULL: the action is not carried out */
    triggers_send send;
    /* It has ended: what was made for it (delivery->made) goes. On the worker's thread. */
    void (*done)(void *context, triggers_delivery *delivery);
    /* Ends what is under way; all deliveries have ended then. The worker must still be there. NULL:
     * nothing is. */
    void (*stop)(void *context);
    /* There is no sense in an attempt now: what it needs of ours is away. NULL: there always is. */
    bool (*is_away)(void *context);
    /* Behind the worker's end, and after _stop. NULL: it has nothing of its own. */
    void (*free)(void *context);
} triggers_sender;

/* Starts a sender, which `spec` outlives. False: nothing is left of it. */
typedef bool (*triggers_sender_maker)(const triggers_sender_spec *spec, triggers_sender *sender,
                                      core_error *error);

#endif
