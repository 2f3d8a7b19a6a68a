/* Attempts over HTTP, by Standard Webhooks 1.0.0: signed, and under the guard. Lives on the
 * worker's thread; only the answers come on the client's. */
#ifndef WALCAST_TRIGGERS_SENDER_WEBHOOK_H
#define WALCAST_TRIGGERS_SENDER_WEBHOOK_H

#include "triggers/sender.h"

#define TRIGGERS_WEBHOOKS_MAX 1024 /* at once, of a source in a process */

/* A triggers_sender_maker: starts the client. */
CORE_MUST_CHECK bool triggers_webhooks_sender(const triggers_sender_spec *spec,
                                              triggers_sender *sender, core_error *error);

#endif
