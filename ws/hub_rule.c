/* See hub_rule.h. */
#include "ws/hub_table.h"

#include <stdlib.h>

uint64_t hub_rule_hash(const hub_rule_key *key) {
    return core_slice_hash(key->schema) * 31 + core_slice_hash(key->table) * 17 +
           core_slice_hash(key->filter) + core_slice_hash(key->tenant) * 7 +
           (key->policy != NULL ? expr_condition_hash(key->policy) ^ key->policy_serial : 0);
}

/* Those of one serial are over one shape, so that equal texts decide alike. */
static bool policy_is(const hub_rule *rule, const hub_rule_key *key) {
    if (rule->policy_serial != key->policy_serial || key->policy == NULL || rule->policy == NULL)
        return rule->policy == key->policy;
    return core_slice_equal(expr_condition_text(rule->policy), expr_condition_text(key->policy));
}

bool hub_rule_is(const hub_rule *rule, const hub_rule_key *key) {
    return core_slice_equal(rule->schema, key->schema) &&
           core_slice_equal(rule->table, key->table) &&
           core_slice_equal(rule->filter, key->filter) &&
           core_slice_equal(rule->tenant, key->tenant) && policy_is(rule, key);
}

bool hub_rule_covers(const hub_rule *rule, core_slice tenant, core_slice schema, core_slice table) {
    bool schemas = rule->schema.length == 0 ? core_slice_equal(rule->tenant, tenant)
                                            : core_slice_equal(rule->schema, schema);
    return schemas && (rule->table.length == 0 || core_slice_equal(rule->table, table));
}

hub_rule *hub_rule_new(const hub_rule_key *key, core_error *error) {
    hub_rule *rule = calloc(1, sizeof *rule);
    core_block *text = core_block_new(key->tenant.length + key->schema.length + key->table.length +
                                      key->filter.length);
    if (rule == NULL || text == NULL) {
        free(rule);
        core_block_release(text);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    uint8_t *room = text->bytes;
    rule->text = text;
    rule->users = &rule->only;
    rule->user_capacity = 1;
    rule->policy = key->policy != NULL ? expr_condition_hold(key->policy) : NULL;
    rule->policy_serial = key->policy_serial;
    rule->tenant = core_slice_keep(&room, key->tenant);
    rule->schema = core_slice_keep(&room, key->schema);
    rule->table = core_slice_keep(&room, key->table);
    rule->filter = core_slice_keep(&room, key->filter);
    if (key->filter.length == 0 || (rule->parsed = expr_filter_new(rule->filter, error)) != NULL)
        return rule;
    hub_rule_free(rule);
    return NULL;
}

void hub_rule_free(hub_rule *rule) {
    assert(rule->user_count == 0 && rule->entries == NULL);
    expr_filter_free(rule->parsed);
    expr_condition_release(rule->policy);
    core_block_release(rule->text);
    if (rule->users != &rule->only)
        free(rule->users);
    free(rule);
}

/* ---- Users ---- */

hub_interest hub_rule_interest(const hub_rule *rule) {
    hub_interest interest = 0;
    for (unsigned bit = 0; bit < HUB_INTEREST_BITS; bit++)
        if (rule->wanted[bit] > 0)
            interest |= 1u << bit;
    return interest;
}

/* After a change of users. False when an entry could not move to its new place: it stays where it
 * was. */
static bool rule_settle(hub_rule *rule, hub_interest before) {
    bool ok = true;
    if (hub_rule_interest(rule) == before)
        return true;
    for (hub_entry *entry = rule->entries; entry != NULL; entry = entry->rule_next)
        ok = hub_table_settle(entry) && ok;
    return ok;
}

static void rule_count_user(hub_rule *rule, const hub_user *user, bool add) {
    unsigned wants = (user->operations & ~HUB_LEAVES) | (user->leaves ? HUB_LEAVES : 0);
    for (unsigned bit = 0; bit < HUB_INTEREST_BITS; bit++) {
        if ((wants & 1u << bit) == 0)
            continue;
        assert(add || rule->wanted[bit] > 0);
        if (add)
            rule->wanted[bit]++;
        else
            rule->wanted[bit]--;
    }
}

static bool rule_grow(hub_rule *rule) {
    uint32_t capacity = rule->user_capacity * 2;
    bool first = rule->users == &rule->only;
    hub_user *users = realloc(first ? NULL : rule->users, capacity * sizeof *users);
    if (users == NULL)
        return false;
    if (first)
        users[0] = rule->only;
    rule->users = users;
    rule->user_capacity = capacity;
    return true;
}

bool hub_rule_add_user(hub_rule *rule, const hub_user *user, uint32_t *position) {
    if (rule->user_count == rule->user_capacity && !rule_grow(rule))
        return false;
    hub_interest before = hub_rule_interest(rule);
    rule_count_user(rule, user, true);
    if (!rule_settle(rule, before)) {
        hub_interest tried = hub_rule_interest(rule);
        rule_count_user(rule, user, false);
        (void)rule_settle(rule, tried);
        return false;
    }
    *position = rule->user_count;
    rule->users[rule->user_count++] = *user;
    return true;
}

const hub_user *hub_rule_drop_user(hub_rule *rule, uint32_t position) {
    assert(position < rule->user_count);
    uint32_t last = --rule->user_count;
    hub_interest before = hub_rule_interest(rule);
    rule_count_user(rule, &rule->users[position], false);
    if (rule->user_count > 0)
        (void)rule_settle(rule, before); /* without memory it costs more than it must, no worse */
    if (position == last)
        return NULL;
    rule->users[position] = rule->users[last];
    return &rule->users[position];
}
