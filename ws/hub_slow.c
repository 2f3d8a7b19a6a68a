/* The slow audience: those of whom PostgreSQL must be asked about rows; see hub_private.h.
 *
 * It is live to its members, and follows the live classes out of the tail, a message behind them at
 * the earliest: while it waits for an answer nobody else does. Its deliveries are as history's:
 * each member's own place counts. Who is in it is decided at the join, and by the first change that
 * only PostgreSQL can decide, for which its members join anew. One that falls out of the tail is
 * told to join again. */
#include "ws/hub_private.h"

#define SLOW_MESSAGES_A_STEP 64

void hub_slow_init(ws_hub *hub) {
    hub_classes_init(&hub->slow.classes, &hub->class_ids, hub->threads, &hub->scope.tenants);
}

void hub_slow_fini(ws_hub *hub) {
    hub_classes_fini(&hub->slow.classes);
}

static bool slow_is_empty(const ws_hub *hub) {
    return hub->slow.classes.by_key.count == 0;
}

hub_classes *hub_slow_audience(ws_hub *hub) {
    if (slow_is_empty(hub)) {
        hub_asks_end(hub, &hub->slow.classes);
        hub->slow.position = hub->position;
        hub->slow.next_change = hub->held.payload != NULL ? hub->held_change : 0;
    }
    return &hub->slow.classes;
}

bool hub_slow_suits(const hub_role *role, const ws_subscription *subscription) {
    for (size_t i = 0; i < role->policy_count; i++) {
        const hub_policy *policy = role->policies[i];
        const core_relation *relation = &policy->shape->relation;
        bool asks = hub_policy_asks(policy, subscription->claims_hash);
        for (size_t j = 0; asks && j < subscription->count; j++) {
            const ws_binding *binding = &subscription->bindings[j];
            if ((binding->schema.length == 0 ||
                 core_slice_equal(binding->schema, relation->schema)) &&
                (binding->table.length == 0 || core_slice_equal(binding->table, relation->table)))
                return true;
        }
    }
    return false;
}

static void slow_cut(ws_hub *hub, const char *reason) {
    for (uint32_t id = 0; id < hub->class_ids.count; id++) {
        const hub_class *class = hub_ids_owner(&hub->class_ids, id);
        if (class != NULL && class->home == &hub->slow.classes)
            hub_access_cut(hub, class, reason);
    }
    hub_slow_reset(hub);
}

void hub_slow_reset(ws_hub *hub) {
    hub_asks_end(hub, &hub->slow.classes);
    hub->slow.position = hub->position;
    hub->slow.next_change = 0;
}

/* One message. False: nothing to do now. */
static bool slow_message(ws_hub *hub) {
    if (!hub_tail_covers(&hub->tail, hub->slow.position)) {
        slow_cut(hub, "DatabaseUnavailable: the database does not keep up with deciding what this "
                      "role may see; join again");
        return false;
    }
    const hub_tail_entry *entry = hub_tail_after(&hub->tail, hub->slow.position);
    if (entry == NULL)
        return false;
    uint64_t sequence = entry->sequence;
    switch (hub_spread_history(hub, &hub->slow.classes, core_block_slice(entry->payload), sequence,
                               &hub->slow.next_change)) {
    case HUB_SPREAD:
        hub->slow.position = sequence;
        hub->slow.next_change = 0;
        return true;
    case HUB_HELD:
        return false;
    default:
        slow_cut(hub,
                 "RealtimeRestarting: a message of the stream cannot be delivered; join again");
        return false;
    }
}

bool hub_slow_step(ws_hub *hub) {
    hub_asks_collect(hub);
    for (int i = 0; i < SLOW_MESSAGES_A_STEP; i++)
        if (slow_is_empty(hub) || hub_history_is_ahead(hub) || !slow_message(hub))
            return false;
    return true;
}

bool hub_slow_waits(const ws_hub *hub) {
    return !slow_is_empty(hub) && hub->slow.position < hub->position;
}
