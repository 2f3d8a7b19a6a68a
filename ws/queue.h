/* The bytes that wait for one peer: a bounded queue of shared blocks.
 *
 * It holds references, not copies, so a frame that waits for a thousand peers exists once. What it
 * may hold is capped in bytes; the one exception is a single block into an empty queue, since a row
 * larger than the cap must still be deliverable. Owned by one service thread.
 *
 * A block may be put in with the row that it tells of (row.h). A newer one of the same row can then
 * take its place, at the end, so that what waits is bounded by the rows there are. */
#ifndef WALCAST_WS_QUEUE_H
#define WALCAST_WS_QUEUE_H

#include "ws/queue_rows.h"

typedef struct {
    core_block **blocks; /* a ring, grown by doubling; NULL while nothing waits; in it, NULL is the
                            place of one that was replaced, never the first */
    uint32_t capacity;   /* a power of two, or 0 */
    uint32_t head;
    uint32_t count;      /* places, those of replaced ones included */
    uint32_t holes;      /* these */
    size_t sent;         /* of the first block */
    size_t bytes;        /* waiting, what was sent of the first block left out */
    ws_queue_rows *rows; /* NULL: no block has one */
} ws_queue;

void ws_queue_fini(ws_queue *queue);
/* Takes a reference of its own. False when `cap_bytes` would be passed or memory is out. */
CORE_MUST_CHECK bool ws_queue_push(ws_queue *queue, core_block *block, size_t cap_bytes);
/* The same with the row that the block tells of (a reference is taken) and the tag under which it
 * may be replaced. */
CORE_MUST_CHECK bool ws_queue_push_row(ws_queue *queue, core_block *block, size_t cap_bytes,
                                       ws_row *row, uint64_t tag);
/* Takes out what need not be sent if a block of this row is; but none that was begun. Returns how
 * many. */
size_t ws_queue_replace(ws_queue *queue, const ws_row *newer, uint64_t tag);
/* What to write next: the unsent part of the first block where that is `room_bytes` or more, else
 * as many blocks as fit, gathered into `room`. Empty when nothing waits. Valid until the next
 * advance. */
core_slice ws_queue_next(const ws_queue *queue, uint8_t *room, size_t room_bytes);
/* `length` bytes were written. Returns how many blocks that finished. */
size_t ws_queue_advance(ws_queue *queue, size_t length);
/* Forgets all that waits, except the rest of a block that was begun: the peer could not make sense
 * of anything after half a frame. */
void ws_queue_drop_unsent(ws_queue *queue);

static inline bool ws_queue_empty(const ws_queue *queue) {
    return queue->count == 0;
}

#endif
