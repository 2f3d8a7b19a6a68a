/* See postings.h. */
#include "triggers/postings.h"

#include <stdlib.h>

void triggers_postings_fini(triggers_postings *postings) {
    free(postings->items);
    free(postings->ids);
    free(postings->lists);
    free(postings->slots);
    *postings = (triggers_postings){0};
}

bool triggers_postings_add(triggers_postings *postings, uint64_t key, uint32_t id) {
    if (postings->count == postings->capacity) {
        size_t capacity = postings->capacity == 0 ? 16 : postings->capacity * 2;
        if (capacity > TRIGGERS_POSTINGS_MAX)
            return false;
        triggers_posting *grown = realloc(postings->items, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        postings->items = grown;
        postings->capacity = capacity;
    }
    postings->items[postings->count++] = (triggers_posting){.key = key, .id = id};
    return true;
}

static int by_key(const void *left, const void *right) {
    const triggers_posting *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

/* Puts the sorted items into lists. */
static void lists_fill(triggers_postings *postings) {
    uint32_t filled = 0;
    for (size_t i = 0; i < postings->count; i++) {
        const triggers_posting *item = &postings->items[i];
        bool is_new = i == 0 || item->key != item[-1].key;
        if (!is_new && item->id == item[-1].id)
            continue;
        if (is_new)
            postings->lists[postings->list_count++] =
                (triggers_posting_list){.key = item->key, .start = filled};
        postings->lists[postings->list_count - 1].count++;
        postings->ids[filled++] = item->id;
    }
    for (size_t i = 0; i < postings->list_count; i++)
        if (postings->lists[i].count == 1)
            postings->lists[i].start = postings->ids[postings->lists[i].start];
}

static bool slots_fill(triggers_postings *postings) {
    size_t slots = 2;
    while (slots < postings->list_count * 2)
        slots *= 2;
    postings->slots = calloc(slots, sizeof *postings->slots);
    if (postings->slots == NULL)
        return false;
    postings->slot_mask = slots - 1;
    for (size_t i = 0; i < postings->list_count; i++) {
        uint64_t key = postings->lists[i].key;
        size_t at = (size_t)(key ^ key >> 32) & postings->slot_mask;
        while (postings->slots[at].count > 0)
            at = (at + 1) & postings->slot_mask;
        postings->slots[at] = postings->lists[i];
    }
    return true;
}

bool triggers_postings_sort(triggers_postings *postings, bool by_hash) {
    if (postings->count == 0)
        return true;
    qsort(postings->items, postings->count, sizeof *postings->items, by_key);
    postings->ids = calloc(postings->count, sizeof *postings->ids);
    postings->lists = calloc(postings->count, sizeof *postings->lists);
    if (postings->ids == NULL || postings->lists == NULL)
        return false;
    lists_fill(postings);
    if (by_hash && !slots_fill(postings))
        return false;
    free(postings->items);
    postings->items = NULL;
    return true;
}
