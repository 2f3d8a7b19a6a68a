/* See hub_rule.h. */
#include "ws/hub_rule.h"

#include <stdlib.h>

uint64_t hub_rule_hash(core_slice schema, core_slice table, core_slice filter) {
    return core_slice_hash(schema) * 31 + core_slice_hash(table) * 17 + core_slice_hash(filter);
}

bool hub_rule_is(const hub_rule *rule, core_slice schema, core_slice table, core_slice filter) {
    return core_slice_equal(rule->schema, schema) && core_slice_equal(rule->table, table) &&
           core_slice_equal(rule->filter, filter);
}

bool hub_rule_covers(const hub_rule *rule, core_slice schema, core_slice table) {
    return (rule->schema.length == 0 || core_slice_equal(rule->schema, schema)) &&
           (rule->table.length == 0 || core_slice_equal(rule->table, table));
}

static core_slice rule_keep(uint8_t **room, core_slice text) {
    core_slice kept = core_slice_make(*room, text.length);
    if (text.length > 0)
        memcpy(*room, text.data, text.length);
    *room += text.length;
    return kept;
}

hub_rule *hub_rule_new(core_slice schema, core_slice table, core_slice filter, core_error *error) {
    hub_rule *rule = calloc(1, sizeof *rule);
    core_block *text = core_block_new(schema.length + table.length + filter.length);
    if (rule == NULL || text == NULL) {
        free(rule);
        core_block_release(text);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    uint8_t *room = text->bytes;
    rule->text = text;
    rule->schema = rule_keep(&room, schema);
    rule->table = rule_keep(&room, table);
    rule->filter = rule_keep(&room, filter);
    if (filter.length == 0 || (rule->parsed = expr_filter_new(rule->filter, error)) != NULL)
        return rule;
    hub_rule_free(rule);
    return NULL;
}

void hub_rule_free(hub_rule *rule) {
    assert(rule->user_count == 0 && rule->entries == NULL);
    expr_filter_free(rule->parsed);
    core_block_release(rule->text);
    free(rule->users);
    free(rule);
}

bool hub_rule_add_user(hub_rule *rule, const hub_user *user, uint32_t *position) {
    if (rule->user_count == rule->user_capacity) {
        uint32_t capacity = rule->user_capacity ? rule->user_capacity * 2 : 1;
        hub_user *users = realloc(rule->users, capacity * sizeof *users);
        if (users == NULL)
            return false;
        rule->users = users;
        rule->user_capacity = capacity;
    }
    *position = rule->user_count;
    rule->users[rule->user_count++] = *user;
    return true;
}

const hub_user *hub_rule_drop_user(hub_rule *rule, uint32_t position) {
    assert(position < rule->user_count);
    uint32_t last = --rule->user_count;
    if (position == last)
        return NULL;
    rule->users[position] = rule->users[last];
    return &rule->users[position];
}
