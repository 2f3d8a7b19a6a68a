/* The tail: the stream's last messages, kept in memory for clients that come back.
 *
 * Capped in bytes and in messages; the oldest go first. What it holds goes on without a gap from
 * `base`: every message behind that sequence which the gateway was given. Belongs to the hub's
 * thread; the blocks are shared. */
#ifndef WALCAST_WS_HUB_TAIL_H
#define WALCAST_WS_HUB_TAIL_H

#include "core/core.h"

typedef struct {
    core_block *payload;
    uint64_t sequence;
} hub_tail_entry;

typedef struct {
    hub_tail_entry *entries; /* a ring */
    size_t capacity;         /* a power of two, or 0 */
    size_t head, count;
    size_t bytes, max_bytes;
    uint64_t base;
} hub_tail;

void hub_tail_init(hub_tail *tail, size_t max_bytes);
void hub_tail_fini(hub_tail *tail);
/* Forgets all: what comes next comes behind `base`. */
void hub_tail_reset(hub_tail *tail, uint64_t base);
/* Takes a reference of its own. Sequences only grow. Where memory is out or the message is larger
 * than the cap, the tail begins anew behind it. */
void hub_tail_push(hub_tail *tail, core_block *payload, uint64_t sequence);
/* Nothing behind the position is missing. */
static inline bool hub_tail_covers(const hub_tail *tail, uint64_t position) {
    return position >= tail->base;
}
/* The first message behind the position; NULL: none. Valid until the next push. */
const hub_tail_entry *hub_tail_after(const hub_tail *tail, uint64_t position);

#endif
