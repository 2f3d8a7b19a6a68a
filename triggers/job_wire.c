/* The wire form of jobs; see job.h. Reader and writer stand side by side, member by member. Numbers
 * are big-endian, texts have their length before them; the version comes first, and a reader that
 * does not know it refuses the whole. */
#include "triggers/job.h"

enum { JOB_VERSION = 2, STATUS_VERSION = 2 };

/* ---- Members ---- */

static void text_write(core_buffer *out, core_slice text) {
    core_buffer_u32(out, (uint32_t)text.length);
    core_buffer_slice_append(out, text);
}

static core_slice text_read(core_cursor *cursor, size_t max) {
    uint32_t length = core_cursor_u32(cursor);
    if (length > max)
        core_cursor_fail(cursor);
    return core_cursor_bytes(cursor, length);
}

static void time_write(core_buffer *out, int64_t value) {
    core_buffer_u64(out, (uint64_t)value);
}

static int64_t time_read(core_cursor *cursor) {
    return (int64_t)core_cursor_u64(cursor);
}

static void flag_write(core_buffer *out, bool flag) {
    core_buffer_u8(out, flag ? 1 : 0);
}

static bool flag_read(core_cursor *cursor) {
    uint8_t byte = core_cursor_u8(cursor);
    if (byte > 1)
        core_cursor_fail(cursor);
    return byte == 1;
}

static bool version_read(core_cursor *cursor, uint8_t known) {
    if (core_cursor_u8(cursor) != known)
        core_cursor_fail(cursor);
    return core_cursor_ok(cursor);
}

/* ---- What was asked ---- */

void triggers_job_encode(const triggers_job *job, core_buffer *out) {
    core_buffer_u8(out, JOB_VERSION);
    core_buffer_append(out, job->id, TRIGGERS_JOB_ID_LENGTH);
    text_write(out, job->project);
    text_write(out, job->queue);
    text_write(out, job->type);
    text_write(out, job->payload);
    text_write(out, job->unique_key);
    text_write(out, job->concurrency_key);
    text_write(out, job->callback_url);
    text_write(out, job->callback_secret);
    core_buffer_u32(out, job->concurrency);
    core_buffer_u32(out, (uint32_t)job->priority);
    core_buffer_u32(out, job->max_attempts);
    time_write(out, job->backoff_first_ms);
    time_write(out, job->backoff_max_ms);
    time_write(out, job->timeout_ms);
    time_write(out, job->keep_ms);
    time_write(out, job->created_us);
    time_write(out, job->run_at_us);
    time_write(out, job->deadline_us);
    core_buffer_u16(out, job->depth);
}

bool triggers_job_decode(core_cursor *cursor, triggers_job *job) {
    *job = (triggers_job){0};
    if (!version_read(cursor, JOB_VERSION))
        return false;
    if (!core_slice_to_text(core_cursor_bytes(cursor, TRIGGERS_JOB_ID_LENGTH), job->id,
                            sizeof job->id))
        core_cursor_fail(cursor);
    job->project = text_read(cursor, TRIGGERS_JOB_PROJECT_MAX);
    job->queue = text_read(cursor, TRIGGERS_JOB_QUEUE_MAX);
    job->type = text_read(cursor, TRIGGERS_JOB_TYPE_MAX);
    job->payload = text_read(cursor, TRIGGERS_JOB_PAYLOAD_MAX);
    job->unique_key = text_read(cursor, TRIGGERS_JOB_KEY_MAX);
    job->concurrency_key = text_read(cursor, TRIGGERS_JOB_KEY_MAX);
    job->callback_url = text_read(cursor, TRIGGERS_JOB_URL_MAX);
    job->callback_secret = text_read(cursor, TRIGGERS_JOB_SECRET_MAX);
    job->concurrency = core_cursor_u32(cursor);
    job->priority = (int32_t)core_cursor_u32(cursor);
    job->max_attempts = core_cursor_u32(cursor);
    job->backoff_first_ms = time_read(cursor);
    job->backoff_max_ms = time_read(cursor);
    job->timeout_ms = time_read(cursor);
    job->keep_ms = time_read(cursor);
    job->created_us = time_read(cursor);
    job->run_at_us = time_read(cursor);
    job->deadline_us = time_read(cursor);
    job->depth = core_cursor_u16(cursor);
    core_error error;
    if (core_cursor_ok(cursor) && !triggers_job_check(job, &error))
        core_cursor_fail(cursor);
    return core_cursor_ok(cursor);
}

/* ---- Where it stands ---- */

void triggers_job_status_encode(const triggers_job_status *status, core_buffer *out) {
    core_buffer_u8(out, STATUS_VERSION);
    core_buffer_u8(out, (uint8_t)status->state);
    core_buffer_u32(out, status->attempts);
    core_buffer_u32(out, status->lease);
    flag_write(out, status->cancels);
    core_buffer_u8(out, status->callback_attempts);
    flag_write(out, status->callback_due);
    flag_write(out, status->callback_dead);
    time_write(out, status->due_us);
    time_write(out, status->started_us);
    time_write(out, status->finished_us);
    text_write(out, status->result);
    text_write(out, status->error);
    text_write(out, status->callback_error);
}

bool triggers_job_status_decode(core_cursor *cursor, triggers_job_status *status) {
    *status = (triggers_job_status){0};
    if (!version_read(cursor, STATUS_VERSION))
        return false;
    uint8_t state = core_cursor_u8(cursor);
    if (state == TRIGGERS_JOB_NONE || state >= TRIGGERS_JOB_STATES)
        core_cursor_fail(cursor);
    status->state = (triggers_job_state)state;
    status->attempts = core_cursor_u32(cursor);
    status->lease = core_cursor_u32(cursor);
    status->cancels = flag_read(cursor);
    status->callback_attempts = core_cursor_u8(cursor);
    status->callback_due = flag_read(cursor);
    status->callback_dead = flag_read(cursor);
    status->due_us = time_read(cursor);
    status->started_us = time_read(cursor);
    status->finished_us = time_read(cursor);
    status->result = text_read(cursor, TRIGGERS_JOB_RESULT_MAX);
    status->error = text_read(cursor, TRIGGERS_JOB_ERROR_MAX);
    status->callback_error = text_read(cursor, TRIGGERS_JOB_CALLED_MAX);
    return core_cursor_ok(cursor);
}
