/* Keys that wait for a time: a binary heap by next_ms, where each key knows its place. There is
 * room for all keys, so waiting never fails. */
#include "triggers/partition_private.h"

#include <stdlib.h>

enum { HEAP_FIRST = 64 };

static void heap_put(triggers_partition *partition, size_t place, partition_key *key) {
    partition->heap[place] = key;
    key->place = place;
}

static void heap_up(triggers_partition *partition, partition_key *key) {
    size_t place = key->place;
    while (place > 0 && partition->heap[(place - 1) / 2]->next_ms > key->next_ms) {
        heap_put(partition, place, partition->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    heap_put(partition, place, key);
}

static void heap_down(triggers_partition *partition, partition_key *key) {
    size_t place = key->place;
    for (;;) {
        size_t child = place * 2 + 1;
        if (child >= partition->heap_count)
            break;
        if (child + 1 < partition->heap_count &&
            partition->heap[child + 1]->next_ms < partition->heap[child]->next_ms)
            child++;
        if (partition->heap[child]->next_ms >= key->next_ms)
            break;
        heap_put(partition, place, partition->heap[child]);
        place = child;
    }
    heap_put(partition, place, key);
}

bool partition_wait_reserve(triggers_partition *partition) {
    if (partition->keys.count < partition->heap_capacity)
        return true;
    size_t capacity = partition->heap_capacity > 0 ? partition->heap_capacity * 2 : HEAP_FIRST;
    partition_key **heap = realloc(partition->heap, capacity * sizeof(partition_key *));
    if (heap == NULL)
        return false;
    partition->heap = heap;
    partition->heap_capacity = capacity;
    return true;
}

void partition_wait_begin(triggers_partition *partition, partition_key *key, int64_t until_ms) {
    assert(key->place == TRIGGERS_NO_PLACE && partition->heap_count < partition->heap_capacity);
    partition_key_move(key, KEY_WAITING);
    key->next_ms = until_ms;
    heap_put(partition, partition->heap_count++, key);
    heap_up(partition, key);
}

void partition_wait_end(triggers_partition *partition, partition_key *key) {
    size_t place = key->place;
    assert(place < partition->heap_count && partition->heap[place] == key);
    partition_key *last = partition->heap[--partition->heap_count];
    key->place = TRIGGERS_NO_PLACE;
    if (key->is_gathering) {
        key->next_ms = 0; /* that was not a retry's */
        key->is_gathering = false;
        partition->gathering--;
    }
    if (last == key)
        return;
    heap_put(partition, place, last);
    heap_up(partition, last);
    heap_down(partition, last);
}
