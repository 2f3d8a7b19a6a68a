/* See prefixes.h. Of all prefixes that a text begins with, the longest stands in order before the
 * text, and what stands between both begins with it: so it is the last one before the text, or
 * above that one. */
#include "triggers/prefixes.h"

#include <stdlib.h>

#define ARENA_CHUNK 4096u
#define ARENA_MAX   ((size_t)64 << 20)

void triggers_prefixes_fini(triggers_prefixes *prefixes) {
    free(prefixes->items);
    free(prefixes->prefixes);
    free(prefixes->above);
    core_arena_fini(&prefixes->texts);
    triggers_postings_fini(&prefixes->lists);
    *prefixes = (triggers_prefixes){0};
}

bool triggers_prefixes_add(triggers_prefixes *prefixes, core_slice text, uint32_t id) {
    if (prefixes->capacity == 0)
        core_arena_init(&prefixes->texts, ARENA_CHUNK, ARENA_MAX);
    if (prefixes->count == prefixes->capacity) {
        size_t capacity = prefixes->capacity == 0 ? 16 : prefixes->capacity * 2;
        if (capacity > TRIGGERS_POSTINGS_MAX)
            return false;
        triggers_prefix *grown = realloc(prefixes->items, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        prefixes->items = grown;
        prefixes->capacity = capacity;
    }
    core_slice kept = core_arena_copy(&prefixes->texts, text);
    if (kept.data == NULL)
        return false;
    prefixes->items[prefixes->count++] = (triggers_prefix){.text = kept, .id = id};
    return true;
}

static int by_text(const void *left, const void *right) {
    const triggers_prefix *a = left, *b = right;
    return core_slice_compare(a->text, b->text);
}

/* `number`'s longest beginning, looked for from the prefix before it upwards. */
static uint32_t above_of(const triggers_prefixes *prefixes, uint32_t from, core_slice text) {
    while (from > 0 && !core_slice_begins(text, prefixes->prefixes[from - 1]))
        from = prefixes->above[from - 1];
    return from;
}

bool triggers_prefixes_sort(triggers_prefixes *prefixes) {
    size_t count = 0;
    if (prefixes->count == 0)
        return true;
    qsort(prefixes->items, prefixes->count, sizeof *prefixes->items, by_text);
    prefixes->prefixes = calloc(prefixes->count, sizeof *prefixes->prefixes);
    prefixes->above = calloc(prefixes->count, sizeof *prefixes->above);
    if (prefixes->prefixes == NULL || prefixes->above == NULL)
        return false;
    for (size_t i = 0; i < prefixes->count; i++) {
        core_slice text = prefixes->items[i].text;
        if (count == 0 || !core_slice_equal(prefixes->prefixes[count - 1], text)) {
            prefixes->above[count] = above_of(prefixes, (uint32_t)count, text);
            prefixes->prefixes[count++] = text;
        }
        if (!triggers_postings_add(&prefixes->lists, count - 1, prefixes->items[i].id))
            return false;
    }
    prefixes->prefix_count = count;
    free(prefixes->items);
    prefixes->items = NULL;
    return triggers_postings_sort(&prefixes->lists, false);
}

/* How many stand before the text in order, or are it. */
static size_t before(const triggers_prefixes *prefixes, core_slice text) {
    size_t low = 0;
    size_t high = prefixes->prefix_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (core_slice_compare(prefixes->prefixes[middle], text) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void triggers_prefixes_find(const triggers_prefixes *prefixes, core_slice text,
                            triggers_visit visit, void *context) {
    uint32_t at = above_of(prefixes, (uint32_t)before(prefixes, text), text);
    for (; at > 0; at = prefixes->above[at - 1]) {
        const triggers_posting_list *list = &prefixes->lists.lists[at - 1];
        visit(context, triggers_posting_ids(&prefixes->lists, list), list->count);
    }
}
