/* The subscription index: from a change to the bindings of classes that want it. Belongs to the
 * hub's thread. */
#ifndef WALCAST_WS_HUB_INDEX_H
#define WALCAST_WS_HUB_INDEX_H

#include "ws/hub_table.h"

typedef struct {
    hub_map rules;
    hub_map tables;
    const core_tenants *tenants; /* whose schemas are whose; NULL: all are the source's own */
} hub_index;

void hub_index_fini(hub_index *index);
/* Adds the user to that rule, which is made when there is none. A rule with a filter has a schema
 * and a table; whose it is counts where it is of any schema. INPUT error when the filter does not
 * fit a table whose shape is known. */
CORE_MUST_CHECK hub_rule *hub_index_add(hub_index *index, const hub_rule_key *wanted,
                                        const hub_user *user, uint32_t *position,
                                        core_error *error);
/* After the last user of a rule is gone. */
void hub_index_drop(hub_index *index, hub_rule *rule);
/* Tells the listener what the change matches and what cannot be evaluated. False when memory is
 * out. */
CORE_MUST_CHECK bool hub_index_match(hub_index *index, const core_change *change,
                                     const hub_listener *listener);

#endif
