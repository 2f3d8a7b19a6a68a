/* See ranges.h. The leaves are, in turn, what is below the first end, the first end itself, what
 * is between it and the second, and so on: end number i is leaf 2i + 1. A range stands in the few
 * nodes that together cover its leaves, and a number is in all nodes above its leaf. */
#include "triggers/ranges.h"

#include <stdlib.h>

void triggers_ranges_fini(triggers_ranges *ranges) {
    free(ranges->items);
    free(ranges->ends);
    free(ranges->list_of);
    free(ranges->list_above);
    triggers_postings_fini(&ranges->nodes);
    *ranges = (triggers_ranges){0};
}

bool triggers_ranges_add(triggers_ranges *ranges, int64_t low, int64_t high, uint32_t id) {
    if (low > high)
        return true;
    if (ranges->count == ranges->capacity) {
        size_t capacity = ranges->capacity == 0 ? 16 : ranges->capacity * 2;
        if (capacity > TRIGGERS_POSTINGS_MAX)
            return false;
        triggers_range *grown = realloc(ranges->items, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        ranges->items = grown;
        ranges->capacity = capacity;
    }
    ranges->items[ranges->count++] = (triggers_range){.low = low, .high = high, .id = id};
    return true;
}

static int by_number(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static bool ends_make(triggers_ranges *ranges) {
    size_t count = 0;
    ranges->ends = calloc(ranges->count * 2, sizeof *ranges->ends);
    if (ranges->ends == NULL)
        return false;
    for (size_t i = 0; i < ranges->count; i++) {
        ranges->ends[count++] = ranges->items[i].low;
        ranges->ends[count++] = ranges->items[i].high;
    }
    qsort(ranges->ends, count, sizeof *ranges->ends, by_number);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || ranges->ends[i] != ranges->ends[ranges->end_count - 1])
            ranges->ends[ranges->end_count++] = ranges->ends[i];
    return true;
}

static size_t leaf_of(const triggers_ranges *ranges, int64_t number) {
    size_t low = 0;
    size_t high = ranges->end_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges->ends[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_end = low < ranges->end_count && ranges->ends[low] == number;
    return 2 * low + (is_end ? 1 : 0);
}

static bool range_place(triggers_ranges *ranges, const triggers_range *range) {
    size_t left = leaf_of(ranges, range->low) + ranges->leaves;
    size_t right = leaf_of(ranges, range->high) + ranges->leaves + 1;
    for (; left < right; left /= 2, right /= 2) {
        if (left % 2 == 1 && !triggers_postings_add(&ranges->nodes, left++, range->id))
            return false;
        if (right % 2 == 1 && !triggers_postings_add(&ranges->nodes, --right, range->id))
            return false;
    }
    return true;
}

/* So that a look steps from list to list and not from node to node: a node above has the smaller
 * number. */
static bool lists_link(triggers_ranges *ranges) {
    ranges->list_of = calloc(2 * ranges->leaves, sizeof *ranges->list_of);
    ranges->list_above = calloc(ranges->nodes.list_count + 1, sizeof *ranges->list_above);
    if (ranges->list_of == NULL || ranges->list_above == NULL)
        return false;
    size_t list = 0;
    for (size_t node = 1; node < 2 * ranges->leaves; node++) {
        uint32_t above = ranges->list_of[node / 2];
        bool has_own = list < ranges->nodes.list_count && ranges->nodes.lists[list].key == node;
        if (has_own)
            ranges->list_above[list++] = above;
        ranges->list_of[node] = has_own ? (uint32_t)list : above;
    }
    return true;
}

bool triggers_ranges_sort(triggers_ranges *ranges) {
    if (ranges->count == 0)
        return true;
    if (!ends_make(ranges))
        return false;
    ranges->leaves = 2 * ranges->end_count + 1;
    for (size_t i = 0; i < ranges->count; i++)
        if (!range_place(ranges, &ranges->items[i]))
            return false;
    if (!triggers_postings_sort(&ranges->nodes, false) || !lists_link(ranges))
        return false;
    free(ranges->items);
    ranges->items = NULL;
    return true;
}

void triggers_ranges_find(const triggers_ranges *ranges, int64_t number, triggers_visit visit,
                          void *context) {
    if (ranges->leaves == 0)
        return;
    uint32_t at = ranges->list_of[leaf_of(ranges, number) + ranges->leaves];
    for (; at > 0; at = ranges->list_above[at - 1]) {
        const triggers_posting_list *list = &ranges->nodes.lists[at - 1];
        visit(context, triggers_posting_ids(&ranges->nodes, list), list->count);
    }
}
