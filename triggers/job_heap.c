/* See job_heap.h. */
#include "triggers/job_heap.h"

#include <stdlib.h>

#define HEAP_FIRST_CAPACITY 16

void triggers_job_heap_init(triggers_job_heap *heap, triggers_job_heap_order before) {
    *heap = (triggers_job_heap){.before = before};
}

void triggers_job_heap_fini(triggers_job_heap *heap) {
    free(heap->entries);
    *heap = (triggers_job_heap){.before = heap->before};
}

bool triggers_job_heap_reserve(triggers_job_heap *heap, size_t capacity) {
    if (capacity <= heap->capacity)
        return true;
    size_t wanted = heap->capacity > 0 ? heap->capacity * 2 : HEAP_FIRST_CAPACITY;
    if (wanted < capacity)
        wanted = capacity;
    triggers_job_heap_entry **entries = realloc(heap->entries, wanted * sizeof *entries);
    if (entries == NULL)
        return false;
    heap->entries = entries;
    heap->capacity = wanted;
    return true;
}

static void heap_set(triggers_job_heap *heap, size_t index, triggers_job_heap_entry *entry) {
    heap->entries[index] = entry;
    entry->place = index + 1;
}

static void heap_rise(triggers_job_heap *heap, size_t index) {
    triggers_job_heap_entry *entry = heap->entries[index];
    while (index > 0 && heap->before(entry, heap->entries[(index - 1) / 2])) {
        heap_set(heap, index, heap->entries[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_set(heap, index, entry);
}

static void heap_sink(triggers_job_heap *heap, size_t index) {
    triggers_job_heap_entry *entry = heap->entries[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < heap->count && heap->before(heap->entries[child + 1], heap->entries[child]))
            child++;
        if (child >= heap->count || !heap->before(heap->entries[child], entry))
            break;
        heap_set(heap, index, heap->entries[child]);
        index = child;
    }
    heap_set(heap, index, entry);
}

void triggers_job_heap_push(triggers_job_heap *heap, triggers_job_heap_entry *entry) {
    assert(heap->count < heap->capacity && entry->place == 0);
    heap_set(heap, heap->count++, entry);
    heap_rise(heap, heap->count - 1);
}

void triggers_job_heap_remove(triggers_job_heap *heap, triggers_job_heap_entry *entry) {
    if (entry->place == 0)
        return;
    size_t index = entry->place - 1;
    assert(index < heap->count && heap->entries[index] == entry);
    entry->place = 0;
    heap->count--;
    if (index == heap->count)
        return;
    heap_set(heap, index, heap->entries[heap->count]);
    heap_rise(heap, index);
    heap_sink(heap, heap->entries[index]->place - 1);
}
