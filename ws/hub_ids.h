/* Small numbers for what the hub and the service threads both name: given out densely, so that they
 * index arrays, and again once they are given back. */
#ifndef WALCAST_WS_HUB_IDS_H
#define WALCAST_WS_HUB_IDS_H

#include "core/core.h"

typedef struct {
    void **owners; /* NULL where free */
    uint32_t count, capacity;
    uint32_t *free_ids;
    uint32_t free_count;
} hub_ids;

void hub_ids_fini(hub_ids *ids);
/* False when memory is out. */
CORE_MUST_CHECK bool hub_ids_take(hub_ids *ids, void *owner, uint32_t *id);
void hub_ids_give_back(hub_ids *ids, uint32_t id);
/* NULL: the number is free. Another than was ever given out aborts. */
static inline void *hub_ids_owner(const hub_ids *ids, uint32_t id) {
    assert(id < ids->count);
    return ids->owners[id];
}

#endif
