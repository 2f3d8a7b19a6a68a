/* The nodes that load files, as they tell one another what they loaded: a brief value each in the
 * bucket {nats.stream}_nodes. For one thread. */
#ifndef WALCAST_TRIGGERS_PEERS_H
#define WALCAST_TRIGGERS_PEERS_H

#include "triggers/spec.h"

#define TRIGGERS_NODE_MAX   256
#define TRIGGERS_PEERS_MS   15000 /* how long a node's word counts */
#define TRIGGERS_PEERS_EACH 5000  /* how often it is said again */

typedef struct {
    const triggers_spec *spec;
    fanout_bucket *bucket;
    char node[TRIGGERS_NODE_MAX];
} triggers_peers;

/* Names the node by its host and http.listen. */
void triggers_peers_init(triggers_peers *peers, const triggers_spec *spec);
void triggers_peers_fini(triggers_peers *peers);
/* Says which files this node has, and finds another that has others: `other` gets its name, ""
 * when there is none. */
CORE_MUST_CHECK bool triggers_peers_tell(triggers_peers *peers, fanout_connection *connection,
                                         uint64_t hash, char other[TRIGGERS_NODE_MAX],
                                         core_error *error);
/* It has none any more. */
void triggers_peers_leave(triggers_peers *peers);

#endif
