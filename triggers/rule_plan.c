/* Where a condition stands best: at the places that it shares with the fewest others. How often
 * rows have a value is not known here; how many conditions would be looked at for one is. See
 * rule_table.h. */
#include "triggers/rule_table.h"

#include <stdlib.h>

/* A set of this many or fewer others is good enough: no composite is asked for. */
#define CROWD_SMALL 8
#define SETS_MAX    64 /* that are compared */
/* What half of all rows have (a range without an end, a value that is not null, a change) counts
 * as if so many of all conditions stood there. */
#define BROAD_SHARE 8

static const triggers_rule_column *column_find(const triggers_rule_table *table,
                                               const expr_place *place) {
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].column == place->column && table->columns[i].is_old == place->is_old)
            return &table->columns[i];
    return NULL;
}

static void count_visit(void *context, const uint32_t *ids, size_t count) {
    size_t *total = context;
    (void)ids;
    *total += count;
}

static size_t equal_crowd(const triggers_rule_column *column, const expr_place *place) {
    size_t most = 0;
    for (size_t i = 0; i < place->count; i++) {
        const triggers_posting_list *list =
            triggers_postings_find(&column->equal, place->hashes[i]);
        most = list != NULL && list->count > most ? list->count : most;
    }
    return most;
}

static size_t range_crowd(const triggers_rule_column *column, const expr_place *place,
                          size_t broad) {
    size_t low = 0;
    size_t high = 0;
    bool is_broad = place->low == INT64_MIN || place->high == INT64_MAX;
    if (place->low > place->high)
        return 0;
    triggers_ranges_find(&column->ranges, place->low, count_visit, &low);
    triggers_ranges_find(&column->ranges, place->high, count_visit, &high);
    if (place->low == INT64_MIN)
        low = 0;
    if (place->high == INT64_MAX)
        high = 0;
    return (low > high ? low : high) + (is_broad ? broad : 0);
}

/* How many conditions are looked at where a row is at this place. */
static size_t place_crowd(const triggers_rule_plan *plan, const expr_place *place) {
    const triggers_rule_column *column = column_find(plan->crowd, place);
    size_t broad = plan->entries / BROAD_SHARE;
    size_t count = 0;
    if (column == NULL)
        return 0;
    switch (place->kind) {
    case EXPR_PLACE_EQUAL:
        return equal_crowd(column, place);
    case EXPR_PLACE_RANGE:
        return range_crowd(column, place, broad);
    case EXPR_PLACE_PREFIX:
        triggers_prefixes_find(&column->prefixes,
                               core_slice_make(place->prefix, place->prefix_length), count_visit,
                               &count);
        return count;
    case EXPR_PLACE_CHANGED:
        return column->changed.count + broad;
    case EXPR_PLACE_NULL:
        return column->null.count + broad;
    case EXPR_PLACE_NOT_NULL:
        break;
    }
    return column->not_null.count + 2 * broad;
}

/* ---- Composites ---- */

uint64_t triggers_composite_hash(uint64_t hash, const expr_place *place, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= (uint64_t)place->column * 2 + (place->is_old ? 1 : 0);
    return hash ^ hash >> 29;
}

bool triggers_composite_each(const triggers_composite_key *key,
                             bool (*add)(void *context, uint64_t hash), void *context) {
    size_t total = 1;
    for (size_t i = 0; i < key->count; i++)
        total *= key->places[i].count;
    for (size_t number = 0; number < total; number++) {
        uint64_t hash = 0;
        size_t rest = number;
        for (size_t i = 0; i < key->count; i++) {
            const expr_place *place = &key->places[i];
            hash = triggers_composite_hash(hash, place, place->hashes[rest % place->count]);
            rest /= place->count;
        }
        if (!add(context, hash))
            return false;
    }
    return true;
}

static int by_column(const void *left, const void *right) {
    const expr_place *a = left, *b = right;
    int x = a->column * 2 + (a->is_old ? 1 : 0);
    int y = b->column * 2 + (b->is_old ? 1 : 0);
    return (x > y) - (x < y);
}

/* Adds the place, or puts it in the place of the one that most others share. */
static void key_take(const triggers_rule_plan *plan, triggers_composite_key *key,
                     const expr_place *place) {
    size_t worst = 0;
    for (size_t i = 0; i < key->count; i++)
        if (key->places[i].column == place->column && key->places[i].is_old == place->is_old)
            return;
    if (key->count < TRIGGERS_COMPOSITE_COLUMNS_MAX) {
        key->places[key->count++] = *place;
        return;
    }
    for (size_t i = 1; i < key->count; i++)
        if (place_crowd(plan, &key->places[i]) > place_crowd(plan, &key->places[worst]))
            worst = i;
    if (place_crowd(plan, place) < place_crowd(plan, &key->places[worst]))
        key->places[worst] = *place;
}

bool triggers_composite_of(const triggers_rule_table *crowd, const expr_condition *condition,
                           triggers_composite_key *key) {
    const triggers_rule_plan plan = {.crowd = crowd};
    expr_place places[EXPR_PLACES_MAX];
    size_t count = 0;
    size_t total = 1;
    key->count = 0;
    for (size_t i = 0; i < SETS_MAX; i++) {
        if ((count = expr_condition_places(condition, i, places)) == 0)
            break;
        if (count == 1 && places[0].kind == EXPR_PLACE_EQUAL && places[0].count > 0)
            key_take(&plan, key, &places[0]);
    }
    for (size_t i = 0; i < key->count; i++)
        total *= key->places[i].count;
    qsort(key->places, key->count, sizeof key->places[0], by_column);
    return key->count >= 2 && total <= TRIGGERS_COMPOSITE_VALUES_MAX;
}

typedef struct {
    const triggers_postings *crowd;
    size_t most;
} composite_counting;

static bool composite_count(void *context, uint64_t hash) {
    composite_counting *counting = context;
    const triggers_posting_list *list = triggers_postings_find(counting->crowd, hash);
    if (list != NULL && list->count > counting->most)
        counting->most = list->count;
    return true;
}

static bool composite_is_better(const triggers_rule_plan *plan, const triggers_composite_key *key,
                                size_t crowd) {
    composite_counting counting = {.crowd = plan->composite_crowd};
    if (key->count < 2 || crowd <= CROWD_SMALL)
        return false;
    return triggers_composite_each(key, composite_count, &counting) && counting.most < crowd / 2;
}

/* ---- The choice ---- */

size_t triggers_rule_plan_choose(const triggers_rule_plan *plan, const expr_condition *condition,
                                 const triggers_composite_key *key, bool *by_composite) {
    expr_place places[EXPR_PLACES_MAX];
    size_t best = SIZE_MAX;
    size_t best_crowd = SIZE_MAX;
    for (size_t i = 0; i < SETS_MAX; i++) {
        size_t count = expr_condition_places(condition, i, places);
        size_t crowd = 0;
        for (size_t k = 0; k < count; k++)
            crowd += place_crowd(plan, &places[k]);
        if (count == 0)
            break;
        if (crowd >= best_crowd)
            continue;
        best = i;
        best_crowd = crowd;
    }
    *by_composite = best != SIZE_MAX && composite_is_better(plan, key, best_crowd);
    return best;
}
