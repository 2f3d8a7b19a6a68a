/* See hub_ids.h. */
#include "ws/hub_ids.h"

#include <stdlib.h>

#define IDS_FIRST 16

void hub_ids_fini(hub_ids *ids) {
    free(ids->owners);
    free(ids->free_ids);
}

static bool ids_grow(hub_ids *ids) {
    uint32_t capacity = ids->capacity ? ids->capacity * 2 : IDS_FIRST;
    void **owners = realloc(ids->owners, capacity * sizeof(void *));
    if (owners == NULL)
        return false;
    ids->owners = owners;
    uint32_t *free_ids = realloc(ids->free_ids, capacity * sizeof *free_ids);
    if (free_ids == NULL)
        return false;
    ids->free_ids = free_ids;
    ids->capacity = capacity;
    return true;
}

bool hub_ids_take(hub_ids *ids, void *owner, uint32_t *id) {
    if (ids->free_count > 0)
        *id = ids->free_ids[--ids->free_count];
    else if (ids->count < ids->capacity || ids_grow(ids))
        *id = ids->count++;
    else
        return false;
    ids->owners[*id] = owner;
    return true;
}

void hub_ids_give_back(hub_ids *ids, uint32_t id) {
    assert(hub_ids_owner(ids, id) != NULL);
    ids->owners[id] = NULL;
    ids->free_ids[ids->free_count++] = id;
}
