/* The values that filters ask one column for, and who asks: from a row's value to the entries that
 * it may match. Belongs to the hub's thread. */
#ifndef WALCAST_WS_HUB_GROUP_H
#define WALCAST_WS_HUB_GROUP_H

#include "expr/expr.h"
#include "ws/hub_map.h"

typedef struct hub_entry hub_entry;

/* An entry's place under one hash. The first of a hash stands in the map for all of them. */
typedef struct hub_link hub_link;
struct hub_link {
    hub_map_node node;
    hub_link *next, *previous;
    hub_entry *entry;
    uint32_t count; /* of the hash; kept by the first */
    uint16_t column;
};

typedef struct hub_group hub_group;
struct hub_group {
    hub_group *next;
    hub_map firsts; /* by the hash of a value */
    uint16_t column;
    uint32_t untold; /* entries to look at when an update does not carry the column, or more */
    uint32_t untold_later; /* of them those by a policy, to which a value read later is none */
};

/* The list's group of that column; NULL when there is none. */
hub_group *hub_group_find(hub_group *groups, uint16_t column);
/* The same, made where there is none; NULL when memory is out. */
CORE_MUST_CHECK hub_group *hub_group_get(hub_group **groups, uint16_t column);
/* All of the list; they must be empty. */
void hub_group_free_all(hub_group **groups);
/* How many entries stand under that of the key's hashes which has the most. `group` may be NULL. */
uint32_t hub_group_fill(const hub_group *group, const expr_key *key);
/* Puts the entry under the hash by `link`, which must stay where it is. False when memory is out.
 */
CORE_MUST_CHECK bool hub_group_add(hub_group *group, uint64_t hash, hub_link *link,
                                   hub_entry *entry);
/* In constant time. */
void hub_group_drop(hub_group *group, hub_link *link);
/* The first of the links under the hash, whose next are the others; NULL when there is none. */
const hub_link *hub_group_first(const hub_group *group, uint64_t hash);

#endif
