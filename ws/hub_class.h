/* A class: everybody who joined the same topic with the same bindings, serializer and access. One
 * frame a change serves all of them, on every service thread. */
#ifndef WALCAST_WS_HUB_CLASS_H
#define WALCAST_WS_HUB_CLASS_H

#include "ws/hub_access.h"
#include "ws/hub_ask.h"
#include "ws/hub_ids.h"
#include "ws/hub_index.h"
#include "ws/hub_policy.h"
#include "ws/subscription.h"

typedef struct hub_classes hub_classes;

/* A binding that the change at hand concerns. */
typedef struct {
    uint32_t binding;
    bool left; /* the row no longer matches it */
} hub_hit;

struct hub_class {
    hub_map_node node; /* by the subscription's key */
    hub_classes *home;
    uint32_t id;
    ws_subscription *subscription;
    bool by_claims; /* its members have the same claims: what their policies read */
    bool renewing;  /* its members were told to join anew */
    /* What its rules were narrowed by (hub_settle.c): the last policy, 0: none is; and since which
     * grants. */
    uint64_t settled_serial, settled_generation;
    bool settles;
    hub_class *settle_next;
    bool hides_old; /* of the change at hand: the old row was not to be seen */
    hub_class_policies policies;
    hub_role *role; /* NULL: it asks for no tables */
    uint64_t *told; /* hashes of tables whose changes it was told that it may not see */
    uint32_t told_count;
    uint64_t told_access; /* the generation of its role's grants then */
    hub_rule **rules;     /* of each binding */
    uint32_t *positions;  /* where each binding stands among its rule's users */
    core_buffer head;     /* what stands before the ids in its frames */
    /* What the change at hand matched. */
    uint64_t stamp; /* the change's number */
    hub_hit *matched;
    uint32_t matched_count;
    hub_class *touched_next;
    /* Members on each service thread. */
    uint32_t total;
    uint32_t members[];
};

struct hub_classes {
    hub_map by_key;
    hub_ids *ids; /* of classes; others may share it */
    size_t threads;
    hub_index index;
    hub_ask *asks;       /* of the change at hand (hub_ask.h) */
    hub_map asked;       /* their claims */
    uint64_t asks_stamp; /* of the change for which they were looked through */
    size_t ask_changes;  /* how many the next question is about; 0: as many as it holds */
};

/* `ids` and `tenants` must outlive it. */
void hub_classes_init(hub_classes *classes, hub_ids *ids, size_t threads,
                      const core_tenants *tenants);
void hub_classes_fini(hub_classes *classes);
/* What makes a subscription's class. */
static inline core_slice hub_class_key(const ws_subscription *subscription, bool by_claims) {
    return by_claims ? subscription->claims_key : subscription->key;
}
/* The class of the subscription, and with `by_claims` of its claims, with one member more on
 * `thread`; takes the subscription. NULL with an INPUT error when a filter does not fit its table.
 */
CORE_MUST_CHECK hub_class *hub_classes_enter(hub_classes *classes, ws_subscription *subscription,
                                             bool by_claims, size_t thread, core_error *error);
/* A binding as a rule's user, and its rule, by no policy. */
hub_user hub_class_user(hub_class *class, uint32_t binding);
hub_rule_key hub_class_rule(const hub_class *class, uint32_t binding);
/* One member less; the last one's leaving frees the class. */
void hub_class_leave(hub_class *class, size_t thread);

#endif
