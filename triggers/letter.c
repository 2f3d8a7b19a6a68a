/* A dead letter's wire form; see letter.h. */
#include "triggers/letter.h"

enum { LETTER_VERSION = 1 };

void triggers_letter_write(const triggers_letter *letter, core_buffer *out) {
    size_t reason = letter->reason.length;
    if (reason > TRIGGERS_REASON_MAX)
        reason = TRIGGERS_REASON_MAX;
    core_buffer_u8(out, LETTER_VERSION);
    core_buffer_u64(out, letter->sequence);
    core_buffer_u32(out, letter->attempts);
    core_buffer_u16(out, letter->status);
    core_buffer_u64(out, (uint64_t)letter->dead_ms);
    core_buffer_u16(out, (uint16_t)reason);
    core_buffer_append(out, letter->reason.data, reason);
    core_buffer_slice_append(out, letter->task);
}

bool triggers_letter_read(core_slice bytes, triggers_letter *letter, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    *letter = (triggers_letter){0};
    unsigned version = core_cursor_u8(&cursor);
    letter->sequence = core_cursor_u64(&cursor);
    letter->attempts = core_cursor_u32(&cursor);
    letter->status = core_cursor_u16(&cursor);
    letter->dead_ms = (int64_t)core_cursor_u64(&cursor);
    size_t reason = core_cursor_u16(&cursor);
    if (reason > TRIGGERS_REASON_MAX)
        core_cursor_fail(&cursor);
    letter->reason = core_cursor_bytes(&cursor, reason);
    letter->task = core_cursor_rest(&cursor);
    return (core_cursor_ok(&cursor) && version == LETTER_VERSION) ||
           core_error_set(error, CORE_ERROR_INPUT,
                          "not a dead letter that this version of walcast knows: was it written by "
                          "a newer one?");
}
