/* A block of bytes that several owners share: one encoded frame, one message of the stream.
 *
 * The count is atomic, so owners may live on different threads; the bytes are written by the maker
 * before it shares the block and never after. The last release frees it. Many rows live in one
 * block: count the block, not the row. */
#ifndef WALCAST_CORE_BLOCK_H
#define WALCAST_CORE_BLOCK_H

#include "core/slice.h"

#include <stdatomic.h>

typedef struct {
    uint32_t magic;
    atomic_uint references;
    size_t length;
    uint8_t bytes[];
} core_block;

/* With one reference and `length` bytes to fill; NULL when memory is out. */
CORE_MUST_CHECK core_block *core_block_new(size_t length);
CORE_MUST_CHECK core_block *core_block_copy(core_slice slice);
/* One more owner; returns the block. */
core_block *core_block_retain(core_block *block);
/* One owner less; NULL is allowed. */
void core_block_release(core_block *block);

static inline core_slice core_block_slice(const core_block *block) {
    return core_slice_make(block->bytes, block->length);
}

#endif
