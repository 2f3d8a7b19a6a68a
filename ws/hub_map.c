/* Chained buckets, doubled when there are as many nodes; see hub_map.h. */
#include "ws/hub_map.h"

#include <stdlib.h>

#define MAP_FIRST_BUCKETS 8

void hub_map_fini(hub_map *map) {
    free(map->buckets);
    *map = (hub_map){0};
}

static hub_map_node **map_bucket(const hub_map *map, uint64_t hash) {
    return &map->buckets[(hash ^ hash >> 29) & (map->capacity - 1)];
}

static bool map_grow(hub_map *map) {
    hub_map larger = {.capacity = map->capacity ? map->capacity * 2 : MAP_FIRST_BUCKETS};
    larger.buckets = calloc(larger.capacity, sizeof(hub_map_node *));
    if (larger.buckets == NULL)
        return false;
    for (size_t i = 0; i < map->capacity; i++) {
        for (hub_map_node *node = map->buckets[i], *next; node != NULL; node = next) {
            next = node->next;
            hub_map_node **bucket = map_bucket(&larger, node->hash);
            node->next = *bucket;
            *bucket = node;
        }
    }
    free(map->buckets);
    map->buckets = larger.buckets;
    map->capacity = larger.capacity;
    return true;
}

bool hub_map_add(hub_map *map, hub_map_node *node, uint64_t hash, void *owner) {
    if (map->count >= map->capacity && !map_grow(map))
        return false;
    hub_map_node **bucket = map_bucket(map, hash);
    *node = (hub_map_node){.next = *bucket, .hash = hash, .owner = owner};
    *bucket = node;
    map->count++;
    return true;
}

void hub_map_remove(hub_map *map, hub_map_node *node) {
    hub_map_node **at = map_bucket(map, node->hash);
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    map->count--;
}

static hub_map_node *map_same(hub_map_node *node, uint64_t hash) {
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

hub_map_node *hub_map_first(const hub_map *map, uint64_t hash) {
    return map->capacity ? map_same(*map_bucket(map, hash), hash) : NULL;
}

hub_map_node *hub_map_next(const hub_map_node *node) {
    return map_same(node->next, node->hash);
}

void *hub_map_each(const hub_map *map, size_t *cursor, hub_map_node **at) {
    hub_map_node *node = *cursor > 0 && *at != NULL ? (*at)->next : NULL;
    while (node == NULL && *cursor < map->capacity)
        node = map->buckets[(*cursor)++];
    *at = node;
    return node != NULL ? node->owner : NULL;
}
