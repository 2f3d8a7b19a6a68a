/* The nodes that load files, as they tell one another what they loaded: a brief value each in the
 * bucket {nats.stream}_nodes. For one thread. */
#ifndef WALCAST_FANOUT_PEERS_H
#define WALCAST_FANOUT_PEERS_H

#include "fanout/fanout.h"

#define FANOUT_NODE_MAX   256
#define FANOUT_PEERS_MS   15000 /* how long a node's word counts */
#define FANOUT_PEERS_EACH 5000  /* how often it is said again */

typedef struct {
    const core_config *config;
    const char *token; /* of what kind of files; static */
    fanout_bucket *bucket;
    char node[FANOUT_NODE_MAX];
} fanout_peers;

/* Names the node by its host and http.listen. */
void fanout_peers_init(fanout_peers *peers, const core_config *config, const char *token);
void fanout_peers_fini(fanout_peers *peers);
/* Says which files this node has, and finds another that has others: `other` gets its name, ""
 * when there is none. */
CORE_MUST_CHECK bool fanout_peers_tell(fanout_peers *peers, fanout_connection *connection,
                                       uint64_t hash, char other[FANOUT_NODE_MAX],
                                       core_error *error);
/* It has none any more. */
void fanout_peers_leave(fanout_peers *peers);

#endif
