/* See job_map.h. */
#include "triggers/job_map.h"

#include <stdlib.h>

#define MAP_FIRST_BUCKETS 64

bool triggers_job_map_init(triggers_job_map *map) {
    *map = (triggers_job_map){.mask = MAP_FIRST_BUCKETS - 1};
    map->buckets = calloc(MAP_FIRST_BUCKETS, sizeof *map->buckets);
    return map->buckets != NULL;
}

void triggers_job_map_fini(triggers_job_map *map) {
    free(map->buckets);
    *map = (triggers_job_map){0};
}

/* FNV's low bits are weak where texts differ in their end only. */
static triggers_job_map_node **map_bucket(const triggers_job_map *map, uint64_t hash) {
    return &map->buckets[(hash ^ hash >> 29) & map->mask];
}

static void map_put(triggers_job_map *map, triggers_job_map_node *node) {
    triggers_job_map_node **bucket = map_bucket(map, node->hash);
    node->next = *bucket;
    *bucket = node;
}

static void map_grow(triggers_job_map *map) {
    triggers_job_map larger = {.mask = map->mask * 2 + 1, .count = map->count};
    larger.buckets = calloc(larger.mask + 1, sizeof *larger.buckets);
    if (larger.buckets == NULL)
        return;
    for (size_t i = 0; i <= map->mask; i++)
        for (triggers_job_map_node *node = map->buckets[i], *next; node != NULL; node = next) {
            next = node->next;
            map_put(&larger, node);
        }
    free(map->buckets);
    *map = larger;
}

void triggers_job_map_add(triggers_job_map *map, triggers_job_map_node *node, uint64_t hash) {
    assert(!node->held);
    if (map->count > map->mask)
        map_grow(map);
    node->hash = hash;
    node->held = true;
    map_put(map, node);
    map->count++;
}

void triggers_job_map_remove(triggers_job_map *map, triggers_job_map_node *node) {
    if (!node->held)
        return;
    triggers_job_map_node **at = map_bucket(map, node->hash);
    while (*at != node) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    node->held = false;
    map->count--;
}

triggers_job_map_node *triggers_job_map_next(const triggers_job_map_node *node) {
    triggers_job_map_node *next = node->next;
    while (next != NULL && next->hash != node->hash)
        next = next->next;
    return next;
}

triggers_job_map_node *triggers_job_map_first(const triggers_job_map *map, uint64_t hash) {
    triggers_job_map_node *node = *map_bucket(map, hash);
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}
