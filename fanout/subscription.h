/* Letting a subscription of nats.c go. */
#ifndef WALCAST_FANOUT_SUBSCRIPTION_H
#define WALCAST_FANOUT_SUBSCRIPTION_H

#include <nats/nats.h>

/* Frees it; messages for it may still be coming. `nats` is the connection that it was made on, or
 * one that took its place. Waits for a round trip, at most two seconds, where the server is there;
 * not for a callback of nats.c's. NULL is allowed. */
void fanout_subscription_free(natsConnection *nats, natsSubscription *subscription);

#endif
