/* A binary heap of entries that stand in what they order: the first one at once, any one removed in
 * logarithmic time. So a hundred thousand timers cost nothing while none is due.
 *
 * Room is reserved before an entry is pushed, where failing is still harmless. One thread. */
#ifndef WALCAST_TRIGGERS_JOB_HEAP_H
#define WALCAST_TRIGGERS_JOB_HEAP_H

#include "core/core.h"

typedef struct {
    size_t place; /* from 1; 0: in no heap */
} triggers_job_heap_entry;

/* Whether `a` comes before `b`: a strict order. */
typedef bool (*triggers_job_heap_order)(const triggers_job_heap_entry *a,
                                        const triggers_job_heap_entry *b);

typedef struct {
    triggers_job_heap_order before;
    triggers_job_heap_entry **entries;
    size_t count;
    size_t capacity;
} triggers_job_heap;

void triggers_job_heap_init(triggers_job_heap *heap, triggers_job_heap_order before);
/* Entries are forgotten, not touched. */
void triggers_job_heap_fini(triggers_job_heap *heap);
/* False when memory is out. */
CORE_MUST_CHECK bool triggers_job_heap_reserve(triggers_job_heap *heap, size_t capacity);
/* There must be room, and the entry in no heap. */
void triggers_job_heap_push(triggers_job_heap *heap, triggers_job_heap_entry *entry);
/* Fine when it is in no heap; else it must be this one. */
void triggers_job_heap_remove(triggers_job_heap *heap, triggers_job_heap_entry *entry);
/* NULL: empty. */
static inline triggers_job_heap_entry *triggers_job_heap_first(const triggers_job_heap *heap) {
    return heap->count > 0 ? heap->entries[0] : NULL;
}

#endif
