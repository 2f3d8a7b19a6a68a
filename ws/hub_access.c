/* See hub_access.h. */
#include "ws/hub_policy.h"

#include <stdlib.h>

void hub_access_init(hub_access *access, auth_access *source) {
    *access = (hub_access){.source = source, .stamp = 1};
}

void hub_access_fini(hub_access *access) {
    assert(access->roles.count == 0);
    hub_map_fini(&access->roles);
}

static hub_role *access_find(const hub_access *access, core_slice name) {
    hub_map_node *node = hub_map_first(&access->roles, core_slice_hash(name));
    for (; node != NULL; node = hub_map_next(node)) {
        hub_role *role = node->owner;
        if (core_slice_is(name, auth_role_name(role->role)))
            return role;
    }
    return NULL;
}

hub_role *hub_access_role(hub_access *access, core_slice name, core_error *error) {
    hub_role *role = access_find(access, name);
    if (role != NULL)
        return hub_role_retain(role);
    char text[AUTH_CLAIM_MAX];
    if (!core_slice_to_text(name, text, sizeof text)) {
        (void)core_error_set(error, CORE_ERROR_INPUT, "the role's name is too long");
        return NULL;
    }
    auth_role *source = auth_access_role(access->source, text, error);
    if (source == NULL)
        return NULL;
    role = calloc(1, sizeof *role);
    if (role == NULL || !hub_map_add(&access->roles, &role->node, core_slice_hash(name), role)) {
        free(role);
        auth_role_release(source);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    role->access = access;
    role->references = 1;
    role->role = source;
    return role;
}

hub_role *hub_role_retain(hub_role *role) {
    role->references++;
    return role;
}

void hub_role_release(hub_role *role) {
    if (role == NULL || --role->references > 0)
        return;
    hub_map_remove(&role->access->roles, &role->node);
    auth_table_decision_fini(&role->sight);
    hub_role_policies_fini(role);
    auth_role_release(role->role);
    free(role);
}

void hub_access_next(hub_access *access) {
    access->stamp++;
}

const auth_table_decision *hub_role_sight(hub_role *role, const core_relation *relation) {
    bool decided = role->stamp == role->access->stamp && role->sight.verdict != AUTH_ACCESS_PENDING;
    if (!decided) {
        auth_table_decision_fini(&role->sight);
        auth_role_table(role->role, relation->schema, relation->table, relation->oid, &role->sight);
        role->stamp = role->access->stamp;
        role->sight_policy = NULL;
    }
    return &role->sight;
}

core_slice hub_filter_hidden(const expr_filter *filter, const auth_table *table) {
    core_slice read[EXPR_FILTER_TERMS_MAX];
    size_t count = filter != NULL ? expr_filter_columns(filter, read) : 0;
    return auth_table_hidden(table, read, count);
}
