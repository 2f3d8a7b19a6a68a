/* See hub_tail.h. */
#include "ws/hub_tail.h"

#include "ws/limits.h"

#include <stdlib.h>

#define TAIL_FIRST 256

void hub_tail_init(hub_tail *tail, size_t max_bytes) {
    *tail = (hub_tail){.max_bytes = max_bytes};
}

static hub_tail_entry *tail_at(const hub_tail *tail, size_t index) {
    return &tail->entries[(tail->head + index) & (tail->capacity - 1)];
}

static void tail_drop_first(hub_tail *tail) {
    hub_tail_entry *first = tail_at(tail, 0);
    tail->bytes -= first->payload->length;
    tail->base = first->sequence;
    core_block_release(first->payload);
    tail->head = (tail->head + 1) & (tail->capacity - 1);
    tail->count--;
}

void hub_tail_reset(hub_tail *tail, uint64_t base) {
    while (tail->count > 0)
        tail_drop_first(tail);
    tail->base = base;
}

void hub_tail_fini(hub_tail *tail) {
    hub_tail_reset(tail, 0);
    free(tail->entries);
}

static bool tail_grow(hub_tail *tail) {
    size_t capacity = tail->capacity ? tail->capacity * 2 : TAIL_FIRST;
    hub_tail_entry *entries = malloc(capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    for (size_t i = 0; i < tail->count; i++)
        entries[i] = *tail_at(tail, i);
    free(tail->entries);
    tail->entries = entries;
    tail->capacity = capacity;
    tail->head = 0;
    return true;
}

void hub_tail_push(hub_tail *tail, core_block *payload, uint64_t sequence) {
    while (tail->count > 0 &&
           (tail->count >= WS_TAIL_MESSAGES || tail->bytes + payload->length > tail->max_bytes))
        tail_drop_first(tail);
    if (payload->length > tail->max_bytes || (tail->count == tail->capacity && !tail_grow(tail))) {
        hub_tail_reset(tail, sequence);
        return;
    }
    tail->count++;
    *tail_at(tail, tail->count - 1) =
        (hub_tail_entry){.payload = core_block_retain(payload), .sequence = sequence};
    tail->bytes += payload->length;
}

const hub_tail_entry *hub_tail_after(const hub_tail *tail, uint64_t position) {
    size_t low = 0, high = tail->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tail_at(tail, middle)->sequence > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low < tail->count ? tail_at(tail, low) : NULL;
}
