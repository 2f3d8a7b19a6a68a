/* A block of bytes that several owners share: one encoded frame, one message of the stream.
 *
 * The count is atomic, so owners may live on different threads; the bytes are written by the maker
 * before it shares the block and never after. The last release frees it. Many rows live in one
 * block: count the block, not the row. */
#ifndef WALCAST_CORE_BLOCK_H
#define WALCAST_CORE_BLOCK_H

#include "core/slice.h"

#include <stdatomic.h>

typedef struct core_block core_block;
struct core_block {
    uint32_t magic;
    atomic_uint references;
    size_t length;
    _Atomic(atomic_size_t *) account; /* what its length is counted in; NULL: nothing */
    _Atomic(core_block *) twin;       /* owned; itself: it has none and needs none */
    uint8_t bytes[];
};

/* With one reference and `length` bytes to fill; NULL when memory is out. */
CORE_MUST_CHECK core_block *core_block_new(size_t length);
CORE_MUST_CHECK core_block *core_block_copy(core_slice slice);
/* One more owner; returns the block. */
core_block *core_block_retain(core_block *block);
/* One owner less; NULL is allowed. */
void core_block_release(core_block *block);

/* Counts the block's length into `account` until it is freed, once however often this is called:
 * what is shared is held once. `account` must outlive the block. Any thread. */
void core_block_charge(core_block *block, atomic_size_t *account);

/* Another form of the same bytes (compressed, say), made once and kept with the block. NULL: none
 * was made yet; the block itself: there is none and there will be none. */
static inline core_block *core_block_twin(core_block *block) {
    return atomic_load_explicit(&block->twin, memory_order_acquire);
}
/* Sets it, unless another thread was first; returns what it is now. The reference is the block's
 * from here. */
core_block *core_block_set_twin(core_block *block, core_block *twin);

static inline core_slice core_block_slice(const core_block *block) {
    return core_slice_make(block->bytes, block->length);
}

#endif
