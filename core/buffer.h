/* A byte buffer to write into that grows up to a maximum it is born with.
 *
 * Failure is sticky, like the cursor's: an append that would pass the maximum (or that finds no
 * memory) changes nothing, and so does every append after it; check `core_buffer_ok` once at the
 * end. Owned by one thread. */
#ifndef WALCAST_CORE_BUFFER_H
#define WALCAST_CORE_BUFFER_H

#include "core/slice.h"

typedef struct {
    uint8_t *data;
    size_t length;
    size_t capacity;
    size_t max_bytes;
    bool failed;
} core_buffer;

/* Allocates nothing yet. */
void core_buffer_init(core_buffer *buffer, size_t max_bytes);
void core_buffer_fini(core_buffer *buffer);
/* One over memory of the caller's, of at least one byte: it never grows, and there is no _fini. */
core_buffer core_buffer_over(void *memory, size_t size);
/* Empties it, keeps the memory, clears a failure. */
void core_buffer_reset(core_buffer *buffer);

static inline bool core_buffer_ok(const core_buffer *buffer) {
    return !buffer->failed;
}
static inline core_slice core_buffer_slice(const core_buffer *buffer) {
    return core_slice_make(buffer->data, buffer->length);
}

/* Makes room for `length` more bytes and returns where they go, or NULL when that fails. The
 * caller writes up to `length` bytes there and then calls core_buffer_commit. */
uint8_t *core_buffer_reserve(core_buffer *buffer, size_t length);
void core_buffer_commit(core_buffer *buffer, size_t length);

void core_buffer_append(core_buffer *buffer, const void *data, size_t length);
void core_buffer_slice_append(core_buffer *buffer, core_slice slice);
void core_buffer_text(core_buffer *buffer, const char *text);
void core_buffer_format(core_buffer *buffer, const char *format, ...) CORE_PRINTF(2, 3);

/* Big-endian, as PostgreSQL reads them. */
void core_buffer_u8(core_buffer *buffer, uint8_t value);
void core_buffer_u16(core_buffer *buffer, uint16_t value);
void core_buffer_u32(core_buffer *buffer, uint32_t value);
void core_buffer_u64(core_buffer *buffer, uint64_t value);

#endif
