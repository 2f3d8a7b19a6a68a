/* Policies in the index: a rule of a class by claims narrows to the rows that its policies can let
 * pass, so that a change costs by who may see it and not by who asked; see hub_private.h.
 *
 * The index only narrows: each class that it finds is held against its policies all the same
 * (hub_secure.c). A class comes in by the first change of a table that it is held against, since
 * only then the shape is known. Policies that other grants change are taken out again before the
 * next change: they come back with what they say then. */
#include "ws/hub_private.h"

#include <stdlib.h>

/* The binding asks for the change's table by its name, and does not want to hear of rows that leave
 * it, which the new row alone does not find. */
static bool settle_fits(const ws_binding *binding, const core_relation *relation) {
    return !binding->leaves && core_slice_equal(binding->schema, relation->schema) &&
           core_slice_equal(binding->table, relation->table);
}

/* The binding's rule becomes the one with that policy, or with none. Where memory is out it stays
 * what it was: it finds more than it must. */
static void settle_binding(hub_class *class, uint32_t number, const hub_class_policy *policy) {
    hub_index *index = &class->home->index;
    hub_rule *before = class->rules[number];
    uint32_t position, before_position = class->positions[number];
    hub_user user = hub_class_user(class, number);
    hub_rule_key wanted = hub_class_rule(class, number);
    if (policy != NULL) {
        wanted.policy = policy->condition;
        wanted.policy_serial = policy->serial;
    }
    hub_rule *rule = hub_index_add(index, &wanted, &user, &position, NULL);
    if (rule == NULL)
        return;
    class->rules[number] = rule;
    class->positions[number] = position;
    const hub_user *moved = hub_rule_drop_user(before, before_position);
    if (moved != NULL)
        moved->class->positions[moved->binding] = before_position;
    if (before->user_count == 0)
        hub_index_drop(index, before);
}

static const hub_class_policy *settle_policy(const hub_class *class, uint32_t oid) {
    for (size_t i = 0; i < class->policies.count; i++)
        if (class->policies.items[i].oid == oid && class->policies.items[i].condition != NULL)
            return &class->policies.items[i];
    return NULL;
}

void hub_settle_note(ws_hub *hub, hub_class *class, const hub_class_policy *policy,
                     uint64_t generation) {
    if (hub->audience != &hub->classes || class->settles || class->settled_serial == policy->serial)
        return;
    if (class->settled_serial == 0) /* else some rule may be from an earlier one */
        class->settled_generation = generation;
    class->settled_serial = policy->serial;
    class->settles = true;
    class->settle_next = hub->settling;
    hub->settling = class;
}

void hub_settle(ws_hub *hub) {
    const core_relation *relation = hub->change->relation;
    while (hub->settling != NULL) {
        hub_class *class = hub->settling;
        hub->settling = class->settle_next;
        class->settles = false;
        const hub_class_policy *policy = settle_policy(class, relation->oid);
        for (uint32_t i = 0; policy != NULL && i < class->subscription->count; i++)
            if (settle_fits(&class->subscription->bindings[i], relation) &&
                class->rules[i]->policy_serial != policy->serial)
                settle_binding(class, i, policy);
    }
}

static uint64_t class_generation(const hub_class *class) {
    auth_table_decision decision = {.verdict = AUTH_ACCESS_PENDING};
    auth_role_decision(class->role->role, &decision);
    auth_table_decision_fini(&decision);
    return decision.generation;
}

/* Takes out what no longer counts. */
static void unsettle_class(hub_class *class, uint64_t generation) {
    class->settled_serial = 0;
    class->settled_generation = generation;
    for (uint32_t i = 0; i < class->subscription->count; i++) {
        uint64_t serial = class->rules[i]->policy_serial;
        if (serial != 0 && hub_role_policy_holds(class->role, serial))
            class->settled_serial = serial;
        else if (serial != 0)
            settle_binding(class, i, NULL);
    }
}

void hub_unsettle_all(ws_hub *hub) {
    for (uint32_t id = 0; id < hub->class_ids.count; id++) {
        hub_class *class = hub_ids_owner(&hub->class_ids, id);
        if (class == NULL || class->settled_serial == 0)
            continue;
        class->settled_serial = 0;
        for (uint32_t i = 0; i < class->subscription->count; i++)
            if (class->rules[i]->policy_serial != 0)
                settle_binding(class, i, NULL);
    }
}

void hub_unsettle(ws_hub *hub) {
    for (uint32_t id = 0; id < hub->class_ids.count; id++) {
        hub_class *class = hub_ids_owner(&hub->class_ids, id);
        if (class == NULL || class->settled_serial == 0)
            continue;
        uint64_t generation = class_generation(class); /* of no later grants than what follows */
        if (generation != class->settled_generation)
            unsettle_class(class, generation);
    }
}
