/* Where the entries of a table stand; see hub_table.h. What they match: hub_match.c.
 *
 * The filter is evaluated on all that the index finds, so the index only ever narrows. Adding and
 * dropping an entry take constant time, whatever else is there. */
#include "ws/hub_table.h"

#include <stdlib.h>

/* ---- Places ---- */

static hub_shelf *table_shelf(hub_table *table, hub_interest interest) {
    if (table->shelves[interest] == NULL)
        table->shelves[interest] = calloc(1, sizeof(hub_shelf));
    return table->shelves[interest];
}

static hub_shelf *entry_shelf(const hub_entry *entry) {
    return entry->table->shelves[entry->interest];
}

static void entry_list(hub_entry *entry, hub_place place) {
    hub_entry **head = &entry_shelf(entry)->places[place];
    entry->place = place;
    entry->previous = NULL;
    entry->next = *head;
    if (*head != NULL)
        (*head)->previous = entry;
    *head = entry;
}

static void entry_unlist(hub_entry *entry) {
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        entry_shelf(entry)->places[entry->place] = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
}

static void entry_unlink(hub_entry *entry) {
    while (entry->link_count > 0) {
        hub_link *link = &entry->links[--entry->link_count];
        hub_group_drop(hub_group_find(entry_shelf(entry)->groups, link->column), link);
    }
    if (entry->links != &entry->link)
        free(entry->links);
    entry->links = NULL;
}

/* The filter's keys, then the policy's. */
static bool entry_key(const hub_entry *entry, size_t number, expr_key *key, bool *of_policy) {
    size_t own = 0;
    if (entry->bound != NULL)
        while (own <= number && expr_bound_key(entry->bound, own, key))
            own++;
    *of_policy = own <= number;
    if (own > number)
        return true;
    return entry->by_policy && expr_condition_key(entry->rule->policy, number - own, key);
}

/* What it is found by: the key that the fewest others have, of equal ones a key column's, which old
 * images have, then the first; where there is none those of the policy's OR. How many; 0: none. */
static size_t entry_choose(hub_entry *entry, expr_key keys[EXPR_ALTERNATIVES_MAX]) {
    const core_column *columns = entry->table->shape->relation.columns;
    uint64_t least = UINT64_MAX;
    expr_key key;
    bool of_policy;
    for (size_t i = 0; entry_key(entry, i, &key, &of_policy); i++) {
        const hub_group *group = hub_group_find(entry_shelf(entry)->groups, key.column);
        uint64_t cost =
            (uint64_t)hub_group_fill(group, &key) * 2 + (columns[key.column].key ? 0 : 1);
        if (cost >= least)
            continue;
        least = cost;
        keys[0] = key;
        entry->policy_key = of_policy;
    }
    if (least != UINT64_MAX)
        return 1;
    entry->policy_key = entry->by_policy;
    return entry->by_policy ? expr_condition_alternatives(entry->rule->policy, keys) : 0;
}

/* Under each of a key's values. False when memory is out. */
static bool entry_link_key(hub_entry *entry, const expr_key *key) {
    hub_group *group = hub_group_get(&entry_shelf(entry)->groups, key->column);
    bool ok = group != NULL;
    for (size_t i = 0; ok && i < key->count; i++) {
        ok = hub_group_add(group, key->hashes[i], &entry->links[entry->link_count], entry);
        entry->link_count += ok ? 1 : 0;
    }
    return ok;
}

/* Under all values of the keys, which are of different columns. False, with none, when there is no
 * key or memory is out. */
static bool entry_link(hub_entry *entry, const expr_key *keys, size_t count) {
    size_t values = 0;
    entry->several = count > 1;
    for (size_t i = 0; i < count; i++)
        values += keys[i].count;
    if (values == 0)
        return false;
    entry->links = values == 1 ? &entry->link : calloc(values, sizeof(hub_link));
    bool ok = entry->links != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = entry_link_key(entry, &keys[i]);
    if (!ok)
        entry_unlink(entry);
    return ok;
}

/* In the groups of its columns: one more, or one less, to look at when the column does not come. */
static void entry_count(hub_entry *entry, bool more) {
    if (entry->told_update && !entry->several)
        return;
    for (size_t i = 0; i < entry->link_count; i++) {
        uint16_t column = entry->links[i].column;
        if (i > 0 && column == entry->links[i - 1].column)
            continue;
        hub_group *group = hub_group_find(entry_shelf(entry)->groups, column);
        group->untold = more ? group->untold + 1 : group->untold - 1;
        if (entry->policy_key)
            group->untold_later = more ? group->untold_later + 1 : group->untold_later - 1;
    }
}

/* ---- What is to be said once ---- */

static const hub_interest untold_interests[HUB_UNTOLDS] = {
    [HUB_UNTOLD_DELETE] = HUB_INTEREST_OF(CORE_OP_DELETE), [HUB_UNTOLD_LEAVE] = HUB_LEAVES};

static void entry_wait(hub_entry *entry, hub_untold what) {
    hub_entry **head = &entry->table->untold[what];
    bool wants = (entry->interest & untold_interests[what]) != 0;
    bool reads = entry->bound != NULL || entry->by_policy;
    if (entry->waits[what] || entry->told[what] || !wants || !reads || entry->keys_only)
        return;
    entry->waits[what] = true;
    entry->untold[what].previous = NULL;
    entry->untold[what].next = *head;
    if (*head != NULL)
        (*head)->untold[what].previous = entry;
    *head = entry;
}

void hub_table_told(hub_entry *entry, hub_untold what) {
    hub_entry *next = entry->untold[what].next;
    hub_entry *previous = entry->untold[what].previous;
    if (!entry->waits[what])
        return;
    entry->waits[what] = false;
    if (previous != NULL)
        previous->untold[what].next = next;
    else
        entry->table->untold[what] = next;
    if (next != NULL)
        next->untold[what].previous = previous;
}

/* ---- Entering and leaving the places ---- */

/* Puts an entry where its filter and interest say. Its shelf must be there. */
static void entry_place(hub_entry *entry) {
    expr_key keys[EXPR_ALTERNATIVES_MAX];
    if (entry->table->shape == NULL) {
        entry_list(entry, HUB_PLACE_UNBOUND);
    } else if (entry->rule->parsed == NULL && !entry->by_policy) {
        entry_list(entry, HUB_PLACE_PLAIN);
    } else if (entry->rule->parsed != NULL && entry->bound == NULL) {
        entry_list(entry, HUB_PLACE_BROKEN);
    } else {
        bool linked = entry_link(entry, keys, entry_choose(entry, keys));
        entry_list(entry, linked ? HUB_PLACE_EQUAL : HUB_PLACE_RESIDUAL);
        entry_count(entry, true);
    }
    for (unsigned what = 0; what < HUB_UNTOLDS; what++)
        entry_wait(entry, what);
}

static void entry_unplace(hub_entry *entry) {
    for (unsigned what = 0; what < HUB_UNTOLDS; what++)
        hub_table_told(entry, what);
    if (entry->place == HUB_PLACE_EQUAL) {
        entry_count(entry, false);
        entry_unlink(entry);
    }
    entry_unlist(entry);
}

static bool entry_reads_keys_only(const hub_entry *entry) {
    const hub_shape *shape = entry->table->shape;
    if (shape == NULL)
        return false;
    return (entry->bound == NULL || expr_bound_reads_keys_only(entry->bound, &shape->relation)) &&
           (!entry->by_policy ||
            expr_condition_reads_keys_only(entry->rule->policy, &shape->relation));
}

/* False: the filter does not fit, and the entry is with the broken ones. */
static bool entry_bind(hub_entry *entry, core_error *error) {
    const hub_table *table = entry->table;
    bool ok = true;
    entry->told_update = false;
    for (unsigned what = 0; what < HUB_UNTOLDS; what++)
        entry->told[what] = false;
    if (table->shape != NULL && entry->rule->parsed != NULL) {
        entry->bound = expr_filter_bind(entry->rule->parsed, &table->shape->relation, error);
        ok = entry->bound != NULL;
    }
    entry->keys_only = ok && entry_reads_keys_only(entry);
    entry_place(entry);
    return ok;
}

static void entry_unbind(hub_entry *entry) {
    entry_unplace(entry);
    expr_bound_free(entry->bound);
    entry->bound = NULL;
}

bool hub_table_settle(hub_entry *entry) {
    hub_interest interest = hub_rule_interest(entry->rule);
    if (entry->interest == interest)
        return true;
    if (table_shelf(entry->table, interest) == NULL)
        return false;
    entry_unplace(entry);
    entry->interest = (uint8_t)interest;
    entry_place(entry);
    return true;
}

/* ---- Life ---- */

hub_table *hub_table_new(core_slice schema, core_slice name) {
    hub_table *table = calloc(1, sizeof *table);
    core_block *text = core_block_new(schema.length + name.length);
    if (table == NULL || text == NULL) {
        free(table);
        core_block_release(text);
        return NULL;
    }
    if (schema.length > 0)
        memcpy(text->bytes, schema.data, schema.length);
    if (name.length > 0)
        memcpy(text->bytes + schema.length, name.data, name.length);
    table->text = text;
    table->schema = core_slice_make(text->bytes, schema.length);
    table->name = core_slice_make(text->bytes + schema.length, name.length);
    return table;
}

bool hub_table_add(hub_table *table, hub_rule *rule, core_error *error) {
    hub_interest interest = hub_rule_interest(rule);
    hub_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL || table_shelf(table, interest) == NULL) {
        free(entry);
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    }
    entry->rule = rule;
    entry->table = table;
    entry->by_policy = rule->policy != NULL; /* it was made for a change of this shape */
    entry->interest = (uint8_t)interest;
    entry->rule_next = rule->entries;
    rule->entries = entry;
    table->entry_count++;
    if (entry_bind(entry, error))
        return true;
    hub_table_drop(entry);
    return false;
}

void hub_table_drop(hub_entry *entry) {
    entry_unbind(entry);
    hub_entry **at = &entry->rule->entries;
    while (*at != entry)
        at = &(*at)->rule_next;
    *at = entry->rule_next;
    entry->table->entry_count--;
    free(entry);
}

/* Every entry in turn, taken off its shelf, in a list by `next`. */
static hub_entry *table_take_all(hub_table *table) {
    hub_entry *all = NULL;
    for (size_t i = 0; i < HUB_INTERESTS; i++) {
        hub_shelf *shelf = table->shelves[i];
        for (size_t place = 0; shelf != NULL && place < HUB_PLACES; place++) {
            while (shelf->places[place] != NULL) {
                hub_entry *entry = shelf->places[place];
                entry_unbind(entry);
                entry->next = all;
                all = entry;
            }
        }
    }
    return all;
}

static void table_free_groups(hub_table *table) {
    for (size_t i = 0; i < HUB_INTERESTS; i++)
        if (table->shelves[i] != NULL)
            hub_group_free_all(&table->shelves[i]->groups);
}

void hub_table_free(hub_table *table) {
    for (size_t i = 0; i < HUB_INTERESTS; i++)
        for (size_t place = 0; table->shelves[i] != NULL && place < HUB_PLACES; place++)
            while (table->shelves[i]->places[place] != NULL)
                hub_table_drop(table->shelves[i]->places[place]);
    table_free_groups(table);
    for (size_t i = 0; i < HUB_INTERESTS; i++)
        free(table->shelves[i]);
    hub_shape_free(table->shape);
    core_block_release(table->text);
    free(table->masked);
    free(table);
}

bool hub_table_reshape(hub_table *table, const core_relation *relation,
                       const hub_listener *listener) {
    if (table->shape != NULL && hub_shape_is(table->shape, relation))
        return true;
    hub_shape *shape = hub_shape_new(relation);
    core_value *masked = calloc(relation->column_count + 1u, sizeof *masked);
    if (shape == NULL || masked == NULL) {
        hub_shape_free(shape);
        free(masked);
        return false;
    }
    hub_entry *all = table_take_all(table);
    table_free_groups(table);
    hub_shape_free(table->shape);
    free(table->masked);
    table->shape = shape;
    table->masked = masked;
    while (all != NULL) {
        hub_entry *entry = all;
        all = entry->next;
        entry->by_policy = false;
        core_error error = {.text = ""};
        if (!entry_bind(entry, &error))
            listener->problem(listener->context, entry->rule, error.text);
    }
    return true;
}
