/* What a change matches among a table's entries; see hub_table.h.
 *
 * A large value that an update left as it was is not in the stream, unless the old image is whole:
 * those whose filter reads it are told once that theirs cannot be answered. One that was read later
 * answers filters, but no policies (hub_secure.c): it may be of a row that is shown while this one
 * is not, or the other way round.
 *
 * A delete is held against the old image, a leave against both. An old image that is only the key
 * answers filters over key columns; all others are told once that theirs cannot be answered. */
#include "ws/hub_table.h"

#include <stdio.h>

typedef struct {
    hub_table *table;
    const core_change *change;
    const core_tuple *tuple; /* looked up and evaluated */
    const hub_listener *listener;
    hub_interest interest;
    bool update; /* the tuple is the new one of an update */
    /* What is done with an entry whose filter the tuple passes. */
    void (*found)(const void *match, const hub_entry *entry);
} table_match;

/* ---- Finding ---- */

/* What reads the row: in front of the filter's text, which is empty where there is none. */
static const char *entry_reader(const hub_entry *entry) {
    return entry->bound != NULL ? "filter " : "row-level security";
}

static void tell_update(const table_match *match, hub_entry *entry) {
    char text[CORE_ERROR_TEXT_MAX];
    const hub_table *table = match->table;
    entry->told_update = true;
    (void)snprintf(text, sizeof text,
                   "an update on %.*s.%.*s does not carry a large value that it left as it was, so "
                   "%s%.*s cannot be evaluated and it is not delivered; ALTER TABLE ... "
                   "REPLICA IDENTITY FULL mends it",
                   CORE_SLICE_ARGS(table->schema), CORE_SLICE_ARGS(table->name),
                   entry_reader(entry), CORE_SLICE_ARGS(entry->rule->filter));
    match->listener->problem(match->listener->context, entry->rule, text);
}

/* Whether another of its columns has found it in this look-up. */
static bool match_again(const table_match *match, hub_entry *entry) {
    if (!entry->several)
        return false;
    bool again = entry->round == match->table->round;
    entry->round = match->table->round;
    return again;
}

static void match_evaluate(const table_match *match, hub_entry *entry) {
    if (match_again(match, entry))
        return;
    expr_truth truth =
        entry->bound != NULL ? expr_bound_evaluate(entry->bound, match->tuple) : EXPR_TRUE;
    if (truth == EXPR_TRUE)
        match->found(match, entry);
    else if (truth == EXPR_UNKNOWN && match->update && !entry->told_update &&
             entry->place == HUB_PLACE_RESIDUAL &&
             !expr_bound_is_covered(entry->bound, match->tuple))
        tell_update(match, entry);
}

static bool entry_stands_under(const hub_entry *entry, uint16_t column) {
    size_t count = entry->several ? entry->link_count : 1;
    for (size_t i = 0; i < count; i++)
        if (entry->links[i].column == column)
            return true;
    return false;
}

/* The column that the group looks at did not come, or `later`, which counts for policies alone.
 * Each entry that stands under it alone is told once, so that updates do not cost by the entries;
 * the others may match by their other columns, so their policies decide, each time. */
static void match_absent(const table_match *match, const hub_shelf *shelf, hub_group *group,
                         bool later) {
    uint32_t *untold = later ? &group->untold_later : &group->untold;
    hub_entry *entry = *untold > 0 ? shelf->places[HUB_PLACE_EQUAL] : NULL;
    *untold = 0;
    for (; entry != NULL; entry = entry->next) {
        if (!entry_stands_under(entry, group->column) || (later && !entry->policy_key))
            continue;
        *untold += entry->several ? 1 : 0;
        if (entry->several)
            match_evaluate(match, entry);
        else if (!entry->told_update)
            tell_update(match, entry);
    }
}

static void match_group(const table_match *match, const hub_shelf *shelf, hub_group *group) {
    uint64_t hash;
    const core_relation *relation = &match->table->shape->relation;
    const core_value *value = &match->tuple->values[group->column];
    if (match->update && (value->kind == CORE_VALUE_UNCHANGED || value->read_later))
        match_absent(match, shelf, group, value->read_later);
    if (group->firsts.count == 0 || !expr_row_hash(relation, group->column, match->tuple, &hash))
        return;
    const hub_link *link = hub_group_first(group, hash);
    for (; link != NULL; link = link->next)
        match_evaluate(match, link->entry);
}

static void match_filtered(const table_match *match) {
    match->table->round++;
    for (size_t i = 0; i < HUB_INTERESTS; i++) {
        const hub_shelf *shelf = match->table->shelves[i];
        if (shelf == NULL || (i & match->interest) == 0)
            continue;
        for (hub_group *group = shelf->groups; group != NULL; group = group->next)
            match_group(match, shelf, group);
        for (hub_entry *entry = shelf->places[HUB_PLACE_RESIDUAL]; entry != NULL;
             entry = entry->next)
            match_evaluate(match, entry);
    }
}

static void match_all(const table_match *match, hub_place place) {
    for (size_t i = 0; i < HUB_INTERESTS; i++) {
        const hub_shelf *shelf = match->table->shelves[i];
        if (shelf == NULL || (i & match->interest) == 0)
            continue;
        for (hub_entry *entry = shelf->places[place]; entry != NULL; entry = entry->next)
            match->found(match, entry);
    }
}

/* ---- Old images ---- */

static bool tuple_is_whole(const hub_table *table, const core_tuple *tuple) {
    return tuple->count == table->shape->relation.column_count;
}

/* An old image of which only the key came: the rest is not null but absent, and no condition on it
 * may hold. */
static core_tuple table_key_only(hub_table *table, const core_tuple *old) {
    const core_relation *relation = &table->shape->relation;
    for (uint16_t i = 0; i < old->count; i++)
        table->masked[i] =
            relation->columns[i].key ? old->values[i] : (core_value){.kind = CORE_VALUE_UNCHANGED};
    return (core_tuple){.count = old->count, .values = table->masked};
}

static void tell_untold(hub_table *table, hub_untold what, const hub_listener *listener) {
    static const char *const kinds[HUB_UNTOLDS] = {
        [HUB_UNTOLD_DELETE] = "a delete on %.*s.%.*s carries only its key, so %s%.*s cannot "
                              "be evaluated and it is not delivered; ALTER TABLE ... REPLICA "
                              "IDENTITY FULL mends it",
        [HUB_UNTOLD_LEAVE] = "an update on %.*s.%.*s does not carry the row before it, so whether "
                             "the row leaves %s%.*s cannot be told; ALTER TABLE ... REPLICA "
                             "IDENTITY FULL mends it",
    };
    while (table->untold[what] != NULL) {
        hub_entry *entry = table->untold[what];
        hub_table_told(entry, what);
        entry->told[what] = true;
        char text[CORE_ERROR_TEXT_MAX];
        (void)snprintf(text, sizeof text, kinds[what], CORE_SLICE_ARGS(table->schema),
                       CORE_SLICE_ARGS(table->name), entry_reader(entry),
                       CORE_SLICE_ARGS(entry->rule->filter));
        listener->problem(listener->context, entry->rule, text);
    }
}

/* ---- The operations ---- */

static void found_match(const void *context, const hub_entry *entry) {
    const table_match *match = context;
    match->listener->matched(match->listener->context, entry->rule);
}

static void found_before(const void *context, const hub_entry *entry) {
    const table_match *match = context;
    const core_tuple *now = &match->change->new_tuple;
    if (expr_bound_is_covered(entry->bound, now) &&
        expr_bound_evaluate(entry->bound, now) != EXPR_TRUE)
        match->listener->left(match->listener->context, entry->rule);
}

static bool table_wants(const hub_table *table, hub_interest interest) {
    for (size_t i = 0; i < HUB_INTERESTS; i++)
        if (table->shelves[i] != NULL && (i & interest) != 0)
            return true;
    return false;
}

/* Who the row of an UPDATE has left. Without an old image its key is as it was. */
static void match_leaves(table_match match) {
    core_tuple key_only;
    const core_change *change = match.change;
    match.update = false;
    match.interest = HUB_LEAVES;
    match.found = found_before;
    if (!table_wants(match.table, HUB_LEAVES))
        return;
    if (change->old_kind != CORE_OLD_FULL)
        tell_untold(match.table, HUB_UNTOLD_LEAVE, match.listener);
    if (change->old_kind == CORE_OLD_NONE || !tuple_is_whole(match.table, &change->old_tuple) ||
        !tuple_is_whole(match.table, &change->new_tuple))
        return;
    match.tuple = &change->old_tuple;
    if (change->old_kind != CORE_OLD_FULL) {
        key_only = table_key_only(match.table, &change->old_tuple);
        match.tuple = &key_only;
    }
    match_filtered(&match);
}

static void match_delete(table_match match) {
    core_tuple key_only;
    const core_change *change = match.change;
    match.tuple = &change->old_tuple;
    if (!tuple_is_whole(match.table, match.tuple))
        return; /* of a table without any old image */
    if (change->old_kind != CORE_OLD_FULL) {
        key_only = table_key_only(match.table, match.tuple);
        match.tuple = &key_only;
        tell_untold(match.table, HUB_UNTOLD_DELETE, match.listener);
    }
    match_filtered(&match);
}

void hub_table_match(hub_table *table, const core_change *change, const hub_listener *listener) {
    table_match match = {.table = table,
                         .change = change,
                         .tuple = &change->new_tuple,
                         .listener = listener,
                         .interest = HUB_INTEREST_OF(change->op),
                         .found = found_match};
    match_all(&match, HUB_PLACE_PLAIN);
    if (change->op == CORE_OP_TRUNCATE) { /* takes every row, so the filtered ones too */
        match_all(&match, HUB_PLACE_EQUAL);
        match_all(&match, HUB_PLACE_RESIDUAL);
    } else if (change->op == CORE_OP_DELETE) {
        match_delete(match);
    } else if (tuple_is_whole(table, match.tuple)) {
        match.update = change->op == CORE_OP_UPDATE;
        match_filtered(&match);
        if (change->op == CORE_OP_UPDATE)
            match_leaves(match);
    }
}
