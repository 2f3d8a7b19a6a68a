/* Reference counts over blocks; see block.h. */
#include "core/block.h"

#include <stdlib.h>

#define BLOCK_MAGIC 0xb10cb10cu

core_block *core_block_new(size_t length) {
    if (length > SIZE_MAX - sizeof(core_block))
        return NULL;
    core_block *block = malloc(sizeof *block + length);
    if (block == NULL)
        return NULL;
    block->magic = BLOCK_MAGIC;
    atomic_init(&block->references, 1);
    atomic_init(&block->account, NULL);
    atomic_init(&block->twin, NULL);
    block->length = length;
    return block;
}

core_block *core_block_copy(core_slice slice) {
    core_block *block = core_block_new(slice.length);
    if (block != NULL && slice.length > 0)
        memcpy(block->bytes, slice.data, slice.length);
    return block;
}

core_block *core_block_retain(core_block *block) {
    CORE_MAGIC_CHECK(block, BLOCK_MAGIC);
    (void)atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
    return block;
}

void core_block_release(core_block *block) {
    if (block == NULL)
        return;
    CORE_MAGIC_CHECK(block, BLOCK_MAGIC);
    if (atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) != 1)
        return;
    atomic_size_t *account = atomic_load_explicit(&block->account, memory_order_relaxed);
    if (account != NULL)
        (void)atomic_fetch_sub_explicit(account, block->length, memory_order_relaxed);
    core_block *twin = atomic_load_explicit(&block->twin, memory_order_relaxed);
    if (twin != block)
        core_block_release(twin);
    block->magic = 0;
    free(block);
}

void core_block_charge(core_block *block, atomic_size_t *account) {
    CORE_MAGIC_CHECK(block, BLOCK_MAGIC);
    if (atomic_load_explicit(&block->account, memory_order_relaxed) != NULL)
        return;
    atomic_size_t *none = NULL;
    if (atomic_compare_exchange_strong_explicit(&block->account, &none, account,
                                                memory_order_relaxed, memory_order_relaxed))
        (void)atomic_fetch_add_explicit(account, block->length, memory_order_relaxed);
}

core_block *core_block_set_twin(core_block *block, core_block *twin) {
    CORE_MAGIC_CHECK(block, BLOCK_MAGIC);
    core_block *before = NULL;
    if (atomic_compare_exchange_strong_explicit(&block->twin, &before, twin, memory_order_acq_rel,
                                                memory_order_acquire))
        return twin;
    if (twin != block)
        core_block_release(twin);
    return before;
}
