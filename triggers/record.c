/* A log record's wire form; see record.h. Numbers big-endian, texts behind their lengths. An entry
 * of a task that was in a batch says so in its flags and ends in the batch's id, one that begins a
 * chain in the chain's; every other is as it was before there were those. A version of walcast that
 * does not know the flag refuses the record. */
#include "triggers/record.h"

enum { RECORD_VERSION = 1, WAS_PARKED = 1, IS_MEMBER = 2, IN_BATCH = 4, HAS_CHAIN = 8 };

static void text_write(core_buffer *out, core_slice text, size_t max) {
    core_slice kept = core_slice_make(text.data, text.length < max ? text.length : max);
    core_buffer_u16(out, (uint16_t)kept.length);
    core_buffer_slice_append(out, kept);
}

static core_slice text_read(core_cursor *cursor, size_t max) {
    size_t length = core_cursor_u16(cursor);
    if (length > max)
        core_cursor_fail(cursor);
    return core_cursor_bytes(cursor, length);
}

void triggers_entry_write(const triggers_entry *outcome, core_buffer *out) {
    core_buffer_u8(out, (uint8_t)outcome->kind);
    core_buffer_u8(out, (uint8_t)((outcome->was_parked ? WAS_PARKED : 0) |
                                  (outcome->is_member ? IS_MEMBER : 0) |
                                  (outcome->batch.length > 0 ? IN_BATCH : 0) |
                                  (outcome->chain != 0 ? HAS_CHAIN : 0)));
    core_buffer_u64(out, outcome->sequence);
    core_buffer_u64(out, outcome->key_hash);
    core_buffer_u64(out, (uint64_t)outcome->time_ms);
    core_buffer_u32(out, outcome->attempts);
    core_buffer_u16(out, outcome->status);
    core_buffer_u32(out, outcome->took_ms);
    core_buffer_u64(out, (uint64_t)outcome->next_ms);
    core_buffer_u64(out, outcome->position);
    text_write(out, outcome->project, TRIGGERS_NAME_MAX);
    text_write(out, outcome->trigger, TRIGGERS_NAME_MAX);
    text_write(out, outcome->event_id, TRIGGERS_EVENT_ID_MAX);
    text_write(out, outcome->key, TRIGGERS_KEY_MAX);
    text_write(out, outcome->reason, TRIGGERS_REASON_MAX);
    if (outcome->batch.length > 0)
        text_write(out, outcome->batch, TRIGGERS_EVENT_ID_MAX);
    if (outcome->chain != 0)
        core_buffer_u64(out, outcome->chain);
}

bool triggers_entry_read(core_cursor *cursor, triggers_entry *outcome) {
    if (core_cursor_left(cursor) == 0)
        return false;
    unsigned kind = core_cursor_u8(cursor), flags = core_cursor_u8(cursor);
    *outcome = (triggers_entry){.kind = (triggers_entry_kind)kind,
                                .was_parked = (flags & WAS_PARKED) != 0,
                                .is_member = (flags & IS_MEMBER) != 0};
    outcome->sequence = core_cursor_u64(cursor);
    outcome->key_hash = core_cursor_u64(cursor);
    outcome->time_ms = (int64_t)core_cursor_u64(cursor);
    outcome->attempts = core_cursor_u32(cursor);
    outcome->status = core_cursor_u16(cursor);
    outcome->took_ms = core_cursor_u32(cursor);
    outcome->next_ms = (int64_t)core_cursor_u64(cursor);
    outcome->position = core_cursor_u64(cursor);
    outcome->project = text_read(cursor, TRIGGERS_NAME_MAX);
    outcome->trigger = text_read(cursor, TRIGGERS_NAME_MAX);
    outcome->event_id = text_read(cursor, TRIGGERS_EVENT_ID_MAX);
    outcome->key = text_read(cursor, TRIGGERS_KEY_MAX);
    outcome->reason = text_read(cursor, TRIGGERS_REASON_MAX);
    if ((flags & IN_BATCH) != 0)
        outcome->batch = text_read(cursor, TRIGGERS_EVENT_ID_MAX);
    if ((flags & HAS_CHAIN) != 0)
        outcome->chain = core_cursor_u64(cursor);
    if (kind < TRIGGERS_ENTRY_DELIVERED || kind > TRIGGERS_ENTRY_PASSED ||
        flags > (WAS_PARKED | IS_MEMBER | IN_BATCH | HAS_CHAIN) ||
        ((flags & HAS_CHAIN) != 0) != (outcome->chain != 0) ||
        ((flags & IN_BATCH) != 0) != (outcome->batch.length > 0) ||
        (outcome->is_member && outcome->batch.length == 0))
        core_cursor_fail(cursor);
    return core_cursor_ok(cursor);
}

void triggers_record_write(const triggers_record *record, core_buffer *out) {
    core_buffer_u8(out, RECORD_VERSION);
    core_buffer_u8(out, record->has_state);
    core_buffer_u64(out, record->owner);
    core_buffer_u64(out, record->number);
    core_buffer_u64(out, record->base);
    core_buffer_u64(out, record->watermark);
    core_buffer_u32(out, (uint32_t)record->outcomes.length);
    core_buffer_slice_append(out, record->outcomes);
    core_buffer_slice_append(out, record->state);
}

static bool outcomes_are_whole(core_slice outcomes) {
    core_cursor cursor = core_cursor_make(outcomes);
    triggers_entry outcome;
    while (triggers_entry_read(&cursor, &outcome))
        continue;
    return core_cursor_done(&cursor);
}

bool triggers_record_read(core_slice bytes, triggers_record *record, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    *record = (triggers_record){0};
    unsigned version = core_cursor_u8(&cursor), flags = core_cursor_u8(&cursor);
    record->has_state = flags == 1;
    record->owner = core_cursor_u64(&cursor);
    record->number = core_cursor_u64(&cursor);
    record->base = core_cursor_u64(&cursor);
    record->watermark = core_cursor_u64(&cursor);
    record->outcomes = core_cursor_bytes(&cursor, core_cursor_u32(&cursor));
    record->state = core_cursor_rest(&cursor);
    if (core_cursor_ok(&cursor) && version == RECORD_VERSION && flags <= 1 &&
        (record->has_state || record->state.length == 0) && outcomes_are_whole(record->outcomes))
        return true;
    return core_error_set(error, CORE_ERROR_INPUT,
                          "not a record of deliveries that this version of walcast knows: was it "
                          "written by a newer one?");
}

const char *triggers_entry_name(triggers_entry_kind kind) {
    static const char *const names[] = {
        [TRIGGERS_ENTRY_DELIVERED] = "delivered", [TRIGGERS_ENTRY_FAILED] = "failed",
        [TRIGGERS_ENTRY_PARKED] = "parked",       [TRIGGERS_ENTRY_DEAD] = "dead",
        [TRIGGERS_ENTRY_GONE] = "gone",           [TRIGGERS_ENTRY_LOST] = "lost",
        [TRIGGERS_ENTRY_UNDECIDED] = "undecided", [TRIGGERS_ENTRY_THROTTLED] = "throttled",
        [TRIGGERS_ENTRY_HELD] = "held",           [TRIGGERS_ENTRY_PASSED] = "passed"};
    return names[kind];
}
