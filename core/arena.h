/* Memory for things that die together: a message being decoded, a relation's description.
 *
 * Allocation is a pointer bump in chunks; there is no free of one thing, only reset of all. Bounded
 * by the maximum it is born with: past it, allocation gives NULL. Owned by one thread. */
#ifndef WALCAST_CORE_ARENA_H
#define WALCAST_CORE_ARENA_H

#include "core/slice.h"

typedef struct core_arena_chunk core_arena_chunk;

typedef struct {
    core_arena_chunk *chunks; /* newest first */
    size_t chunk_bytes;
    size_t held_bytes;
    size_t max_bytes;
} core_arena;

/* Allocates nothing yet. `chunk_bytes` is the usual step of growth. */
void core_arena_init(core_arena *arena, size_t chunk_bytes, size_t max_bytes);
void core_arena_fini(core_arena *arena);
/* Forgets all that was allocated; keeps one chunk for the next round. */
void core_arena_reset(core_arena *arena);

/* Zeroed, aligned for any type. NULL when the maximum is reached or memory is out. */
CORE_MUST_CHECK void *core_arena_alloc(core_arena *arena, size_t size);
/* count * size without overflow. */
CORE_MUST_CHECK void *core_arena_array(core_arena *arena, size_t count, size_t size);
/* A copy of the bytes, followed by a NUL that is not counted. data is NULL on failure. */
CORE_MUST_CHECK core_slice core_arena_copy(core_arena *arena, core_slice slice);

#endif
