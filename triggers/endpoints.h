/* The endpoints that a thread sends to, each found by its definition, and the secrets that are put
 * into their texts. For one thread; a secret that is needed is asked of the broker, which waits. */
#ifndef WALCAST_TRIGGERS_ENDPOINTS_H
#define WALCAST_TRIGGERS_ENDPOINTS_H

#include "fanout/fanout.h"
#include "triggers/endpoint.h"

typedef struct triggers_endpoints triggers_endpoints;

typedef struct {
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    const char *connection; /* what NATS knows the connection as that secrets come by; static */
} triggers_endpoints_spec;

/* Connects when a secret is needed. */
CORE_MUST_CHECK triggers_endpoints *triggers_endpoints_new(const triggers_endpoints_spec *spec,
                                                           core_error *error);
/* Nothing is under way any more. NULL is allowed. */
void triggers_endpoints_free(triggers_endpoints *endpoints);
/* The definition's, made when missing, and as the definition is now. Until the next call. NULL:
 * memory is out. Those that nobody has used for an hour are forgotten when one is made,
 * once a minute. */
CORE_MUST_CHECK triggers_endpoint *triggers_endpoints_get(triggers_endpoints *endpoints,
                                                          const triggers_definition *definition,
                                                          int64_t now_ms);
/* Which partitions are held, as bits (spread.h): at first all. */
void triggers_endpoints_share(triggers_endpoints *endpoints, uint32_t held);
/* Whether no endpoint has more under way than who holds these may. */
bool triggers_endpoints_fit(const triggers_endpoints *endpoints, uint32_t held);
/* NULL: there is none. */
triggers_endpoint *triggers_endpoints_find(const triggers_endpoints *endpoints, core_slice project,
                                           core_slice name);

#endif
