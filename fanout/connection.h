/* A connection's inside, for this room's other files. */
#ifndef WALCAST_FANOUT_CONNECTION_H
#define WALCAST_FANOUT_CONNECTION_H

#include "fanout/fanout.h"
#include "fanout/status.h"

#include <stdatomic.h>

struct fanout_connection {
    uint32_t magic;
    natsConnection *nats;
    jsCtx *jetstream;
    core_log *log;
    core_metrics *metrics;
    char name[FANOUT_NAME_MAX];
    atomic_bool alive;
    atomic_uint reconnects; /* a consumer that sees it grow makes itself anew */
    atomic_bool closing;    /* by us: the disconnect is no news */
    atomic_bool closed;     /* nats.c will call none of our callbacks any more */
};

/* nats.c's options from `nats.url`, `nats.creds`, `nats.tls_*` and `nats.connect_timeout`, without
 * callbacks. The caller destroys them after connecting. */
CORE_MUST_CHECK natsOptions *fanout_options_new(const core_config *config, const char *name,
                                                core_error *error);
/* "nats.url nats://user:***@host (walcast.yaml:3)", for messages. */
void fanout_options_describe(const core_config *config, char *text, size_t text_size);

#endif
