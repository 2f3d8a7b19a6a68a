/* A hash table of nodes that stand in what they find: by hash, the caller compares.
 *
 * Hashes begin with a seed that nobody outside knows, so that keys cannot be chosen to collide.
 * Grows by doubling; when memory is out it stays as it is and is only slower. One thread. */
#ifndef WALCAST_TRIGGERS_JOB_MAP_H
#define WALCAST_TRIGGERS_JOB_MAP_H

#include "core/core.h"

typedef struct triggers_job_map_node triggers_job_map_node;
struct triggers_job_map_node {
    triggers_job_map_node *next;
    uint64_t hash;
    bool held; /* is in a map */
};

typedef struct {
    triggers_job_map_node **buckets;
    size_t mask;
    size_t count;
} triggers_job_map;

/* False when memory is out. */
CORE_MUST_CHECK bool triggers_job_map_init(triggers_job_map *map);
/* Nodes are forgotten, not touched. */
void triggers_job_map_fini(triggers_job_map *map);
/* The node must be in no map. */
void triggers_job_map_add(triggers_job_map *map, triggers_job_map_node *node, uint64_t hash);
/* Fine when it is in none. */
void triggers_job_map_remove(triggers_job_map *map, triggers_job_map_node *node);
/* The first node of that hash, then the next ones; NULL: no more. */
triggers_job_map_node *triggers_job_map_first(const triggers_job_map *map, uint64_t hash);
triggers_job_map_node *triggers_job_map_next(const triggers_job_map_node *node);

#endif
