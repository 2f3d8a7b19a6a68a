/* Buckets of doubly linked entries in a map by hash; see hub_group.h. */
#include "ws/hub_group.h"

#include <stdlib.h>

struct hub_bucket {
    hub_map_node node;
    hub_link *first;
    uint32_t count;
};

hub_group *hub_group_find(hub_group *groups, uint16_t column) {
    while (groups != NULL && groups->column != column)
        groups = groups->next;
    return groups;
}

hub_group *hub_group_get(hub_group **groups, uint16_t column) {
    hub_group *group = hub_group_find(*groups, column);
    if (group != NULL)
        return group;
    group = calloc(1, sizeof *group);
    if (group == NULL)
        return NULL;
    group->column = column;
    group->next = *groups;
    *groups = group;
    return group;
}

void hub_group_free_all(hub_group **groups) {
    while (*groups != NULL) {
        hub_group *group = *groups;
        assert(group->buckets.count == 0);
        *groups = group->next;
        hub_map_fini(&group->buckets);
        free(group);
    }
}

static hub_bucket *group_bucket(const hub_group *group, uint64_t hash) {
    const hub_map_node *node = hub_map_first(&group->buckets, hash);
    return node != NULL ? node->owner : NULL;
}

uint32_t hub_group_fill(const hub_group *group, const expr_key *key) {
    uint32_t most = 0;
    for (size_t i = 0; group != NULL && i < key->count; i++) {
        const hub_bucket *bucket = group_bucket(group, key->hashes[i]);
        if (bucket != NULL && bucket->count > most)
            most = bucket->count;
    }
    return most;
}

static hub_bucket *group_add_bucket(hub_group *group, uint64_t hash) {
    hub_bucket *bucket = calloc(1, sizeof *bucket);
    if (bucket == NULL || hub_map_add(&group->buckets, &bucket->node, hash, bucket))
        return bucket;
    free(bucket);
    return NULL;
}

bool hub_group_add(hub_group *group, uint64_t hash, hub_link *link, hub_entry *entry) {
    hub_bucket *bucket = group_bucket(group, hash);
    if (bucket == NULL)
        bucket = group_add_bucket(group, hash);
    if (bucket == NULL)
        return false;
    *link = (hub_link){.next = bucket->first, .bucket = bucket, .entry = entry};
    if (bucket->first != NULL)
        bucket->first->previous = link;
    bucket->first = link;
    bucket->count++;
    return true;
}

void hub_group_drop(hub_group *group, hub_link *link) {
    hub_bucket *bucket = link->bucket;
    if (link->previous != NULL)
        link->previous->next = link->next;
    else
        bucket->first = link->next;
    if (link->next != NULL)
        link->next->previous = link->previous;
    if (--bucket->count > 0)
        return;
    hub_map_remove(&group->buckets, &bucket->node);
    free(bucket);
}

const hub_link *hub_group_first(const hub_group *group, uint64_t hash) {
    const hub_bucket *bucket = group_bucket(group, hash);
    return bucket != NULL ? bucket->first : NULL;
}
