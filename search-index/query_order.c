/* Which match comes before which: the schema's ranking rules with the request's sorts in their
 * place, then BM25, then the docid; and the heap of the best. */
#include "search-index/query.h"

#include "search-index/geo.h"

#include <math.h>
#include <stdlib.h>

/* ---- Keys ---- */
static void key_add(search_run *run, search_key key) {
    if (run->key_count == CORE_COUNT_OF(run->keys))
        return;
    switch (key.kind) {
    case SEARCH_KEY_WORDS:
        run->stops_at_words = !run->is_other_before;
        break;
    case SEARCH_KEY_TYPO:
        run->stops_at_typos = !run->is_other_before;
        break;
    case SEARCH_KEY_SCORE:
        break;
    case SEARCH_KEY_COLUMN:
    case SEARCH_KEY_GEO:
        run->is_sorted = run->is_other_before = true;
        break;
    default:
        run->has_places = run->is_other_before = true;
        break;
    }
    run->keys[run->key_count++] = key;
}

static void sorts_add(search_run *run) {
    for (uint32_t i = 0; i < run->request->sort_count; i++) {
        const search_sort *sort = &run->request->sorts[i];
        search_key key = {.kind = sort->is_geo ? SEARCH_KEY_GEO : SEARCH_KEY_COLUMN,
                          .column = search_columns_find(run->shared->columns, sort->attribute),
                          .is_descending = sort->is_descending,
                          .latitude = sort->latitude,
                          .longitude = sort->longitude};
        key_add(run, key);
    }
}

void search_order_prepare(search_run *run) {
    const search_columns *columns = run->shared->columns;
    for (size_t i = 0; i < run->schema->ranking_rule_count; i++) {
        const search_ranking_rule *rule = &run->schema->ranking_rules[i];
        switch (rule->kind) {
        case SEARCH_RULE_WORDS:
            key_add(run, (search_key){.kind = SEARCH_KEY_WORDS});
            break;
        case SEARCH_RULE_TYPO:
            key_add(run, (search_key){.kind = SEARCH_KEY_TYPO});
            break;
        case SEARCH_RULE_SORT:
            sorts_add(run);
            break;
        case SEARCH_RULE_ASCENDING:
        case SEARCH_RULE_DESCENDING:
            key_add(run, (search_key){.kind = SEARCH_KEY_COLUMN,
                                      .column = search_columns_find(columns, rule->attribute),
                                      .is_descending = rule->kind == SEARCH_RULE_DESCENDING});
            break;
        case SEARCH_RULE_PROXIMITY:
            key_add(run, (search_key){.kind = SEARCH_KEY_PROXIMITY});
            break;
        case SEARCH_RULE_ATTRIBUTE:
            key_add(run, (search_key){.kind = SEARCH_KEY_ATTRIBUTE});
            break;
        case SEARCH_RULE_EXACTNESS:
            key_add(run, (search_key){.kind = SEARCH_KEY_EXACTNESS});
            break;
        }
    }
    key_add(run, (search_key){.kind = SEARCH_KEY_SCORE});
}

void search_order_fused(search_run *run) {
    run->key_count = 0;
    run->is_sorted = false;
    for (size_t i = 0; i < run->schema->ranking_rule_count; i++)
        if (run->schema->ranking_rules[i].kind == SEARCH_RULE_SORT)
            sorts_add(run);
    key_add(run, (search_key){.kind = SEARCH_KEY_SCORE});
    key_add(run, (search_key){.kind = SEARCH_KEY_TYPO}); /* search_fused_show */
}

/* ---- Comparing; below 0: `a` comes first ---- */
/* Numbers before texts, both by their order. */
static int value_compare(const search_columns *columns, uint32_t column, search_value a,
                         search_value b) {
    bool is_a = search_value_is_number(a), is_b = search_value_is_number(b);
    if (is_a != is_b)
        return is_a ? -1 : 1;
    if (is_a) {
        double x = search_value_number(a), y = search_value_number(b);
        return (x > y) - (x < y);
    }
    uint32_t x = search_value_text(a), y = search_value_text(b);
    return x == y ? 0
                  : core_slice_compare(search_column_text(columns, column, x),
                                       search_column_text(columns, column, y));
}

/* Of an array the value that comes first. False: there is none. */
static bool value_of(const search_columns *columns, const search_key *key, search_docid docid,
                     search_value *value) {
    search_values values = search_column_values(columns, key->column, docid);
    if (values.count == 0)
        return false;
    *value = values.values[0];
    for (uint32_t i = 1; i < values.count; i++) {
        int order = value_compare(columns, key->column, values.values[i], *value);
        if (key->is_descending ? order > 0 : order < 0)
            *value = values.values[i];
    }
    return true;
}

/* What has no value comes last, in both directions. */
static int column_compare(const search_run *run, const search_key *key, search_docid a,
                          search_docid b) {
    const search_columns *columns = run->shared->columns;
    search_value of_a, of_b;
    if (key->column == SEARCH_COLUMN_NONE)
        return 0;
    bool has_a = value_of(columns, key, a, &of_a), has_b = value_of(columns, key, b, &of_b);
    if (!has_a || !has_b)
        return has_b - has_a;
    int order = value_compare(columns, key->column, of_a, of_b);
    return key->is_descending ? -order : order;
}

static int geo_compare(const search_run *run, const search_key *key, search_docid a,
                       search_docid b) {
    double latitude, longitude, of_a = 0, of_b = 0;
    bool has_a = search_columns_geo(run->shared->columns, a, &latitude, &longitude);
    if (has_a)
        of_a = search_geo_metres(latitude, longitude, key->latitude, key->longitude);
    bool has_b = search_columns_geo(run->shared->columns, b, &latitude, &longitude);
    if (has_b)
        of_b = search_geo_metres(latitude, longitude, key->latitude, key->longitude);
    if (!has_a || !has_b)
        return has_b - has_a;
    int order = (of_a > of_b) - (of_a < of_b);
    return key->is_descending ? -order : order;
}

static int key_compare(const search_run *run, const search_key *key, const search_entry *a,
                       const search_entry *b) {
    switch (key->kind) {
    case SEARCH_KEY_WORDS:
        return (b->words > a->words) - (b->words < a->words);
    case SEARCH_KEY_TYPO:
        return (a->typos > b->typos) - (a->typos < b->typos);
    case SEARCH_KEY_PROXIMITY:
        return (a->proximity > b->proximity) - (a->proximity < b->proximity);
    case SEARCH_KEY_ATTRIBUTE:
        return (a->attribute > b->attribute) - (a->attribute < b->attribute);
    case SEARCH_KEY_EXACTNESS:
        return (a->inexact > b->inexact) - (a->inexact < b->inexact);
    case SEARCH_KEY_COLUMN:
        return column_compare(run, key, a->docid, b->docid);
    case SEARCH_KEY_GEO:
        return geo_compare(run, key, a->docid, b->docid);
    default:
        return (b->score > a->score) - (b->score < a->score);
    }
}

bool search_order_before(const search_run *run, const search_entry *a, const search_entry *b) {
    for (uint32_t i = 0; i < run->key_count; i++) {
        int order = key_compare(run, &run->keys[i], a, b);
        if (order != 0)
            return order < 0;
    }
    return a->docid < b->docid;
}

/* ---- The heap: the worst on top ---- */
static void heap_down(search_run *run, uint32_t at) {
    search_entry moved = run->heap[at];
    for (uint32_t child; (child = 2 * at + 1) < run->heap_count; at = child) {
        if (child + 1 < run->heap_count &&
            search_order_before(run, &run->heap[child], &run->heap[child + 1]))
            child++;
        if (!search_order_before(run, &moved, &run->heap[child]))
            break;
        run->heap[at] = run->heap[child];
    }
    run->heap[at] = moved;
}

void search_heap_put(search_run *run, const search_entry *entry) {
    if (run->heap_max == 0)
        return;
    if (run->heap_count == run->heap_max) {
        if (!search_order_before(run, entry, &run->heap[0]))
            return;
        run->heap[0] = *entry;
        heap_down(run, 0);
        return;
    }
    uint32_t at = run->heap_count++;
    for (uint32_t parent; at > 0; at = parent) {
        parent = (at - 1) / 2;
        if (!search_order_before(run, &run->heap[parent], entry))
            break;
        run->heap[at] = run->heap[parent];
    }
    run->heap[at] = *entry;
}

void search_heap_sort(search_run *run) {
    uint32_t count = run->heap_count;
    while (run->heap_count > 1) {
        search_entry worst = run->heap[0];
        run->heap[0] = run->heap[--run->heap_count];
        heap_down(run, 0);
        run->heap[run->heap_count] = worst;
    }
    run->heap_count = count;
}
