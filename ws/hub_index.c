/* See hub_index.h. A table is in the index while a rule applies to it; wildcards reach a table when
 * its first change comes. */
#include "ws/hub_index.h"

#include <stdlib.h>

static uint64_t table_hash(core_slice schema, core_slice name) {
    return hub_rule_hash(&(hub_rule_key){.schema = schema, .table = name});
}

static core_slice index_tenant(const hub_index *index, core_slice schema) {
    return index->tenants != NULL ? core_tenants_project(index->tenants, schema)
                                  : core_slice_make(NULL, 0);
}

static hub_table *index_table(const hub_index *index, core_slice schema, core_slice name) {
    hub_map_node *node = hub_map_first(&index->tables, table_hash(schema, name));
    for (; node != NULL; node = hub_map_next(node)) {
        hub_table *table = node->owner;
        if (core_slice_equal(table->schema, schema) && core_slice_equal(table->name, name))
            return table;
    }
    return NULL;
}

static hub_rule *index_find(const hub_index *index, const hub_rule_key *key, uint64_t hash) {
    hub_map_node *node = hub_map_first(&index->rules, hash);
    for (; node != NULL; node = hub_map_next(node))
        if (hub_rule_is(node->owner, key))
            return node->owner;
    return NULL;
}

static bool rule_is_wild(const hub_rule *rule) {
    return rule->schema.length == 0 || rule->table.length == 0;
}

/* ---- Wildcards ---- */

/* The wildcards that reach a table, for they have no filter: of its schema, of its name, of all. */
static size_t index_wild(const hub_index *index, core_slice schema, core_slice name,
                         hub_rule *wild[3]) {
    core_slice tenant = index_tenant(index, schema);
    const hub_rule_key forms[3] = {
        {.schema = schema}, {.tenant = tenant, .table = name}, {.tenant = tenant}};
    size_t count = 0;
    for (size_t i = 0; i < CORE_COUNT_OF(forms); i++) {
        wild[count] = index_find(index, &forms[i], hub_rule_hash(&forms[i]));
        count += wild[count] != NULL ? 1 : 0;
    }
    return count;
}

/* A new table, with the wildcards that reach it. */
static hub_table *index_add_table(hub_index *index, core_slice schema, core_slice name) {
    hub_rule *wild[3];
    hub_table *table = hub_table_new(schema, name);
    if (table == NULL)
        return NULL;
    bool ok = hub_map_add(&index->tables, &table->node, table_hash(schema, name), table);
    if (!ok) {
        hub_table_free(table);
        return NULL;
    }
    size_t count = index_wild(index, schema, name, wild);
    for (size_t i = 0; ok && i < count; i++)
        ok = hub_table_add(table, wild[i], NULL);
    if (ok)
        return table;
    hub_map_remove(&index->tables, &table->node);
    hub_table_free(table);
    return NULL;
}

/* ---- Rules ---- */

static bool index_spread_wild(hub_index *index, hub_rule *rule, core_error *error) {
    size_t cursor = 0;
    hub_map_node *at = NULL;
    hub_table *table;
    while ((table = hub_map_each(&index->tables, &cursor, &at)) != NULL)
        if (hub_rule_covers(rule, index_tenant(index, table->schema), table->schema, table->name) &&
            !hub_table_add(table, rule, error))
            return false;
    return true;
}

static bool index_spread(hub_index *index, hub_rule *rule, core_error *error) {
    if (rule_is_wild(rule))
        return index_spread_wild(index, rule, error);
    hub_table *table = index_table(index, rule->schema, rule->table);
    if (table == NULL)
        table = index_add_table(index, rule->schema, rule->table);
    if (table == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    return hub_table_add(table, rule, error);
}

/* A new rule with its first user, whose interest decides where its entries stand. */
static hub_rule *index_add_rule(hub_index *index, hub_rule *rule, uint64_t hash,
                                const hub_user *user, uint32_t *position, core_error *error) {
    bool added = hub_map_add(&index->rules, &rule->node, hash, rule);
    if (!added || !hub_rule_add_user(rule, user, position)) {
        if (added)
            hub_map_remove(&index->rules, &rule->node);
        hub_rule_free(rule);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    if (index_spread(index, rule, error))
        return rule;
    (void)hub_rule_drop_user(rule, *position);
    hub_index_drop(index, rule);
    return NULL;
}

hub_rule *hub_index_add(hub_index *index, const hub_rule_key *wanted, const hub_user *user,
                        uint32_t *position, core_error *error) {
    hub_rule_key key = *wanted;
    assert(key.filter.length == 0 || (key.schema.length > 0 && key.table.length > 0));
    if (key.schema.length > 0) /* a schema is somebody's */
        key.tenant = core_slice_make(NULL, 0);
    uint64_t hash = hub_rule_hash(&key);
    hub_rule *rule = index_find(index, &key, hash);
    if (rule == NULL) {
        rule = hub_rule_new(&key, error);
        return rule != NULL ? index_add_rule(index, rule, hash, user, position, error) : NULL;
    }
    if (hub_rule_add_user(rule, user, position))
        return rule;
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    return NULL;
}

static void index_drop_table(hub_index *index, hub_table *table) {
    if (table->entry_count > 0)
        return;
    hub_map_remove(&index->tables, &table->node);
    hub_table_free(table);
}

void hub_index_drop(hub_index *index, hub_rule *rule) {
    while (rule->entries != NULL) {
        hub_table *table = rule->entries->table;
        hub_table_drop(rule->entries);
        index_drop_table(index, table);
    }
    hub_map_remove(&index->rules, &rule->node);
    hub_rule_free(rule);
}

void hub_index_fini(hub_index *index) {
    assert(index->rules.count == 0 && index->tables.count == 0);
    hub_map_fini(&index->rules);
    hub_map_fini(&index->tables);
}

/* ---- Matching ---- */

bool hub_index_match(hub_index *index, const core_change *change, const hub_listener *listener) {
    core_slice schema = change->relation->schema, name = change->relation->table;
    hub_table *table = index_table(index, schema, name);
    if (table == NULL) {
        hub_rule *wild[3];
        if (index_wild(index, schema, name, wild) == 0)
            return true;
        table = index_add_table(index, schema, name);
    }
    if (table == NULL || !hub_table_reshape(table, change->relation, listener))
        return false;
    hub_table_match(table, change, listener);
    return true;
}
