/* A ring of block references; see queue.h. The ring's memory goes when the queue runs empty after
 * having been large, so ten thousand idle clients hold nothing. */
#include "ws/queue.h"

#include <stdlib.h>

#define QUEUE_FIRST 8
#define QUEUE_KEEP  64 /* a larger ring is freed when it runs empty */

static uint32_t queue_slot(const ws_queue *queue, uint32_t index) {
    return (queue->head + index) & (queue->capacity - 1);
}

static core_block *queue_at(const ws_queue *queue, uint32_t index) {
    return queue->blocks[queue_slot(queue, index)];
}

static void queue_drop_rows(ws_queue *queue) {
    ws_queue_rows_free(queue->rows);
    queue->rows = NULL;
}

void ws_queue_fini(ws_queue *queue) {
    for (uint32_t i = 0; i < queue->count; i++)
        core_block_release(queue_at(queue, i));
    free(queue->blocks);
    queue_drop_rows(queue);
    *queue = (ws_queue){0};
}

/* What waits goes to new memory, without the places of those that were replaced. */
static bool queue_rebuild(ws_queue *queue, uint32_t capacity) {
    core_block **blocks = malloc(capacity * sizeof *blocks);
    ws_queue_rows *rows = queue->rows != NULL ? ws_queue_rows_new(capacity) : NULL;
    if (blocks == NULL || (rows == NULL && queue->rows != NULL)) {
        free(blocks);
        ws_queue_rows_free(rows);
        return false;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        if (queue_at(queue, i) == NULL)
            continue;
        if (rows != NULL)
            ws_queue_rows_move(queue->rows, queue_slot(queue, i), rows, kept);
        blocks[kept++] = queue_at(queue, i);
    }
    free(queue->blocks);
    ws_queue_rows_free(queue->rows);
    queue->blocks = blocks;
    queue->rows = rows;
    queue->capacity = capacity;
    queue->head = queue->holes = 0;
    queue->count = kept;
    return true;
}

static bool queue_make_room(ws_queue *queue) {
    if (queue->count < queue->capacity)
        return true;
    if (queue->capacity == 0)
        return queue_rebuild(queue, QUEUE_FIRST);
    bool enough = queue->holes >= queue->capacity / 4;
    return queue_rebuild(queue, enough ? queue->capacity : queue->capacity * 2);
}

bool ws_queue_push(ws_queue *queue, core_block *block, size_t cap_bytes) {
    bool over = queue->bytes >= cap_bytes || block->length > cap_bytes - queue->bytes;
    if (over && queue->count > 0)
        return false;
    if (!queue_make_room(queue))
        return false;
    queue->blocks[queue_slot(queue, queue->count)] = core_block_retain(block);
    queue->count++;
    queue->bytes += block->length;
    return true;
}

bool ws_queue_push_row(ws_queue *queue, core_block *block, size_t cap_bytes, ws_row *row,
                       uint64_t tag) {
    if (!ws_queue_push(queue, block, cap_bytes))
        return false;
    if (queue->rows == NULL)
        queue->rows = ws_queue_rows_new(queue->capacity);
    if (queue->rows != NULL) /* without memory for it, it is one that is never replaced */
        ws_queue_rows_put(queue->rows, queue_slot(queue, queue->count - 1), row, tag);
    return true;
}

/* The first is gone. */
static void queue_step(ws_queue *queue) {
    queue->head = (queue->head + 1) & (queue->capacity - 1);
    queue->count--;
}

/* Keeps that the first is one that waits. */
static void queue_skip_holes(ws_queue *queue) {
    while (queue->count > 0 && queue_at(queue, 0) == NULL) {
        queue_step(queue);
        queue->holes--;
    }
}

size_t ws_queue_replace(ws_queue *queue, const ws_row *newer, uint64_t tag) {
    if (queue->rows == NULL)
        return 0;
    size_t replaced = 0;
    ws_queue_rows_search search = ws_queue_rows_begin(queue->rows, newer, tag);
    for (;;) {
        uint32_t slot = ws_queue_rows_next(&search);
        if (slot == WS_QUEUE_ROWS_END)
            break;
        if (slot == queue->head && queue->sent > 0)
            continue;
        queue->bytes -= queue->blocks[slot]->length;
        core_block_release(queue->blocks[slot]);
        queue->blocks[slot] = NULL;
        queue->holes++;
        replaced++;
        ws_queue_rows_drop(queue->rows, slot);
    }
    queue_skip_holes(queue);
    return replaced;
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
        const core_block *block = queue_at(queue, i);
        if (block == NULL)
            continue;
        if (block->length > room_bytes - used)
            break;
        memcpy(room + used, block->bytes, block->length);
        used += block->length;
    }
    return core_slice_make(room, used);
}

static void queue_shrink(ws_queue *queue) {
    queue->head = 0;
    queue_drop_rows(queue);
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
        if (queue->rows != NULL)
            ws_queue_rows_drop(queue->rows, queue->head);
        queue_step(queue);
        queue_skip_holes(queue);
        queue->sent = 0;
        finished++;
    }
    queue_shrink(queue);
    return finished;
}

void ws_queue_drop_unsent(ws_queue *queue) {
    uint32_t keep = queue->sent > 0 ? 1 : 0;
    queue_drop_rows(queue);
    for (uint32_t i = keep; i < queue->count; i++) {
        core_block *block = queue_at(queue, i);
        if (block == NULL)
            continue;
        queue->bytes -= block->length;
        core_block_release(block);
    }
    queue->count = keep < queue->count ? keep : queue->count;
    queue->holes = 0;
}
