/* Row-level security: the conditions that a table's rows must pass for a role, and with its claims
 * for a class.
 *
 * A table's policies are compiled once a role, shape and look of the grants; the claims of a class
 * are computed into that once. What the engine cannot evaluate keeps its reason. Belongs to the
 * hub's thread. */
#ifndef WALCAST_WS_HUB_POLICY_H
#define WALCAST_WS_HUB_POLICY_H

#include "ws/hub_access.h"
#include "ws/hub_shape.h"
#include "ws/subscription.h"

#define HUB_POLICY_REASON_MAX 256
#define HUB_POLICY_ASKING_MAX 64   /* claims; with more all are asked about */
#define HUB_CLASS_POLICIES    4096 /* tables that a class is held against at once */

/* A table's policies as they govern a role. */
struct hub_policy {
    uint32_t oid;        /* of the table */
    uint64_t generation; /* of the grants that it was found in last */
    uint64_t hash;       /* auth_policy_hash */
    uint64_t serial;     /* never the same again */
    hub_shape *shape;
    /* PostgreSQL must be asked of some rows: of all who are held against it, or of those with these
     * claims. They are of the slow audience. */
    bool asks;
    uint16_t asking_count;
    uint64_t asking[HUB_POLICY_ASKING_MAX];
    expr_condition *condition; /* NULL: `reason` says why the engine cannot */
    bool *reads;               /* of each column, whether the condition as SQL may read it */
    char reason[HUB_POLICY_REASON_MAX];
};

/* The same with a class's claims. */
typedef struct {
    uint32_t oid;
    uint64_t serial;           /* of the hub_policy */
    expr_condition *condition; /* NULL: the claims cannot be read so; nothing passes */
    char reason[HUB_POLICY_REASON_MAX];
} hub_class_policy;

typedef struct {
    hub_class_policy *items;
    size_t count;
} hub_class_policies;

/* Of the table of the change at hand, whose sight is FILTERED. NULL when memory is out. */
hub_policy *hub_role_policy(hub_role *role, const core_relation *relation);
/* Whether the one of that serial is what the role's grants say now. */
bool hub_role_policy_holds(hub_role *role, uint64_t serial);
void hub_role_policies_fini(hub_role *role);
/* Whether PostgreSQL can be asked about an image: what the policies may read of it came with the
 * change. `only_key`: of the image only the key did. */
bool hub_policy_covers(const hub_policy *policy, const core_tuple *image, bool only_key);
/* Whether PostgreSQL is asked for who has these claims; notes that it is. */
bool hub_policy_asks(const hub_policy *policy, uint64_t claims_hash);
void hub_policy_note_asks(hub_policy *policy, uint64_t claims_hash);

/* NULL when memory is out. */
const hub_class_policy *hub_class_policy_of(hub_class_policies *policies, const hub_policy *policy,
                                            const ws_subscription *subscription);
void hub_class_policies_fini(hub_class_policies *policies);

#endif
