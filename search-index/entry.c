/* See entry.h. */
#include "search-index/entry.h"

#include <stdatomic.h>
#include <stdlib.h>

#define ENTRY_MAGIC UINT32_C(0x53454e54) /* "SENT" */

typedef struct {
    uint32_t magic;
    atomic_uint references;
    search_entry entry;
    uint8_t texts[];
} counted_entry;

static counted_entry *counted_of(const search_entry *entry) {
    uintptr_t at = (uintptr_t)entry - offsetof(counted_entry, entry);
    counted_entry *it = (counted_entry *)at;
    CORE_MAGIC_CHECK(it, ENTRY_MAGIC);
    return it;
}

const search_entry *search_entry_new(const search_entry *given) {
    search_entry entry = *given;
    core_slice *texts[] = {&entry.project, &entry.environment, &entry.uid,
                           &entry.text,    &entry.facts,       &entry.primary_key};
    size_t bytes = 0;
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++)
        bytes += texts[i]->length + 1;
    counted_entry *it = calloc(1, sizeof *it + bytes);
    if (it == NULL)
        return NULL;
    uint8_t *room = it->texts;
    for (size_t i = 0; i < CORE_COUNT_OF(texts); i++) {
        *texts[i] = core_slice_keep(&room, *texts[i]);
        *room++ = 0;
    }
    it->magic = ENTRY_MAGIC;
    atomic_init(&it->references, 1);
    it->entry = entry;
    it->entry.previous = NULL;
    if (entry.previous != NULL && entry.previous->depth < SEARCH_ENTRY_DEPTH_MAX) {
        it->entry.previous = search_entry_hold(entry.previous);
        it->entry.depth = entry.previous->depth + 1;
    }
    return &it->entry;
}

const search_entry *search_entry_hold(const search_entry *entry) {
    (void)atomic_fetch_add_explicit(&counted_of(entry)->references, 1, memory_order_relaxed);
    return entry;
}

void search_entry_release(const search_entry *entry) {
    if (entry == NULL)
        return;
    counted_entry *it = counted_of(entry);
    if (atomic_fetch_sub_explicit(&it->references, 1, memory_order_acq_rel) != 1)
        return;
    search_entry_release(it->entry.previous); /* as deep as SEARCH_ENTRY_DEPTH_MAX */
    it->magic = 0;
    free(it);
}
