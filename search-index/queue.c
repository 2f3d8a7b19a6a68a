/* See queue.h. Two arrays in the order of numbers: those that wait, and those that were canceled.
 */
#include "search-index/queue.h"

#include <stdlib.h>

#define QUEUE_MAGIC UINT32_C(0x53515545) /* "SQUE" */

typedef struct {
    uint64_t uid;
    uint64_t project; /* its hash */
} waiting;

struct search_queue {
    uint32_t magic;
    waiting *items; /* from `first` on */
    size_t first, count, room;
    uint64_t *canceled;
    size_t canceled_count, canceled_room;
};

search_queue *search_queue_new(void) {
    search_queue *queue = calloc(1, sizeof *queue);
    if (queue != NULL)
        queue->magic = QUEUE_MAGIC;
    return queue;
}

void search_queue_free(search_queue *queue) {
    if (queue == NULL)
        return;
    CORE_MAGIC_CHECK(queue, QUEUE_MAGIC);
    free(queue->items);
    free(queue->canceled);
    queue->magic = 0;
    free(queue);
}

/* What was taken leaves its room first. */
bool search_queue_room(search_queue *queue) {
    CORE_MAGIC_CHECK(queue, QUEUE_MAGIC);
    size_t used = queue->first + queue->count;
    if (used < queue->room)
        return true;
    if (queue->first > 0 && queue->first >= queue->count) {
        memmove(queue->items, queue->items + queue->first, queue->count * sizeof *queue->items);
        queue->first = 0;
        return true;
    }
    size_t room = queue->room > 0 ? queue->room * 2 : 256;
    waiting *items = room <= SEARCH_QUEUE_MAX ? realloc(queue->items, room * sizeof *items) : NULL;
    if (items == NULL)
        return false;
    queue->items = items;
    queue->room = room;
    return true;
}

void search_queue_add(search_queue *queue, uint64_t uid, core_slice project) {
    CORE_MAGIC_CHECK(queue, QUEUE_MAGIC);
    assert(queue->first + queue->count < queue->room);
    queue->items[queue->first + queue->count++] =
        (waiting){.uid = uid, .project = core_slice_hash(project)};
}

void search_queue_take(search_queue *queue, uint64_t uid, search_queue_teller *taken,
                       void *context) {
    while (queue->count > 0 && queue->items[queue->first].uid <= uid) {
        taken(context, queue->items[queue->first].uid);
        queue->first++;
        queue->count--;
    }
}

uint64_t search_queue_first(const search_queue *queue) {
    return search_queue_ahead(queue, 1);
}

uint64_t search_queue_ahead(const search_queue *queue, size_t count) {
    size_t last = count < queue->count ? count : queue->count;
    return last > 0 ? queue->items[queue->first + last - 1].uid : 0;
}

/* ---- Canceled ---- */

static size_t canceled_place(const search_queue *queue, uint64_t uid) {
    size_t low = 0, high = queue->canceled_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (queue->canceled[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool search_queue_is_canceled(const search_queue *queue, uint64_t uid) {
    size_t place = canceled_place(queue, uid);
    return place < queue->canceled_count && queue->canceled[place] == uid;
}

static bool canceled_put(search_queue *queue, uint64_t uid) {
    if (queue->canceled_count == queue->canceled_room) {
        size_t room = queue->canceled_room > 0 ? queue->canceled_room * 2 : 64;
        uint64_t *grown =
            room <= SEARCH_QUEUE_MAX ? realloc(queue->canceled, room * sizeof *grown) : NULL;
        if (grown == NULL)
            return false;
        queue->canceled = grown;
        queue->canceled_room = room;
    }
    size_t place = canceled_place(queue, uid);
    memmove(&queue->canceled[place + 1], &queue->canceled[place],
            (queue->canceled_count - place) * sizeof *queue->canceled);
    queue->canceled[place] = uid;
    queue->canceled_count++;
    return true;
}

/* Its place among those that wait; the count: it does not. */
static size_t waiting_find(const search_queue *queue, uint64_t uid, core_slice project) {
    const waiting *items = queue->items + queue->first;
    size_t low = 0, high = queue->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (items[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < queue->count && items[low].uid == uid &&
                 items[low].project == core_slice_hash(project);
    return found ? low : queue->count;
}

bool search_queue_cancel(search_queue *queue, const search_record *record,
                         search_queue_teller *canceled, void *context) {
    core_json_reader reader = core_json_reader_make(record->body);
    core_json_token token = core_json_next(&reader);
    if (!record->cancels)
        return true;
    for (; token.kind != CORE_JSON_END && token.kind != CORE_JSON_INVALID;
         token = core_json_next(&reader)) {
        uint64_t uid;
        if (token.kind != CORE_JSON_NUMBER || !core_slice_to_u64(token.raw, &uid))
            continue;
        size_t place = waiting_find(queue, uid, record->project);
        if (place == queue->count)
            continue;
        if (!canceled_put(queue, uid))
            return false;
        waiting *item = &queue->items[queue->first + place];
        memmove(item, item + 1, (queue->count - place - 1) * sizeof *item);
        queue->count--;
        canceled(context, uid);
    }
    return true;
}
