/* The rows that a queue's blocks tell of, by the slots of its ring, and found by row; see queue.h.
 * Exists only while something waits for a client that asked for it. */
#ifndef WALCAST_WS_QUEUE_ROWS_H
#define WALCAST_WS_QUEUE_ROWS_H

#include "ws/row.h"

typedef struct ws_queue_rows ws_queue_rows;

#define WS_QUEUE_ROWS_END UINT32_MAX

/* For a ring of `capacity` slots, a power of two. NULL when memory is out. */
CORE_MUST_CHECK ws_queue_rows *ws_queue_rows_new(uint32_t capacity);
/* NULL is allowed. */
void ws_queue_rows_free(ws_queue_rows *rows);
/* Takes a reference. The slot has no row so far. `tag`: rows of another are never the same. */
void ws_queue_rows_put(ws_queue_rows *rows, uint32_t slot, ws_row *row, uint64_t tag);
/* Takes the slot's row out, if it has one. */
void ws_queue_rows_drop(ws_queue_rows *rows, uint32_t slot);
/* What the slot has goes to a slot of another. */
void ws_queue_rows_move(const ws_queue_rows *rows, uint32_t slot, ws_queue_rows *to,
                        uint32_t to_slot);

/* The slots whose row `newer` replaces: begin, then next until END. Each may be dropped before the
 * next is asked for. */
typedef struct {
    const ws_queue_rows *rows;
    const ws_row *newer;
    uint64_t tag;
    uint32_t next;
    bool former; /* the key before is still to be looked for */
} ws_queue_rows_search;

ws_queue_rows_search ws_queue_rows_begin(const ws_queue_rows *rows, const ws_row *newer,
                                         uint64_t tag);
uint32_t ws_queue_rows_next(ws_queue_rows_search *search);

#endif
