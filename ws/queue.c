/* A ring of block references; see queue.h. The ring's memory goes when the queue runs empty after
 * having been large, so ten thousand idle clients hold nothing. */
#include "ws/queue.h"

#include <stdlib.h>

#define QUEUE_FIRST 8
#define QUEUE_KEEP  64 /* a larger ring is freed when it runs empty */

static core_block *queue_at(const ws_queue *queue, uint32_t index) {
    return queue->blocks[(queue->head + index) & (queue->capacity - 1)];
}

void ws_queue_fini(ws_queue *queue) {
    for (uint32_t i = 0; i < queue->count; i++)
        core_block_release(queue_at(queue, i));
    free(queue->blocks);
    *queue = (ws_queue){0};
}

static bool queue_grow(ws_queue *queue) {
    uint32_t capacity = queue->capacity ? queue->capacity * 2 : QUEUE_FIRST;
    core_block **blocks = malloc(capacity * sizeof *blocks);
    if (blocks == NULL)
        return false;
    for (uint32_t i = 0; i < queue->count; i++)
        blocks[i] = queue_at(queue, i);
    free(queue->blocks);
    queue->blocks = blocks;
    queue->capacity = capacity;
    queue->head = 0;
    return true;
}

bool ws_queue_push(ws_queue *queue, core_block *block, size_t cap_bytes) {
    bool over = queue->bytes >= cap_bytes || block->length > cap_bytes - queue->bytes;
    if (over && queue->count > 0)
        return false;
    if (queue->count == queue->capacity && !queue_grow(queue))
        return false;
    queue->blocks[(queue->head + queue->count) & (queue->capacity - 1)] = core_block_retain(block);
    queue->count++;
    queue->bytes += block->length;
    return true;
}

core_slice ws_queue_next(const ws_queue *queue, uint8_t *room, size_t room_bytes) {
    if (queue->count == 0)
        return core_slice_make(NULL, 0);
    core_block *first = queue_at(queue, 0);
    size_t left = first->length - queue->sent;
    if (queue->count == 1 || left >= room_bytes)
        return core_slice_make(first->bytes + queue->sent, left < room_bytes ? left : room_bytes);
    memcpy(room, first->bytes + queue->sent, left);
    size_t used = left;
    for (uint32_t i = 1; i < queue->count; i++) {
        core_block *block = queue_at(queue, i);
        if (block->length > room_bytes - used)
            break;
        memcpy(room + used, block->bytes, block->length);
        used += block->length;
    }
    return core_slice_make(room, used);
}

static void queue_shrink(ws_queue *queue) {
    queue->head = 0;
    if (queue->capacity <= QUEUE_KEEP)
        return;
    free(queue->blocks);
    queue->blocks = NULL;
    queue->capacity = 0;
}

size_t ws_queue_advance(ws_queue *queue, size_t length) {
    assert(length <= queue->bytes);
    queue->bytes -= length;
    size_t finished = 0;
    while (queue->count > 0) {
        core_block *first = queue_at(queue, 0);
        size_t left = first->length - queue->sent;
        if (length < left) {
            queue->sent += length;
            return finished;
        }
        length -= left;
        core_block_release(first);
        queue->head = (queue->head + 1) & (queue->capacity - 1);
        queue->count--;
        queue->sent = 0;
        finished++;
    }
    queue_shrink(queue);
    return finished;
}

void ws_queue_drop_unsent(ws_queue *queue) {
    uint32_t keep = queue->sent > 0 ? 1 : 0;
    for (uint32_t i = keep; i < queue->count; i++) {
        core_block *block = queue_at(queue, i);
        queue->bytes -= block->length;
        core_block_release(block);
    }
    queue->count = keep < queue->count ? keep : queue->count;
}
