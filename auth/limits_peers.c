/* See limits_peers.h. */
#include "auth/limits_peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void auth_peers_init(auth_peers *peers, const char *self, auth_quota_table *table, core_log *log) {
    *peers = (auth_peers){.self = self, .table = table, .log = log};
    (void)pthread_mutex_init(&peers->lock, NULL);
}

static void part_clear(auth_peer_part *part) {
    free(part->rows);
    *part = (auth_peer_part){.fresh = part->fresh};
}

static void peer_free(auth_peer *peer) {
    for (size_t i = 0; i < AUTH_PEER_PARTS; i++)
        part_clear(&peer->parts[i]);
    free(peer);
}

void auth_peers_fini(auth_peers *peers) {
    for (size_t i = 0; i < peers->count; i++)
        peer_free(peers->peers[i]);
    (void)pthread_mutex_destroy(&peers->lock);
}

void auth_peer_key(char key[AUTH_PEER_KEY_MAX], const char *node, size_t part) {
    (void)snprintf(key, AUTH_PEER_KEY_MAX, "n.%s.%zu", node, part);
}

/* ---- Keys ---- */

static bool key_read(const char *key, char node[AUTH_PEER_NAME_MAX + 1], size_t *part) {
    const char *dot = strrchr(key, '.');
    uint64_t number;
    if (strncmp(key, "n.", 2) != 0 || dot == NULL || dot < key + 3 ||
        !core_slice_to_u64(core_slice_text(dot + 1), &number) || number >= AUTH_PEER_PARTS)
        return false;
    *part = (size_t)number;
    return core_slice_to_text(core_slice_make(key + 2, (size_t)(dot - key - 2)), node,
                              AUTH_PEER_NAME_MAX + 1);
}

/* With the lock. NULL: there is no room for it, or no memory. */
static auth_peer *peer_find(auth_peers *peers, const char *name) {
    for (size_t i = 0; i < peers->count; i++)
        if (strcmp(peers->peers[i]->name, name) == 0)
            return peers->peers[i];
    auth_peer *peer = peers->count < AUTH_PEERS_MAX ? calloc(1, sizeof *peer) : NULL;
    if (peer == NULL) {
        if (!peers->told_many)
            CORE_LOG(peers->log, WARN, "auth", "more nodes share limits than can be counted",
                     CORE_LOG_NUMBER("most", AUTH_PEERS_MAX));
        peers->told_many = true;
        return NULL;
    }
    (void)snprintf(peer->name, sizeof peer->name, "%s", name);
    peers->peers[peers->count++] = peer;
    return peer;
}

/* ---- Values ---- */

typedef struct {
    auth_peers *peers;
    size_t count;
    auth_peer_row *rows; /* AUTH_LIMITS_PART */
} part_reading;

static void part_row(void *context, const auth_limits_row *row) {
    part_reading *reading = context;
    auth_peer_row *to = &reading->rows[reading->count++];
    to->project = auth_quota_table_find(reading->peers->table, row->project);
    memcpy(to->claims, row->claims, sizeof to->claims);
    memcpy(to->before, row->before, sizeof to->before);
}

static void peers_strange(auth_peers *peers, const char *key) {
    if (!peers->told_strange)
        CORE_LOG(peers->log, WARN, "auth",
                 "another node counts limits in another way: is its limits.window another?",
                 CORE_LOG_TEXT("key", key));
    peers->told_strange = true;
}

/* With the lock. */
static void part_take(auth_peers *peers, auth_peer_part *part, const char *key, core_slice value,
                      int64_t window_ms) {
    auth_limits_head head;
    part_reading reading = {.peers = peers, .rows = calloc(AUTH_LIMITS_PART, sizeof *reading.rows)};
    bool ok = reading.rows != NULL && auth_limits_read(value, &head, part_row, &reading);
    part_clear(part);
    if (!ok || head.window_ms != window_ms)
        peers_strange(peers, key);
    if (!ok || head.window_ms != window_ms || reading.count == 0) {
        free(reading.rows);
        return;
    }
    auth_peer_row *less = realloc(reading.rows, reading.count * sizeof *less);
    *part = (auth_peer_part){.fresh = true,
                             .window = head.window,
                             .count = reading.count,
                             .rows = less != NULL ? less : reading.rows};
}

void auth_peers_begin(auth_peers *peers) {
    (void)pthread_mutex_lock(&peers->lock);
    for (size_t i = 0; i < peers->count; i++)
        for (size_t part = 0; part < AUTH_PEER_PARTS; part++)
            peers->peers[i]->parts[part].fresh = false;
    (void)pthread_mutex_unlock(&peers->lock);
}

void auth_peers_entry(auth_peers *peers, const char *key, core_slice value, bool deleted,
                      int64_t window_ms, int64_t now_ms) {
    char node[AUTH_PEER_NAME_MAX + 1];
    size_t part;
    if (!key_read(key, node, &part) || strcmp(node, peers->self) == 0)
        return;
    (void)pthread_mutex_lock(&peers->lock);
    auth_peer *peer = peer_find(peers, node);
    if (peer != NULL && deleted) { /* it has ended; what it admitted counts on */
        if (part == 0)
            peer->heard_ms = INT64_MIN;
    } else if (peer != NULL) {
        peer->heard_ms = now_ms;
        part_take(peers, &peer->parts[part], key, value, window_ms);
    }
    (void)pthread_mutex_unlock(&peers->lock);
}

void auth_peers_all(auth_peers *peers) {
    (void)pthread_mutex_lock(&peers->lock);
    peers->whole = true;
    for (size_t i = 0; i < peers->count; i++)
        for (size_t part = 0; part < AUTH_PEER_PARTS; part++)
            if (!peers->peers[i]->parts[part].fresh)
                part_clear(&peers->peers[i]->parts[part]);
    (void)pthread_mutex_unlock(&peers->lock);
}

/* ---- Looking ---- */

bool auth_peers_whole(auth_peers *peers) {
    (void)pthread_mutex_lock(&peers->lock);
    bool whole = peers->whole;
    (void)pthread_mutex_unlock(&peers->lock);
    return whole;
}

static bool peer_empty(const auth_peer *peer) {
    for (size_t i = 0; i < AUTH_PEER_PARTS; i++)
        if (peer->parts[i].count > 0)
            return false;
    return true;
}

size_t auth_peers_alive(auth_peers *peers, int64_t now_ms) {
    size_t alive = 0;
    (void)pthread_mutex_lock(&peers->lock);
    for (size_t i = 0; i < peers->count; i++) {
        auth_peer *peer = peers->peers[i];
        if (peer->heard_ms >= now_ms - AUTH_PEER_GONE_MS) {
            alive++;
        } else if (peer_empty(peer)) {
            peer_free(peer);
            peers->peers[i--] = peers->peers[--peers->count];
        }
    }
    (void)pthread_mutex_unlock(&peers->lock);
    return alive;
}

/* What a row told in the window `told` counts in `window`. */
static void row_add(const auth_peer_row *row, uint64_t told, uint64_t window) {
    auth_project *project = row->project;
    for (size_t kind = 0; kind < AUTH_QUOTA_KINDS; kind++) {
        if (told == window) {
            project->claims[kind] += row->claims[kind];
            project->before[kind] += row->before[kind];
        } else if (told + 1 == window) {
            project->before[kind] += row->claims[kind];
        } else if (told == window + 1) { /* its clock is ahead */
            project->claims[kind] += row->before[kind];
        }
    }
}

/* With the lock. */
static void peers_sum(auth_peers *peers, uint64_t window) {
    for (size_t i = 0; i < peers->count; i++)
        for (size_t p = 0; p < AUTH_PEER_PARTS; p++) {
            auth_peer_part *part = &peers->peers[i]->parts[p];
            if (part->window + 1 < window)
                part_clear(part);
            for (size_t row = 0; row < part->count; row++)
                row_add(&part->rows[row], part->window, window);
        }
}

void auth_peers_teach(auth_peers *peers, const auth_quota_rule *rule, int64_t wall_ms) {
    size_t count = atomic_load(&peers->table->count);
    for (size_t i = 0; i < count; i++) {
        auth_project *project = auth_quota_table_at(peers->table, i);
        memset(project->claims, 0, sizeof project->claims);
        memset(project->before, 0, sizeof project->before);
    }
    (void)pthread_mutex_lock(&peers->lock);
    peers_sum(peers, (uint64_t)(wall_ms / rule->window_ms));
    (void)pthread_mutex_unlock(&peers->lock);
    for (size_t i = 0; i < count; i++) {
        auth_project *project = auth_quota_table_at(peers->table, i);
        for (size_t kind = 0; kind < AUTH_QUOTA_KINDS; kind++)
            auth_quota_learn(&project->quotas[kind], rule, wall_ms, project->claims[kind],
                             project->before[kind]);
    }
}
