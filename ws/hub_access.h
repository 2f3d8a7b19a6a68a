/* The roles of those who are in, and what each may see of the table at hand.
 *
 * A role is held as long as a class or a join is of it. What it may see is asked of auth_access
 * once a message of the stream and role, so that a REVOKE counts from the moment it was noticed.
 * Belongs to the hub's thread. */
#ifndef WALCAST_WS_HUB_ACCESS_H
#define WALCAST_WS_HUB_ACCESS_H

#include "auth/auth.h"
#include "expr/expr.h"
#include "ws/hub_map.h"

typedef struct hub_access hub_access;
typedef struct hub_policy hub_policy; /* hub_policy.h */

typedef struct {
    hub_map_node node; /* by name */
    hub_access *access;
    unsigned references;
    auth_role *role;
    uint64_t stamp; /* the message that `sight` is about */
    auth_table_decision sight;
    hub_policy *sight_policy; /* of its table, once it was looked up */
    hub_policy **policies;    /* of tables with row-level security, the last used first */
    size_t policy_count;
} hub_role;

struct hub_access {
    auth_access *source;
    hub_map roles;
    uint64_t stamp; /* of the message at hand */
    uint64_t policy_serial;
};

void hub_access_init(hub_access *access, auth_access *source);
/* All roles must have been released. */
void hub_access_fini(hub_access *access);
/* One reference. NULL with the reason when the name cannot be a role's, or too many are held. */
CORE_MUST_CHECK hub_role *hub_access_role(hub_access *access, core_slice name, core_error *error);
hub_role *hub_role_retain(hub_role *role);
/* NULL is allowed. */
void hub_role_release(hub_role *role);
/* Another message is at hand: what was decided for the last one no longer counts. */
void hub_access_next(hub_access *access);
/* The decision on the table of the message at hand, which is the same for all calls until next. A
 * PENDING one is asked again with each call. */
const auth_table_decision *hub_role_sight(hub_role *role, const core_relation *relation);
/* The first column that the filter reads and the role may not: that a change matches would tell
 * what is in it. Empty: there is none. NULL, for no filter, is allowed. */
core_slice hub_filter_hidden(const expr_filter *filter, const auth_table *table);

#endif
