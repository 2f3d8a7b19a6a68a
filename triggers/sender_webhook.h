/* Attempts over HTTP, by Standard Webhooks 1.0.0: signed, under the guard, within the endpoint's
 * rate, places and breaker. A trigger is an endpoint of its own.
 *
 * What a definition's texts mean (secrets put in, keys read) is kept for half a minute, so that a
 * rotated secret is used soon and the broker is not asked for each delivery. Lives on the worker's
 * thread; only the answers come on the client's. */
#ifndef WALCAST_TRIGGERS_SENDER_WEBHOOK_H
#define WALCAST_TRIGGERS_SENDER_WEBHOOK_H

#include "net/net.h"
#include "triggers/delivery.h"

typedef struct triggers_webhooks triggers_webhooks;

typedef struct {
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
} triggers_webhooks_spec;

/* Starts the client. */
CORE_MUST_CHECK triggers_webhooks *triggers_webhooks_new(const triggers_webhooks_spec *spec,
                                                         core_error *error);
/* Ends what is under way; all deliveries have ended then. The worker must still be there. */
void triggers_webhooks_stop(triggers_webhooks *webhooks);
/* Behind the worker's end. */
void triggers_webhooks_free(triggers_webhooks *webhooks);
triggers_sender triggers_webhooks_sender(triggers_webhooks *webhooks);

#endif
