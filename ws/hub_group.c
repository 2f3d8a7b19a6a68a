/* Lists of entries, doubly linked, in a map by hash; see hub_group.h. Nothing is allocated for a
 * hash, so that finding an entry touches little memory besides its own. */
#include "ws/hub_group.h"

#include <stdlib.h>

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
        assert(group->firsts.count == 0);
        *groups = group->next;
        hub_map_fini(&group->firsts);
        free(group);
    }
}

static hub_link *group_first(const hub_group *group, uint64_t hash) {
    const hub_map_node *node = hub_map_first(&group->firsts, hash);
    return node != NULL ? node->owner : NULL;
}

const hub_link *hub_group_first(const hub_group *group, uint64_t hash) {
    return group_first(group, hash);
}

uint32_t hub_group_fill(const hub_group *group, const expr_key *key) {
    uint32_t most = 0;
    for (size_t i = 0; group != NULL && i < key->count; i++) {
        const hub_link *first = group_first(group, key->hashes[i]);
        if (first != NULL && first->count > most)
            most = first->count;
    }
    return most;
}

bool hub_group_add(hub_group *group, uint64_t hash, hub_link *link, hub_entry *entry) {
    hub_link *first = group_first(group, hash);
    *link = (hub_link){.node.hash = hash, .entry = entry, .count = 1, .column = group->column};
    if (first == NULL)
        return hub_map_add(&group->firsts, &link->node, hash, link);
    link->previous = first;
    link->next = first->next;
    if (first->next != NULL)
        first->next->previous = link;
    first->next = link;
    first->count++;
    return true;
}

/* The next becomes the first. */
static void group_drop_first(hub_group *group, hub_link *first) {
    hub_link *next = first->next;
    hub_map_remove(&group->firsts, &first->node);
    if (next == NULL)
        return;
    next->previous = NULL;
    next->count = first->count - 1;
    bool added = hub_map_add(&group->firsts, &next->node, first->node.hash, next);
    assert(added); /* into the room that just became free */
    (void)added;
}

void hub_group_drop(hub_group *group, hub_link *link) {
    if (link->previous == NULL) {
        group_drop_first(group, link);
        return;
    }
    group_first(group, link->node.hash)->count--;
    link->previous->next = link->next;
    if (link->next != NULL)
        link->next->previous = link->previous;
}
