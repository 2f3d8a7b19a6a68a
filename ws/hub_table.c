/* See hub_table.h.
 *
 * The filter is evaluated on all that the index finds, so the index only ever narrows. */
#include "ws/hub_table.h"

#include <stdio.h>
#include <stdlib.h>

struct hub_group {
    hub_group *next;
    uint16_t column;
    hub_map values;    /* entries by the hash of the value they ask for */
    hub_entry *sample; /* any of them: its bound filter hashes a row's value; NULL when empty */
};

/* ---- Places ---- */

static hub_group *table_group(hub_table *table, uint16_t column) {
    for (hub_group *group = table->groups; group != NULL; group = group->next)
        if (group->column == column)
            return group;
    hub_group *group = calloc(1, sizeof *group);
    if (group == NULL)
        return NULL;
    group->column = column;
    group->next = table->groups;
    table->groups = group;
    return group;
}

static void group_remove(hub_group *group, hub_entry *entry) {
    size_t cursor = 0;
    hub_map_node *at = NULL;
    hub_map_remove(&group->values, &entry->node);
    if (group->sample == entry)
        group->sample = hub_map_each(&group->values, &cursor, &at);
}

static void entry_place(hub_entry *entry, hub_place place) {
    hub_entry **head = &entry->table->places[place];
    entry->place = place;
    entry->previous = NULL;
    entry->next = *head;
    if (*head != NULL)
        (*head)->previous = entry;
    *head = entry;
}

static void entry_unplace(hub_entry *entry) {
    if (entry->place == HUB_PLACE_EQUAL)
        group_remove(table_group(entry->table, entry->column), entry);
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        entry->table->places[entry->place] = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
    expr_bound_free(entry->bound);
    entry->bound = NULL;
}

/* True when the entry went into a group. */
static bool entry_place_equal(hub_entry *entry) {
    uint64_t hash;
    if (!expr_bound_equality(entry->bound, &entry->column, &hash))
        return false;
    hub_group *group = table_group(entry->table, entry->column);
    if (group == NULL || !hub_map_add(&group->values, &entry->node, hash, entry))
        return false;
    if (group->sample == NULL)
        group->sample = entry;
    entry_place(entry, HUB_PLACE_EQUAL);
    return true;
}

/* Puts an entry where it belongs by the table's shape. False: the filter does not fit, and the
 * entry is with the broken ones. */
static bool entry_bind(hub_entry *entry, core_error *error) {
    hub_table *table = entry->table;
    entry->told_delete = false;
    if (table->shape == NULL) {
        entry_place(entry, HUB_PLACE_UNBOUND);
        return true;
    }
    if (entry->rule->parsed == NULL) {
        entry_place(entry, HUB_PLACE_PLAIN);
        return true;
    }
    entry->bound = expr_filter_bind(entry->rule->parsed, &table->shape->relation, error);
    if (entry->bound == NULL) {
        entry_place(entry, HUB_PLACE_BROKEN);
        return false;
    }
    if (!entry_place_equal(entry))
        entry_place(entry, HUB_PLACE_RESIDUAL);
    table->untold_deletes = true;
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
    hub_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
    entry->rule = rule;
    entry->table = table;
    entry->rule_next = rule->entries;
    rule->entries = entry;
    if (entry_bind(entry, error))
        return true;
    hub_table_drop(entry);
    return false;
}

void hub_table_drop(hub_entry *entry) {
    entry_unplace(entry);
    hub_entry **at = &entry->rule->entries;
    while (*at != entry)
        at = &(*at)->rule_next;
    *at = entry->rule_next;
    free(entry);
}

static void table_free_groups(hub_table *table) {
    while (table->groups != NULL) {
        hub_group *group = table->groups;
        table->groups = group->next;
        hub_map_fini(&group->values);
        free(group);
    }
}

void hub_table_free(hub_table *table) {
    for (size_t place = 0; place < HUB_PLACES; place++)
        while (table->places[place] != NULL)
            hub_table_drop(table->places[place]);
    table_free_groups(table);
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
    hub_entry *all = NULL;
    for (size_t place = 0; place < HUB_PLACES; place++) {
        while (table->places[place] != NULL) {
            hub_entry *entry = table->places[place];
            entry_unplace(entry);
            entry->next = all;
            all = entry;
        }
    }
    table_free_groups(table);
    hub_shape_free(table->shape);
    free(table->masked);
    table->shape = shape;
    table->masked = masked;
    while (all != NULL) {
        hub_entry *entry = all;
        all = entry->next;
        core_error error = {.text = ""};
        if (!entry_bind(entry, &error))
            listener->problem(listener->context, entry->rule, error.text);
    }
    return true;
}

/* ---- Matching ---- */

/* An old image of which only the key came: the rest is not null but absent, and no condition on it
 * may hold. */
static core_tuple table_key_only(hub_table *table, const core_tuple *old) {
    const core_relation *relation = &table->shape->relation;
    for (uint16_t i = 0; i < old->count; i++)
        table->masked[i] =
            relation->columns[i].key ? old->values[i] : (core_value){.kind = CORE_VALUE_UNCHANGED};
    return (core_tuple){.count = old->count, .values = table->masked};
}

static void tell_delete(hub_table *table, hub_entry *entry, const hub_listener *listener) {
    if (entry->told_delete)
        return;
    entry->told_delete = true;
    char text[CORE_ERROR_TEXT_MAX];
    (void)snprintf(text, sizeof text,
                   "a delete on %.*s.%.*s carries only its key, so filter %.*s cannot be evaluated "
                   "and it is not delivered; ALTER TABLE ... REPLICA IDENTITY FULL mends it",
                   CORE_SLICE_ARGS(table->schema), CORE_SLICE_ARGS(table->name),
                   CORE_SLICE_ARGS(entry->rule->filter));
    listener->problem(listener->context, entry->rule, text);
}

typedef struct {
    hub_table *table;
    const core_tuple *tuple;
    const hub_listener *listener;
    bool key_only;
} table_match;

static void match_entry(const table_match *match, hub_entry *entry) {
    expr_truth truth = expr_bound_evaluate(entry->bound, match->tuple);
    if (truth == EXPR_TRUE)
        match->listener->matched(match->listener->context, entry->rule);
    else if (truth == EXPR_UNKNOWN && match->key_only)
        tell_delete(match->table, entry, match->listener);
}

/* A delete with only a key cannot be looked up by another column: new entries are all evaluated
 * once, to tell their subscribers. */
static void match_untold(const table_match *match) {
    if (!match->table->untold_deletes)
        return;
    match->table->untold_deletes = false;
    for (hub_entry *entry = match->table->places[HUB_PLACE_EQUAL]; entry != NULL;
         entry = entry->next)
        if (!entry->told_delete && !match->table->shape->relation.columns[entry->column].key)
            match_entry(match, entry);
}

static void match_groups(const table_match *match) {
    for (hub_group *group = match->table->groups; group != NULL; group = group->next) {
        uint64_t hash;
        if (group->sample == NULL ||
            !expr_bound_row_hash(group->sample->bound, match->tuple, &hash))
            continue;
        hub_map_node *node = hub_map_first(&group->values, hash);
        for (; node != NULL; node = hub_map_next(node))
            match_entry(match, node->owner);
    }
}

static void match_list(const table_match *match, hub_place place) {
    for (hub_entry *entry = match->table->places[place]; entry != NULL; entry = entry->next)
        match_entry(match, entry);
}

static void match_all(const table_match *match, hub_place place) {
    for (hub_entry *entry = match->table->places[place]; entry != NULL; entry = entry->next)
        match->listener->matched(match->listener->context, entry->rule);
}

void hub_table_match(hub_table *table, const core_change *change, const hub_listener *listener) {
    table_match match = {.table = table, .tuple = &change->new_tuple, .listener = listener};
    match_all(&match, HUB_PLACE_PLAIN);
    if (change->op == CORE_OP_TRUNCATE) { /* takes every row, so the filtered ones too */
        match_all(&match, HUB_PLACE_EQUAL);
        match_all(&match, HUB_PLACE_RESIDUAL);
        return;
    }
    core_tuple key_only;
    if (change->op == CORE_OP_DELETE) {
        match.tuple = &change->old_tuple;
        match.key_only = change->old_kind != CORE_OLD_FULL;
    }
    if (match.tuple->count != table->shape->relation.column_count)
        return; /* a delete of a table without any old image */
    if (match.key_only) {
        key_only = table_key_only(table, match.tuple);
        match.tuple = &key_only;
        match_untold(&match);
    }
    match_groups(&match);
    match_list(&match, HUB_PLACE_RESIDUAL);
}
