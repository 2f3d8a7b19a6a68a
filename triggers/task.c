/* A task's wire form: a version, numbers big-endian, texts behind their lengths; see task.h. A
 * batch is version 2, whose list of ids stands before the body; every other task is version 1, as
 * it was before there were batches. A parked one of a trigger's chain is version 2, which names the
 * chain. */
#include "triggers/task.h"

#include "auth/auth.h"

#include <inttypes.h>
#include <stdio.h>

enum { TASK_VERSION = 1, BATCH_VERSION = 2, PARKED_VERSION = 1, PARKED_CHAIN_VERSION = 2 };

/* ---- hashes ---- */

static uint64_t part_hash(uint64_t hash, core_slice part) {
    uint8_t length[4] = {(uint8_t)(part.length >> 24), (uint8_t)(part.length >> 16),
                         (uint8_t)(part.length >> 8), (uint8_t)part.length};
    return core_slice_hash_more(core_slice_hash_more(hash, core_slice_make(length, sizeof length)),
                                part);
}

/* FNV's low bits are its weakest. */
static uint64_t hash_mix(uint64_t hash) {
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

/* SHA-256 of "key", both names behind their lengths, and the SHA-256 of the key. */
uint64_t triggers_key_hash(core_slice project, core_slice trigger, core_slice key) {
    enum { BYTES_MAX = 3 + 2 * (2 + TRIGGERS_NAME_MAX) + AUTH_MAC_SIZE };
    uint8_t bytes[BYTES_MAX], digest[AUTH_MAC_SIZE];
    core_buffer text = core_buffer_over(bytes, sizeof bytes);
    if (!auth_digest(key, digest))
        return 0;
    core_buffer_text(&text, "key");
    core_buffer_u16(&text, (uint16_t)project.length);
    core_buffer_slice_append(&text, project);
    core_buffer_u16(&text, (uint16_t)trigger.length);
    core_buffer_slice_append(&text, trigger);
    core_buffer_slice_append(&text, core_slice_make(digest, sizeof digest));
    assert(core_buffer_ok(&text));
    if (!auth_digest(core_buffer_slice(&text), digest))
        return 0;
    core_cursor cursor = core_cursor_make(core_slice_make(digest, sizeof digest));
    uint64_t hash = core_cursor_u64(&cursor);
    return hash != 0 ? hash : 1;
}

void triggers_webhook_id(const triggers_task *task, char id[TRIGGERS_WEBHOOK_ID_MAX]) {
    uint64_t halves[2] = {core_slice_hash(core_slice_text("a")),
                          core_slice_hash(core_slice_text("b"))};
    for (size_t i = 0; i < CORE_COUNT_OF(halves); i++) {
        halves[i] = part_hash(part_hash(halves[i], task->project), task->trigger);
        halves[i] = hash_mix(part_hash(halves[i], task->event_id));
    }
    (void)snprintf(id, TRIGGERS_WEBHOOK_ID_MAX, "msg_%016" PRIx64 "%016" PRIx64, halves[0],
                   halves[1]);
}

/* ---- written ---- */

static void text_write(core_buffer *out, core_slice text, size_t max) {
    core_slice kept = core_slice_make(text.data, text.length < max ? text.length : max);
    core_buffer_u16(out, (uint16_t)kept.length);
    core_buffer_slice_append(out, kept);
}

void triggers_task_write(const triggers_task *task, core_buffer *out) {
    assert(task->project.length <= TRIGGERS_NAME_MAX && task->trigger.length <= TRIGGERS_NAME_MAX);
    assert(task->event_id.length <= TRIGGERS_EVENT_ID_MAX);
    core_buffer_u8(out, task->batch.length > 0 ? BATCH_VERSION : TASK_VERSION);
    core_buffer_u16(out, task->depth);
    core_buffer_u64(out, task->revision);
    core_buffer_u64(out, task->key_hash);
    core_buffer_u64(out, (uint64_t)task->event_time_us);
    triggers_position_write(&task->position, out);
    text_write(out, task->project, TRIGGERS_NAME_MAX);
    text_write(out, task->trigger, TRIGGERS_NAME_MAX);
    text_write(out, task->event_id, TRIGGERS_EVENT_ID_MAX);
    text_write(out, task->key, TRIGGERS_KEY_MAX);
    core_buffer_u32(out, (uint32_t)task->arguments.length);
    core_buffer_slice_append(out, task->arguments);
    if (task->batch.length > 0) {
        core_buffer_u32(out, (uint32_t)task->batch.length);
        core_buffer_slice_append(out, task->batch);
    }
    core_buffer_slice_append(out, task->body);
}

void triggers_parked_write(const triggers_parked *parked, core_buffer *out) {
    core_buffer_u8(out, parked->chain != 0 ? PARKED_CHAIN_VERSION : PARKED_VERSION);
    core_buffer_u64(out, parked->sequence);
    core_buffer_u64(out, parked->previous);
    core_buffer_u64(out, (uint64_t)parked->parked_ms);
    if (parked->chain != 0)
        core_buffer_u64(out, parked->chain);
    core_buffer_slice_append(out, parked->task);
}

/* ---- read ---- */

static core_slice text_read(core_cursor *cursor, size_t max) {
    size_t length = core_cursor_u16(cursor);
    if (length > max)
        core_cursor_fail(cursor);
    return core_cursor_bytes(cursor, length);
}

static bool bytes_refuse(const core_cursor *cursor, const char *what, core_error *error) {
    return core_error_set(error, CORE_ERROR_INPUT,
                          "not a %s that this version of walcast knows, at byte %zu: was the "
                          "stream written by a newer one?",
                          what, core_cursor_offset(cursor));
}

bool triggers_task_read(core_slice bytes, triggers_task *task, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    *task = (triggers_task){0};
    unsigned version = core_cursor_u8(&cursor);
    if (version != TASK_VERSION && version != BATCH_VERSION)
        return bytes_refuse(&cursor, "task", error);
    task->depth = core_cursor_u16(&cursor);
    task->revision = core_cursor_u64(&cursor);
    task->key_hash = core_cursor_u64(&cursor);
    task->event_time_us = (int64_t)core_cursor_u64(&cursor);
    triggers_position_read(&cursor, &task->position);
    task->project = text_read(&cursor, TRIGGERS_NAME_MAX);
    task->trigger = text_read(&cursor, TRIGGERS_NAME_MAX);
    task->event_id = text_read(&cursor, TRIGGERS_EVENT_ID_MAX);
    task->key = text_read(&cursor, TRIGGERS_KEY_MAX);
    task->arguments = core_cursor_bytes(&cursor, core_cursor_u32(&cursor));
    if (version == BATCH_VERSION)
        task->batch = core_cursor_bytes(&cursor, core_cursor_u32(&cursor));
    bool is_whole = (version == BATCH_VERSION) == (task->batch.length > 0);
    task->body = core_cursor_rest(&cursor);
    return (core_cursor_ok(&cursor) && is_whole && task->key_hash != 0 &&
            task->trigger.length > 0) ||
           bytes_refuse(&cursor, "task", error);
}

bool triggers_parked_read(core_slice bytes, triggers_parked *parked, core_error *error) {
    core_cursor cursor = core_cursor_make(bytes);
    *parked = (triggers_parked){0};
    unsigned version = core_cursor_u8(&cursor);
    if (version != PARKED_VERSION && version != PARKED_CHAIN_VERSION)
        return bytes_refuse(&cursor, "parked task", error);
    parked->sequence = core_cursor_u64(&cursor);
    parked->previous = core_cursor_u64(&cursor);
    parked->parked_ms = (int64_t)core_cursor_u64(&cursor);
    if (version == PARKED_CHAIN_VERSION)
        parked->chain = core_cursor_u64(&cursor);
    bool is_whole = (version == PARKED_CHAIN_VERSION) == (parked->chain != 0);
    parked->task = core_cursor_rest(&cursor);
    return (core_cursor_ok(&cursor) && is_whole && parked->sequence > parked->previous) ||
           bytes_refuse(&cursor, "parked task", error);
}
