/* See peers.h. */
#include "fanout/peers.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define KEY_MAX (FANOUT_NODE_MAX + 32)

void fanout_peers_init(fanout_peers *peers, const core_config *config, const char *token) {
    char host[128] = "";
    *peers = (fanout_peers){.config = config, .token = token};
    if (gethostname(host, sizeof host) != 0)
        host[0] = '\0';
    host[sizeof host - 1] = '\0';
    (void)snprintf(peers->node, sizeof peers->node, "%s/%s", host,
                   core_config_text(config, "http.listen"));
}

static void key_of(const fanout_peers *peers, char key[KEY_MAX]) {
    (void)snprintf(key, KEY_MAX, "%s.%s", peers->token, peers->node);
}

void fanout_peers_fini(fanout_peers *peers) {
    if (peers->bucket != NULL)
        fanout_bucket_free(peers->bucket);
    peers->bucket = NULL;
}

void fanout_peers_leave(fanout_peers *peers) {
    char key[KEY_MAX];
    core_error ignored;
    key_of(peers, key);
    if (peers->bucket != NULL)
        (void)!fanout_bucket_delete(peers->bucket, key, &ignored);
}

typedef struct {
    const fanout_peers *peers;
    const char *hash;
    char *other;
} peer_look;

static bool peer_take(void *context, const fanout_bucket_entry *entry, core_error *error) {
    const peer_look *look = context;
    char name[KEY_MAX];
    core_buffer out = core_buffer_over(name, sizeof name - 1);
    size_t before = strlen(look->peers->token) + 1; /* and the dot */
    (void)error;
    if (core_slice_is(entry->value, look->hash) ||
        !fanout_bucket_key_read(core_slice_text(entry->key), &out) || out.length <= before)
        return true;
    name[out.length] = '\0';
    if (strcmp(name + before, look->peers->node) != 0)
        (void)snprintf(look->other, FANOUT_NODE_MAX, "%s", name + before);
    return true;
}

bool fanout_peers_tell(fanout_peers *peers, fanout_connection *connection, uint64_t hash,
                       char other[FANOUT_NODE_MAX], core_error *error) {
    char key[KEY_MAX], text[24];
    peer_look look = {.peers = peers, .hash = text, .other = other};
    other[0] = '\0';
    key_of(peers, key);
    (void)snprintf(text, sizeof text, "%016" PRIx64, hash);
    if (peers->bucket == NULL)
        peers->bucket =
            fanout_bucket_new_brief(connection, peers->config, "nodes", FANOUT_PEERS_MS, error);
    return peers->bucket != NULL &&
           fanout_bucket_put(peers->bucket, key, core_slice_text(text), error) &&
           fanout_bucket_each(peers->bucket, peers->token, peer_take, &look, error);
}
