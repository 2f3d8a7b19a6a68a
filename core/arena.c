/* Bump allocation in a list of chunks; see arena.h. A thing larger than a chunk gets its own. */
#include "core/arena.h"

#include <stdlib.h>

#define ARENA_ALIGNMENT _Alignof(max_align_t)

struct core_arena_chunk {
    core_arena_chunk *next;
    size_t size;
    size_t used;
    _Alignas(max_align_t) uint8_t bytes[];
};

void core_arena_init(core_arena *arena, size_t chunk_bytes, size_t max_bytes) {
    *arena = (core_arena){.chunk_bytes = chunk_bytes, .max_bytes = max_bytes};
}

static void arena_free_all(core_arena_chunk *chunk) {
    while (chunk != NULL) {
        core_arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void core_arena_fini(core_arena *arena) {
    arena_free_all(arena->chunks);
    arena->chunks = NULL;
    arena->held_bytes = 0;
}

void core_arena_reset(core_arena *arena) {
    core_arena_chunk *kept = arena->chunks;
    if (kept == NULL)
        return;
    arena_free_all(kept->next);
    kept->next = NULL;
    kept->used = 0;
    arena->held_bytes = kept->size;
    if (kept->size > arena->chunk_bytes)
        core_arena_fini(arena);
}

static core_arena_chunk *arena_chunk_add(core_arena *arena, size_t needed) {
    size_t size = needed > arena->chunk_bytes ? needed : arena->chunk_bytes;
    if (size > arena->max_bytes - arena->held_bytes)
        size = needed;
    if (size > arena->max_bytes - arena->held_bytes || size > SIZE_MAX - sizeof(core_arena_chunk))
        return NULL;
    core_arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL)
        return NULL;
    *chunk = (core_arena_chunk){.next = arena->chunks, .size = size};
    arena->chunks = chunk;
    arena->held_bytes += size;
    return chunk;
}

void *core_arena_alloc(core_arena *arena, size_t size) {
    if (size > SIZE_MAX - ARENA_ALIGNMENT)
        return NULL;
    size_t rounded = (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    core_arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || rounded > chunk->size - chunk->used)
        chunk = arena_chunk_add(arena, rounded);
    if (chunk == NULL)
        return NULL;
    void *memory = chunk->bytes + chunk->used;
    chunk->used += rounded;
    return memset(memory, 0, size);
}

void *core_arena_array(core_arena *arena, size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return core_arena_alloc(arena, count * size);
}

core_slice core_arena_copy(core_arena *arena, core_slice slice) {
    uint8_t *bytes = slice.length < SIZE_MAX ? core_arena_alloc(arena, slice.length + 1) : NULL;
    if (bytes == NULL)
        return core_slice_make(NULL, 0);
    if (slice.length > 0)
        memcpy(bytes, slice.data, slice.length);
    return core_slice_make(bytes, slice.length);
}
