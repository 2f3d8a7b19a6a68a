/* See hub_policy.h. Lists are short (a role's tables with policies, a class's), the last used
 * first. */
#include "ws/hub_policy.h"

#include <stdio.h>
#include <stdlib.h>

#define ROLE_POLICIES_MAX 4096 /* the one that was used longest ago makes room */

static void policy_free(hub_policy *policy) {
    if (policy == NULL)
        return;
    hub_shape_free(policy->shape);
    expr_condition_release(policy->condition);
    free(policy->reads);
    free(policy);
}

void hub_role_policies_fini(hub_role *role) {
    for (size_t i = 0; i < role->policy_count; i++)
        policy_free(role->policies[i]);
    free(role->policies);
    role->policies = NULL;
    role->policy_count = 0;
}

/* ---- Compiling ---- */

static bool policy_function(void *context, core_slice schema, core_slice name, size_t arguments,
                            expr_function *function) {
    return auth_grants_function(context, schema, name, arguments, function);
}

static hub_policy *policy_new(hub_role *role, const core_relation *relation,
                              const auth_table_decision *sight) {
    hub_policy *policy = calloc(1, sizeof *policy);
    if (policy == NULL || (policy->shape = hub_shape_new(relation)) == NULL) {
        free(policy);
        return NULL;
    }
    policy->oid = relation->oid;
    policy->generation = sight->generation;
    policy->hash = auth_policy_hash(sight->grants, sight->table);
    policy->serial = ++role->access->policy_serial;
    policy->reads = calloc(relation->column_count + 1u, sizeof *policy->reads);
    expr_column_facts *facts = calloc(relation->column_count + 1u, sizeof *facts);
    if (facts == NULL || policy->reads == NULL) {
        free(facts);
        policy_free(policy);
        return NULL;
    }
    expr_sql_columns(auth_table_policy(sight->table), relation, policy->reads);
    auth_table_facts(sight->table, relation, facts);
    expr_refusal refusal;
    const expr_condition_spec spec = {
        .text = auth_table_policy(sight->table),
        .relation = relation,
        .facts = facts,
        .function = policy_function,
        .context = sight->grants,
    };
    policy->condition = expr_condition_new(&spec, &refusal);
    free(facts);
    policy->asks = policy->condition == NULL;
    if (policy->condition == NULL)
        (void)snprintf(policy->reason, sizeof policy->reason, "%s", refusal.error.text);
    return policy;
}

/* ---- Of a role ---- */

/* To the front, where it is found first the next time. */
static hub_policy *policies_first(hub_role *role, size_t at) {
    hub_policy *policy = role->policies[at];
    memmove(role->policies + 1, role->policies, at * sizeof *role->policies);
    role->policies[0] = policy;
    return policy;
}

/* Where a table's stands; `policy_count`: nowhere. */
static size_t policies_find(const hub_role *role, uint32_t oid) {
    size_t at = 0;
    while (at < role->policy_count && role->policies[at]->oid != oid)
        at++;
    return at;
}

static bool policies_grow(hub_role *role) {
    if (role->policy_count == ROLE_POLICIES_MAX) {
        policy_free(role->policies[--role->policy_count]);
        return true;
    }
    hub_policy **grown = realloc(role->policies, (role->policy_count + 1) * sizeof *role->policies);
    if (grown == NULL)
        return false;
    role->policies = grown;
    return true;
}

/* Grants that say the same of the table change nothing, but that rows are tried in the engine again
 * where some were not for it. */
static bool policy_keeps(hub_policy *policy, const auth_table_decision *sight) {
    if (policy->generation == sight->generation)
        return true;
    if (sight->verdict != AUTH_ACCESS_FILTERED ||
        policy->hash != auth_policy_hash(sight->grants, sight->table))
        return false;
    policy->generation = sight->generation;
    policy->asks = policy->condition == NULL;
    policy->asking_count = 0;
    return true;
}

bool hub_role_policy_holds(hub_role *role, uint64_t serial) {
    size_t at = 0;
    while (at < role->policy_count && role->policies[at]->serial != serial)
        at++;
    if (at == role->policy_count)
        return false;
    const hub_policy *policy = role->policies[at];
    const core_relation *relation = &policy->shape->relation;
    auth_table_decision decision = {.verdict = AUTH_ACCESS_PENDING};
    auth_role_table(role->role, relation->schema, relation->table, policy->oid, &decision);
    bool holds = decision.verdict == AUTH_ACCESS_FILTERED &&
                 policy_keeps(policies_first(role, at), &decision);
    auth_table_decision_fini(&decision);
    return holds;
}

static hub_policy *policy_of(hub_role *role, const core_relation *relation,
                             const auth_table_decision *sight) {
    size_t at = policies_find(role, relation->oid);
    if (at < role->policy_count && hub_shape_is(role->policies[at]->shape, relation) &&
        policy_keeps(role->policies[at], sight))
        return policies_first(role, at);
    hub_policy *policy = policy_new(role, relation, sight);
    if (policy == NULL || (at == role->policy_count && !policies_grow(role))) {
        policy_free(policy);
        return NULL;
    }
    if (at < role->policy_count)
        policy_free(role->policies[at]);
    else
        at = role->policy_count++;
    role->policies[at] = policy;
    return policies_first(role, at);
}

/* Each class that a change matched asks for it: shapes are compared for the first alone. */
hub_policy *hub_role_policy(hub_role *role, const core_relation *relation) {
    const auth_table_decision *sight = hub_role_sight(role, relation);
    assert(sight->verdict == AUTH_ACCESS_FILTERED);
    if (role->sight_policy == NULL)
        role->sight_policy = policy_of(role, relation, sight);
    return role->sight_policy;
}

bool hub_policy_covers(const hub_policy *policy, const core_tuple *image, bool only_key) {
    const core_relation *relation = &policy->shape->relation;
    if (image->count != relation->column_count)
        return false;
    for (size_t i = 0; i < image->count; i++) {
        const core_value *value = &image->values[i];
        bool came = (value->kind == CORE_VALUE_TEXT || value->kind == CORE_VALUE_NULL) &&
                    !value->read_later && (!only_key || relation->columns[i].key);
        if (policy->reads[i] && !came)
            return false;
    }
    return true;
}

bool hub_policy_asks(const hub_policy *policy, uint64_t claims_hash) {
    for (size_t i = 0; !policy->asks && i < policy->asking_count; i++)
        if (policy->asking[i] == claims_hash)
            return true;
    return policy->asks;
}

void hub_policy_note_asks(hub_policy *policy, uint64_t claims_hash) {
    if (hub_policy_asks(policy, claims_hash))
        return;
    if (policy->asking_count == HUB_POLICY_ASKING_MAX)
        policy->asks = true;
    else
        policy->asking[policy->asking_count++] = claims_hash;
}

/* ---- Of a class ---- */

void hub_class_policies_fini(hub_class_policies *policies) {
    for (size_t i = 0; i < policies->count; i++)
        expr_condition_release(policies->items[i].condition);
    free(policies->items);
    *policies = (hub_class_policies){.items = NULL};
}

static hub_class_policy class_policy_fold(const hub_policy *policy,
                                          const ws_subscription *subscription) {
    hub_class_policy made = {.oid = policy->oid, .serial = policy->serial};
    char role[AUTH_CLAIM_MAX];
    expr_refusal refusal = {.error = {.text = "the role's name is too long"}};
    if (core_slice_to_text(subscription->access_class, role, sizeof role)) {
        const expr_settings settings = {.claims_json = subscription->claims_json, .role = role};
        made.condition = expr_condition_fold(policy->condition, &settings, &refusal);
    }
    if (made.condition == NULL)
        (void)snprintf(made.reason, sizeof made.reason, "%s", refusal.error.text);
    return made;
}

const hub_class_policy *hub_class_policy_of(hub_class_policies *policies, const hub_policy *policy,
                                            const ws_subscription *subscription) {
    size_t at = 0;
    while (at < policies->count && policies->items[at].oid != policy->oid)
        at++;
    if (at < policies->count && policies->items[at].serial == policy->serial)
        return &policies->items[at];
    if (at == HUB_CLASS_POLICIES)
        at = policy->serial % HUB_CLASS_POLICIES; /* any one makes room */
    if (at == policies->count) {
        hub_class_policy *grown =
            realloc(policies->items, (policies->count + 1) * sizeof *policies->items);
        if (grown == NULL)
            return NULL;
        policies->items = grown;
        policies->count++;
    } else {
        expr_condition_release(policies->items[at].condition);
    }
    policies->items[at] = class_policy_fold(policy, subscription);
    return &policies->items[at];
}
