/* What the other nodes told of their quotas, by node; and who of them is alive.
 *
 * A node's values are those of its keys `n.{node}.{part}`. The watch's thread puts them in, the
 * limits' thread sums them up; a lock is between them. Bounded: further nodes than
 * AUTH_PEERS_MAX are not counted, and the log says so once. */
#ifndef WALCAST_AUTH_LIMITS_PEERS_H
#define WALCAST_AUTH_LIMITS_PEERS_H

#include "auth/limits_wire.h"

#define AUTH_PEERS_MAX     64
#define AUTH_PEER_PARTS    ((AUTH_PROJECTS_MAX + AUTH_LIMITS_PART) / AUTH_LIMITS_PART)
#define AUTH_PEER_BEAT_MS  5000 /* a node tells of itself so often at the least */
#define AUTH_PEER_GONE_MS  (3 * AUTH_PEER_BEAT_MS)
#define AUTH_PEER_NAME_MAX 32
#define AUTH_PEER_KEY_MAX  64

typedef struct {
    auth_project *project;
    uint32_t claims[AUTH_QUOTA_KINDS], before[AUTH_QUOTA_KINDS];
} auth_peer_row;

typedef struct {
    bool fresh; /* told since the last beginning */
    uint64_t window;
    size_t count;
    auth_peer_row *rows;
} auth_peer_part;

typedef struct {
    char name[AUTH_PEER_NAME_MAX + 1];
    int64_t heard_ms;
    auth_peer_part parts[AUTH_PEER_PARTS];
} auth_peer;

typedef struct {
    const char *self; /* this node: what it told is passed over */
    auth_quota_table *table;
    core_log *log;
    pthread_mutex_t lock;
    bool whole; /* all that the bucket holds was told */
    bool told_strange, told_many;
    size_t count;
    auth_peer *peers[AUTH_PEERS_MAX];
} auth_peers;

void auth_peers_init(auth_peers *peers, const char *self, auth_quota_table *table, core_log *log);
void auth_peers_fini(auth_peers *peers);
/* "n.{node}.{part}". */
void auth_peer_key(char key[AUTH_PEER_KEY_MAX], const char *node, size_t part);

/* ---- Of the watch ---- */
void auth_peers_begin(auth_peers *peers);
/* `window_ms`: of this node; what is counted in another is not taken. */
void auth_peers_entry(auth_peers *peers, const char *key, core_slice value, bool deleted,
                      int64_t window_ms, int64_t now_ms);
void auth_peers_all(auth_peers *peers);

/* ---- Of the limits' thread ---- */
/* All values were told at least once. */
bool auth_peers_whole(auth_peers *peers);
/* Those alive, without this node; forgets the others once nothing of them counts. */
size_t auth_peers_alive(auth_peers *peers, int64_t now_ms);
/* Teaches every quota of the table what the others told. */
void auth_peers_teach(auth_peers *peers, const auth_quota_rule *rule, int64_t wall_ms);

#endif
