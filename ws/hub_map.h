/* A hash table of nodes that their owners embed: nothing is allocated per entry, and several may
 * have the same hash. The caller compares; see hub_map_first. Owned by the hub's thread. */
#ifndef WALCAST_WS_HUB_MAP_H
#define WALCAST_WS_HUB_MAP_H

#include "core/core.h"

typedef struct hub_map_node hub_map_node;
struct hub_map_node {
    hub_map_node *next;
    uint64_t hash;
    void *owner;
};

typedef struct {
    hub_map_node **buckets;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
} hub_map;

void hub_map_fini(hub_map *map);
/* False when memory is out. */
CORE_MUST_CHECK bool hub_map_add(hub_map *map, hub_map_node *node, uint64_t hash, void *owner);
void hub_map_remove(hub_map *map, hub_map_node *node);
/* The first node of that hash, and the next after one: for the caller to look at the owner. */
hub_map_node *hub_map_first(const hub_map *map, uint64_t hash);
hub_map_node *hub_map_next(const hub_map_node *node);
/* Every owner in turn: start with 0 in `*cursor`; NULL at the end. Nothing may change meanwhile. */
void *hub_map_each(const hub_map *map, size_t *cursor, hub_map_node **at);

#endif
