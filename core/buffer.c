/* Growing by doubling up to the maximum; see buffer.h. */
#include "core/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER_FIRST_BYTES  256
#define BUFFER_FORMAT_BYTES 512

void core_buffer_init(core_buffer *buffer, size_t max_bytes) {
    *buffer = (core_buffer){.max_bytes = max_bytes};
}

void core_buffer_fini(core_buffer *buffer) {
    free(buffer->data);
    *buffer = (core_buffer){.max_bytes = buffer->max_bytes};
}

core_buffer core_buffer_over(void *memory, size_t size) {
    assert(memory != NULL && size > 0);
    return (core_buffer){.data = memory, .capacity = size, .max_bytes = size};
}

void core_buffer_reset(core_buffer *buffer) {
    buffer->length = 0;
    buffer->failed = false;
}

static bool buffer_grow(core_buffer *buffer, size_t needed) {
    size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_FIRST_BYTES;
    while (capacity < needed && capacity <= buffer->max_bytes / 2)
        capacity *= 2;
    if (capacity < needed)
        capacity = buffer->max_bytes;
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *core_buffer_reserve(core_buffer *buffer, size_t length) {
    if (buffer->failed || length > buffer->max_bytes - buffer->length) {
        buffer->failed = true;
        return NULL;
    }
    size_t needed = buffer->length + length;
    if ((needed > buffer->capacity || buffer->data == NULL) && !buffer_grow(buffer, needed)) {
        buffer->failed = true;
        return NULL;
    }
    return buffer->data + buffer->length;
}

void core_buffer_commit(core_buffer *buffer, size_t length) {
    assert(length <= buffer->capacity - buffer->length);
    buffer->length += length;
}

void core_buffer_append(core_buffer *buffer, const void *data, size_t length) {
    uint8_t *target = length > 0 ? core_buffer_reserve(buffer, length) : NULL;
    if (target == NULL)
        return;
    memcpy(target, data, length);
    buffer->length += length;
}

void core_buffer_slice_append(core_buffer *buffer, core_slice slice) {
    core_buffer_append(buffer, slice.data, slice.length);
}

void core_buffer_text(core_buffer *buffer, const char *text) {
    core_buffer_append(buffer, text, strlen(text));
}

/* vsnprintf wants a byte for its NUL, which the buffer may not have room for: short texts are made
 * beside it, long ones in memory of their own. */
static void buffer_format_long(core_buffer *buffer, size_t length, const char *format,
                               va_list arguments) {
    char *text = core_buffer_reserve(buffer, length) != NULL ? malloc(length + 1) : NULL;
    if (text == NULL) {
        buffer->failed = true;
        return;
    }
    (void)vsnprintf(text, length + 1, format, arguments);
    core_buffer_append(buffer, text, length);
    free(text);
}

void core_buffer_format(core_buffer *buffer, const char *format, ...) {
    char text[BUFFER_FORMAT_BYTES];
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        buffer->failed = true;
    else if ((size_t)length < sizeof text)
        core_buffer_append(buffer, text, (size_t)length);
    else
        buffer_format_long(buffer, (size_t)length, format, again);
    va_end(again);
}

static void buffer_big_endian(core_buffer *buffer, uint64_t value, size_t length) {
    uint8_t bytes[8];
    for (size_t i = length; i > 0; i--, value >>= 8)
        bytes[i - 1] = (uint8_t)value;
    core_buffer_append(buffer, bytes, length);
}

void core_buffer_u8(core_buffer *buffer, uint8_t value) {
    uint8_t *target = core_buffer_reserve(buffer, 1);
    if (target == NULL)
        return;
    *target = value;
    buffer->length++;
}

void core_buffer_u16(core_buffer *buffer, uint16_t value) {
    buffer_big_endian(buffer, value, 2);
}

void core_buffer_u32(core_buffer *buffer, uint32_t value) {
    buffer_big_endian(buffer, value, 4);
}

void core_buffer_u64(core_buffer *buffer, uint64_t value) {
    buffer_big_endian(buffer, value, 8);
}
