/* Which entries stand under which key: the one list structure of the rule index. Filled, sorted
 * once, then only read; owned by one thread until it is sorted, then any may read it.
 *
 * Private to triggers. */
#ifndef WALCAST_TRIGGERS_POSTINGS_H
#define WALCAST_TRIGGERS_POSTINGS_H

#include "core/core.h"

/* In all lists of one; a table with more rules than this allows is refused. */
#define TRIGGERS_POSTINGS_MAX ((size_t)64 << 20)

typedef struct {
    uint64_t key;
    uint32_t id;
} triggers_posting;

/* A key's list: ids[start] and on; of one alone it is `start` itself. `count` 0: none. */
typedef struct {
    uint64_t key;
    uint32_t start;
    uint32_t count;
} triggers_posting_list;

typedef struct {
    triggers_posting *items; /* while it is filled */
    size_t count;
    size_t capacity;
    uint32_t *ids;                /* sorted by key, then by themselves, each once a key */
    triggers_posting_list *lists; /* in order of keys */
    size_t list_count;
    triggers_posting_list *slots; /* by hash of the key; a power of two of them */
    size_t slot_mask;
} triggers_postings;

/* Called with one list after the other. */
typedef void (*triggers_visit)(void *context, const uint32_t *ids, size_t count);

void triggers_postings_fini(triggers_postings *postings);
/* False when memory is out or the maximum is passed. */
CORE_MUST_CHECK bool triggers_postings_add(triggers_postings *postings, uint64_t key, uint32_t id);
/* After the last add. `by_hash`: for triggers_postings_find. False when memory is out. */
CORE_MUST_CHECK bool triggers_postings_sort(triggers_postings *postings, bool by_hash);

static inline const uint32_t *triggers_posting_ids(const triggers_postings *postings,
                                                   const triggers_posting_list *list) {
    return list->count == 1 ? &list->start : postings->ids + list->start;
}

/* The key's list; NULL: there is none. */
static inline const triggers_posting_list *triggers_postings_find(const triggers_postings *postings,
                                                                  uint64_t key) {
    if (postings->slots == NULL)
        return NULL;
    size_t at = (size_t)(key ^ key >> 32) & postings->slot_mask;
    for (; postings->slots[at].count > 0; at = (at + 1) & postings->slot_mask)
        if (postings->slots[at].key == key)
            return &postings->slots[at];
    return NULL;
}

#endif
