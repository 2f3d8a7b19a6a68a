/* See rule_table.h. */
#include "triggers/rule_table.h"

#include <stdlib.h>

/* ---- Filling ---- */

static bool ids_add(triggers_ids *ids, uint32_t id) {
    if (ids->count > 0 && ids->ids[ids->count - 1] == id) /* entries come one after the other */
        return true;
    if (ids->count == ids->capacity) {
        size_t capacity = ids->capacity == 0 ? 8 : ids->capacity * 2;
        uint32_t *grown = realloc(ids->ids, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        ids->ids = grown;
        ids->capacity = capacity;
    }
    ids->ids[ids->count++] = id;
    return true;
}

/* The column's; NULL when memory is out. Its number in the table is its place in the array. */
static triggers_rule_column *column_of(triggers_rule_table *table, uint16_t column, bool is_old) {
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].column == column && table->columns[i].is_old == is_old)
            return &table->columns[i];
    if (table->column_count == table->column_capacity) {
        size_t capacity = table->column_capacity == 0 ? 4 : table->column_capacity * 2;
        triggers_rule_column *grown = realloc(table->columns, capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        table->columns = grown;
        table->column_capacity = capacity;
    }
    triggers_rule_column *made = &table->columns[table->column_count++];
    *made = (triggers_rule_column){.column = column, .is_old = is_old};
    made->kind = expr_column_kind(&table->relation->columns[column]);
    return made;
}

static bool equal_add(triggers_rule_column *column, const expr_place *place, uint32_t id) {
    column->wants |= EXPR_PROBE_HASH;
    for (size_t i = 0; i < place->count; i++)
        if (!triggers_postings_add(&column->equal, place->hashes[i], id))
            return false;
    return true;
}

static bool place_fill(triggers_rule_column *column, const expr_place *place, uint32_t id) {
    switch (place->kind) {
    case EXPR_PLACE_EQUAL:
        return equal_add(column, place, id);
    case EXPR_PLACE_RANGE:
        column->wants |= EXPR_PROBE_RANK;
        return triggers_ranges_add(&column->ranges, place->low, place->high, id);
    case EXPR_PLACE_PREFIX:
        return triggers_prefixes_add(&column->prefixes,
                                     core_slice_make(place->prefix, place->prefix_length), id);
    case EXPR_PLACE_CHANGED:
        return ids_add(&column->changed, id);
    case EXPR_PLACE_NULL:
        return ids_add(&column->null, id);
    case EXPR_PLACE_NOT_NULL:
        break;
    }
    return ids_add(&column->not_null, id);
}

/* What looks at the column itself: not `changed`, which looks at both images' texts. */
static bool place_add(triggers_rule_table *table, const expr_place *place,
                      const triggers_rule_entry *entry) {
    triggers_rule_column *column = column_of(table, place->column, place->is_old);
    if (column == NULL || !place_fill(column, place, entry->id))
        return false;
    if (place->kind == EXPR_PLACE_CHANGED)
        return true;
    return ids_add(&column->open, entry->id) &&
           (!expr_condition_raises(entry->condition) || ids_add(&column->raising, entry->id));
}

static bool places_add(triggers_rule_table *table, const triggers_rule_entry *entry,
                       size_t number) {
    expr_place places[EXPR_PLACES_MAX];
    size_t count = expr_condition_places(entry->condition, number, places);
    for (size_t i = 0; i < count; i++)
        if (!place_add(table, &places[i], entry))
            return false;
    return true;
}

/* ---- Composites ---- */

typedef struct {
    triggers_postings *equal;
    uint32_t id;
} composite_adding;

static bool composite_hash_add(void *context, uint64_t hash) {
    const composite_adding *adding = context;
    return triggers_postings_add(adding->equal, hash, adding->id);
}

/* The composite of the key's columns. NULL: memory is out, or there are too many (`*is_full`). */
static triggers_composite *composite_of(triggers_rule_table *table,
                                        const triggers_composite_key *key, bool *is_full) {
    triggers_composite wanted = {.column_count = key->count};
    *is_full = false;
    for (size_t i = 0; i < key->count; i++) {
        const triggers_rule_column *column =
            column_of(table, key->places[i].column, key->places[i].is_old);
        if (column == NULL)
            return NULL;
        wanted.columns[i] = (uint16_t)(column - table->columns);
    }
    for (size_t i = 0; i < table->composite_count; i++)
        if (table->composites[i].column_count == wanted.column_count &&
            memcmp(table->composites[i].columns, wanted.columns, sizeof wanted.columns) == 0)
            return &table->composites[i];
    if (table->composites == NULL)
        table->composites = calloc(TRIGGERS_COMPOSITES_MAX, sizeof *table->composites);
    *is_full = table->composite_count == TRIGGERS_COMPOSITES_MAX;
    if (table->composites == NULL || *is_full)
        return NULL;
    table->composites[table->composite_count] = wanted;
    return &table->composites[table->composite_count++];
}

/* Each of its columns must lead to it where its value did not come. */
static bool composite_columns_mark(triggers_rule_table *table, const triggers_composite *composite,
                                   const triggers_rule_entry *entry) {
    for (size_t i = 0; i < composite->column_count; i++) {
        triggers_rule_column *column = &table->columns[composite->columns[i]];
        column->wants |= EXPR_PROBE_HASH;
        if (!ids_add(&column->open, entry->id) ||
            (expr_condition_raises(entry->condition) && !ids_add(&column->raising, entry->id)))
            return false;
    }
    return true;
}

static bool composite_add(triggers_rule_table *table, const triggers_composite_key *key,
                          const triggers_rule_entry *entry, bool *is_full) {
    triggers_composite *composite = composite_of(table, key, is_full);
    if (composite == NULL)
        return false;
    composite_adding adding = {.equal = &composite->equal, .id = entry->id};
    return triggers_composite_each(key, composite_hash_add, &adding) &&
           composite_columns_mark(table, composite, entry);
}

/* ---- Making ---- */

static bool table_sort(triggers_rule_table *table) {
    for (size_t i = 0; i < table->column_count; i++) {
        triggers_rule_column *column = &table->columns[i];
        if (!triggers_postings_sort(&column->equal, true) ||
            !triggers_ranges_sort(&column->ranges) || !triggers_prefixes_sort(&column->prefixes))
            return false;
    }
    for (size_t i = 0; i < table->composite_count; i++)
        if (!triggers_postings_sort(&table->composites[i].equal, true))
            return false;
    table->probes = calloc(table->column_count + 1, sizeof *table->probes);
    return table->probes != NULL;
}

/* All at all their places, to see which are crowded. */
static bool crowd_make(triggers_rule_table *crowd, const core_relation *relation,
                       const triggers_rule_entry *entries, size_t count) {
    *crowd = (triggers_rule_table){.relation = relation};
    for (size_t i = 0; i < count; i++) {
        expr_place places[EXPR_PLACES_MAX];
        if (entries[i].condition == NULL)
            continue;
        for (size_t set = 0; expr_condition_places(entries[i].condition, set, places) > 0; set++)
            if (!places_add(crowd, &entries[i], set))
                return false;
    }
    return table_sort(crowd);
}

static bool composite_crowd_make(triggers_postings *composites, const triggers_rule_table *crowd,
                                 const triggers_rule_entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        triggers_composite_key key;
        composite_adding adding = {.equal = composites, .id = entries[i].id};
        if (entries[i].condition != NULL &&
            triggers_composite_of(crowd, entries[i].condition, &key) &&
            !triggers_composite_each(&key, composite_hash_add, &adding))
            return false;
    }
    return triggers_postings_sort(composites, true);
}

static bool entry_place(triggers_rule_table *table, const triggers_rule_plan *plan,
                        const triggers_rule_entry *entry) {
    triggers_composite_key key = {.count = 0};
    bool by_composite = false;
    bool is_full = false;
    if (entry->condition == NULL)
        return ids_add(&table->scan, entry->id);
    if (!triggers_composite_of(plan->crowd, entry->condition, &key))
        key.count = 0;
    size_t set = triggers_rule_plan_choose(plan, entry->condition, &key, &by_composite);
    if (by_composite) {
        if (composite_add(table, &key, entry, &is_full))
            return true;
        if (!is_full)
            return false;
    }
    return set == SIZE_MAX ? ids_add(&table->scan, entry->id) : places_add(table, entry, set);
}

bool triggers_rule_table_make(triggers_rule_table *table, const core_relation *relation,
                              const triggers_rule_entry *entries, size_t count) {
    triggers_rule_table crowd = {0};
    triggers_postings composites = {0};
    *table = (triggers_rule_table){.relation = relation};
    bool ok = crowd_make(&crowd, relation, entries, count) &&
              composite_crowd_make(&composites, &crowd, entries, count);
    const triggers_rule_plan plan = {
        .crowd = &crowd, .composite_crowd = &composites, .entries = count};
    for (size_t i = 0; ok && i < count; i++)
        ok = entry_place(table, &plan, &entries[i]);
    ok = ok && table_sort(table);
    triggers_rule_table_fini(&crowd);
    triggers_postings_fini(&composites);
    if (!ok)
        triggers_rule_table_fini(table);
    return ok;
}

void triggers_rule_table_fini(triggers_rule_table *table) {
    for (size_t i = 0; i < table->column_count; i++) {
        triggers_rule_column *column = &table->columns[i];
        triggers_postings_fini(&column->equal);
        triggers_ranges_fini(&column->ranges);
        triggers_prefixes_fini(&column->prefixes);
        free(column->changed.ids);
        free(column->null.ids);
        free(column->not_null.ids);
        free(column->open.ids);
        free(column->raising.ids);
    }
    for (size_t i = 0; i < table->composite_count; i++)
        triggers_postings_fini(&table->composites[i].equal);
    free(table->columns);
    free(table->composites);
    free(table->scan.ids);
    free(table->probes);
    *table = (triggers_rule_table){0};
}

/* ---- Finding ---- */

static void postings_visit(const triggers_postings *postings, uint64_t key, triggers_visit visit,
                           void *context) {
    const triggers_posting_list *list = triggers_postings_find(postings, key);
    if (list != NULL)
        visit(context, triggers_posting_ids(postings, list), list->count);
}

static void ids_visit(const triggers_ids *ids, triggers_visit visit, void *context) {
    if (ids->count > 0)
        visit(context, ids->ids, ids->count);
}

static void column_find(const triggers_rule_column *column, const expr_probe *probe,
                        triggers_visit visit, void *context) {
    if (probe->state == EXPR_PROBE_OPEN) {
        ids_visit(&column->open, visit, context);
    } else if (probe->state == EXPR_PROBE_NULL) {
        ids_visit(&column->null, visit, context);
        ids_visit(&column->raising, visit, context);
    } else {
        postings_visit(&column->equal, probe->hash, visit, context);
        triggers_ranges_find(&column->ranges, probe->rank, visit, context);
        triggers_prefixes_find(&column->prefixes, probe->text, visit, context);
        ids_visit(&column->not_null, visit, context);
    }
}

static void composite_find(const triggers_rule_table *table, const triggers_composite *composite,
                           triggers_visit visit, void *context) {
    uint64_t hash = 0;
    for (size_t i = 0; i < composite->column_count; i++) {
        const expr_probe *probe = &table->probes[composite->columns[i]];
        const triggers_rule_column *column = &table->columns[composite->columns[i]];
        const expr_place place = {.column = column->column, .is_old = column->is_old};
        if (probe->state != EXPR_PROBE_VALUE)
            return;
        hash = triggers_composite_hash(hash, &place, probe->hash);
    }
    postings_visit(&composite->equal, hash, visit, context);
}

void triggers_rule_table_find(const triggers_rule_table *table, const core_tuple *new_tuple,
                              const core_tuple *old_tuple, triggers_visit visit, void *context) {
    for (size_t i = 0; i < table->column_count; i++) {
        const triggers_rule_column *column = &table->columns[i];
        table->probes[i] = expr_row_probe(column->kind, column->wants, column->column,
                                          column->is_old ? old_tuple : new_tuple);
        if (column->changed.count > 0 && expr_row_changed(column->column, new_tuple, old_tuple))
            ids_visit(&column->changed, visit, context);
        column_find(column, &table->probes[i], visit, context);
    }
    for (size_t i = 0; i < table->composite_count; i++)
        composite_find(table, &table->composites[i], visit, context);
    ids_visit(&table->scan, visit, context);
}
