/* See peers.h. */
#include "triggers/peers.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define TOKEN   "triggers"
#define KEY_MAX (TRIGGERS_NODE_MAX + sizeof TOKEN + 1)

void triggers_peers_init(triggers_peers *peers, const triggers_spec *spec) {
    char host[128] = "";
    *peers = (triggers_peers){.spec = spec};
    if (gethostname(host, sizeof host) != 0)
        host[0] = '\0';
    host[sizeof host - 1] = '\0';
    (void)snprintf(peers->node, sizeof peers->node, "%s/%s", host,
                   core_config_text(spec->config, "http.listen"));
}

static void key_of(const triggers_peers *peers, char key[KEY_MAX]) {
    (void)snprintf(key, KEY_MAX, TOKEN ".%s", peers->node);
}

void triggers_peers_fini(triggers_peers *peers) {
    if (peers->bucket != NULL)
        fanout_bucket_free(peers->bucket);
    peers->bucket = NULL;
}

void triggers_peers_leave(triggers_peers *peers) {
    char key[KEY_MAX];
    core_error ignored;
    key_of(peers, key);
    if (peers->bucket != NULL)
        (void)!fanout_bucket_delete(peers->bucket, key, &ignored);
}

typedef struct {
    const triggers_peers *peers;
    const char *hash;
    char *other;
} peer_look;

static bool peer_take(void *context, const fanout_bucket_entry *entry, core_error *error) {
    const peer_look *look = context;
    char name[KEY_MAX];
    core_buffer out = core_buffer_over(name, sizeof name - 1);
    (void)error;
    if (core_slice_is(entry->value, look->hash) ||
        !fanout_bucket_key_read(core_slice_text(entry->key), &out) || out.length <= sizeof TOKEN)
        return true;
    name[out.length] = '\0';
    if (strcmp(name + sizeof TOKEN, look->peers->node) != 0)
        (void)snprintf(look->other, TRIGGERS_NODE_MAX, "%s", name + sizeof TOKEN);
    return true;
}

bool triggers_peers_tell(triggers_peers *peers, fanout_connection *connection, uint64_t hash,
                         char other[TRIGGERS_NODE_MAX], core_error *error) {
    char key[KEY_MAX], text[24];
    peer_look look = {.peers = peers, .hash = text, .other = other};
    other[0] = '\0';
    key_of(peers, key);
    (void)snprintf(text, sizeof text, "%016" PRIx64, hash);
    if (peers->bucket == NULL)
        peers->bucket = fanout_bucket_new_brief(connection, peers->spec->config, "nodes",
                                                TRIGGERS_PEERS_MS, error);
    return peers->bucket != NULL &&
           fanout_bucket_put(peers->bucket, key, core_slice_text(text), error) &&
           fanout_bucket_each(peers->bucket, TOKEN, peer_take, &look, error);
}
