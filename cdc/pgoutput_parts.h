/* What the readers and writers of pgoutput share: its times and strings. */
#ifndef WALCAST_CDC_PGOUTPUT_PARTS_H
#define WALCAST_CDC_PGOUTPUT_PARTS_H

#include "cdc/pgoutput.h"

/* Microseconds since 1970 from those since 2000; what would overflow fails the cursor. */
static inline int64_t cdc_timestamp_read(core_cursor *cursor) {
    int64_t since_2000 = (int64_t)core_cursor_u64(cursor);
    if (since_2000 > INT64_MAX - CDC_POSTGRES_EPOCH_US) {
        core_cursor_fail(cursor);
        return 0;
    }
    return since_2000 + CDC_POSTGRES_EPOCH_US;
}

static inline void cdc_timestamp_write(core_buffer *out, int64_t wall_us) {
    core_buffer_u64(out, (uint64_t)(wall_us - CDC_POSTGRES_EPOCH_US));
}

static inline void cdc_string_write(core_buffer *out, core_slice text) {
    core_buffer_slice_append(out, text);
    core_buffer_u8(out, 0);
}

/* A letter for an error text; what cannot be printed becomes '?'. */
static inline char cdc_letter_shown(uint8_t letter) {
    return letter > 0x20 && letter < 0x7f ? (char)letter : '?';
}

#endif
