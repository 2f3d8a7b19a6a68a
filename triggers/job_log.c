/* Records of what changed, and folding them; see job_queue.h.
 *
 * A record is its kind, its length and its content. Each says how something is now, not what was
 * done, so one that is folded twice changes nothing. ADDED replaces what is there; a STATUS or DROP
 * of a job that is not known is of one that a snapshot will still bring, or never had to. */
#include "triggers/job_table.h"

#define RECORD_HEAD_BYTES 5 /* kind and length */
#define COMPACT_BYTES     ((size_t)1 << 20)

typedef enum {
    RECORD_ADDED = 1, /* the job and its status */
    RECORD_STATUS,    /* id and status */
    RECORD_DROPPED,   /* id */
    RECORD_TAKEN,     /* sequence of the inbox */
} record_kind;

/* ---- Emitting ---- */

/* Returns where the length goes. */
static size_t record_open(triggers_jobs *jobs, record_kind kind) {
    core_buffer_u8(&jobs->records, (uint8_t)kind);
    core_buffer_u32(&jobs->records, 0);
    return jobs->records.length;
}

static void record_close(triggers_jobs *jobs, size_t start) {
    if (!core_buffer_ok(&jobs->records))
        return;
    uint32_t length = (uint32_t)(jobs->records.length - start);
    uint32_t wire = htobe32(length);
    memcpy(jobs->records.data + start - sizeof wire, &wire, sizeof wire);
    jobs->emitted += RECORD_HEAD_BYTES + length;
}

void triggers_job_emit_added(triggers_jobs *jobs, const triggers_job_entry *entry) {
    size_t start = record_open(jobs, RECORD_ADDED);
    triggers_job_encode(&entry->asked, &jobs->records);
    triggers_job_status_encode(&entry->status, &jobs->records);
    record_close(jobs, start);
}

void triggers_job_emit_status(triggers_jobs *jobs, const triggers_job_entry *entry) {
    size_t start = record_open(jobs, RECORD_STATUS);
    core_buffer_append(&jobs->records, entry->asked.id, TRIGGERS_JOB_ID_LENGTH);
    triggers_job_status_encode(&entry->status, &jobs->records);
    record_close(jobs, start);
}

void triggers_job_emit_dropped(triggers_jobs *jobs, const triggers_job_entry *entry) {
    size_t start = record_open(jobs, RECORD_DROPPED);
    core_buffer_append(&jobs->records, entry->asked.id, TRIGGERS_JOB_ID_LENGTH);
    record_close(jobs, start);
}

void triggers_job_emit_taken(triggers_jobs *jobs) {
    size_t start = record_open(jobs, RECORD_TAKEN);
    core_buffer_u64(&jobs->records, jobs->taken);
    record_close(jobs, start);
}

/* ---- Taking ---- */

uint64_t triggers_jobs_emitted(const triggers_jobs *jobs) {
    return jobs->emitted;
}

size_t triggers_jobs_records_wait(const triggers_jobs *jobs) {
    return jobs->records.length - jobs->records_taken;
}

static size_t record_length(const uint8_t *record) {
    uint32_t wire;
    memcpy(&wire, record + 1, sizeof wire);
    return RECORD_HEAD_BYTES + be32toh(wire);
}

static void records_compact(triggers_jobs *jobs) {
    size_t left = triggers_jobs_records_wait(jobs);
    if (left > 0 && (jobs->records_taken < COMPACT_BYTES || left > jobs->records_taken))
        return;
    if (left > 0)
        memmove(jobs->records.data, jobs->records.data + jobs->records_taken, left);
    jobs->records.length = left;
    jobs->records_taken = 0;
}

bool triggers_jobs_records_take(triggers_jobs *jobs, size_t max_bytes, core_buffer *out) {
    if (!core_buffer_ok(&jobs->records))
        return false;
    const uint8_t *from = jobs->records.data + jobs->records_taken;
    size_t left = triggers_jobs_records_wait(jobs), length = 0;
    while (length < left) {
        size_t next = record_length(from + length);
        if (length > 0 && length + next > max_bytes)
            break;
        length += next;
    }
    core_buffer_append(out, from, length);
    jobs->records_taken += length;
    records_compact(jobs);
    return core_buffer_ok(out);
}

/* ---- Folding ---- */

static bool room_check(const triggers_jobs *jobs, core_error *error) {
    /* Half more than the spec: what fits one owner must fit the next. */
    if (jobs->figures.jobs <= jobs->spec.max_jobs + jobs->spec.max_jobs / 2 &&
        jobs->figures.bytes <= jobs->spec.max_bytes + jobs->spec.max_bytes / 2)
        return true;
    return core_error_set(error, CORE_ERROR_FULL,
                          "the partition's log holds %zu jobs in %zu bytes, which is beyond "
                          "jobs.max_jobs or jobs.memory",
                          jobs->figures.jobs, jobs->figures.bytes);
}

static bool fold_added(triggers_jobs *jobs, core_cursor *cursor, core_error *error) {
    triggers_job job;
    triggers_job_status status;
    if (!triggers_job_decode(cursor, &job) || !triggers_job_status_decode(cursor, &status))
        return core_error_set(error, CORE_ERROR_INPUT, "a job in the log cannot be read");
    triggers_job_entry *known = triggers_job_by_id(jobs, core_slice_text(job.id));
    if (known != NULL)
        triggers_job_leave(jobs, known);
    if (triggers_job_enter(jobs, &job, &status) == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a job");
    return room_check(jobs, error);
}

static bool fold_status(triggers_jobs *jobs, core_cursor *cursor, core_error *error) {
    core_slice id = core_cursor_bytes(cursor, TRIGGERS_JOB_ID_LENGTH);
    triggers_job_status status;
    if (!triggers_job_status_decode(cursor, &status))
        return core_error_set(error, CORE_ERROR_INPUT, "a job's status in the log cannot be read");
    triggers_job_entry *entry = triggers_job_by_id(jobs, id);
    if (entry != NULL && !triggers_job_move(jobs, entry, &status))
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a job");
    return true;
}

static bool fold_dropped(triggers_jobs *jobs, core_cursor *cursor, core_error *error) {
    core_slice id = core_cursor_bytes(cursor, TRIGGERS_JOB_ID_LENGTH);
    triggers_job_entry *entry = triggers_job_by_id(jobs, id);
    if (entry != NULL)
        triggers_job_leave(jobs, entry);
    return core_cursor_ok(cursor) ||
           core_error_set(error, CORE_ERROR_INPUT, "a dropped job's id is cut");
}

static bool fold_taken(triggers_jobs *jobs, core_cursor *cursor, core_error *error) {
    uint64_t sequence = core_cursor_u64(cursor);
    if (sequence > jobs->taken)
        jobs->taken = sequence;
    return core_cursor_ok(cursor) ||
           core_error_set(error, CORE_ERROR_INPUT, "the inbox's place in the log is cut");
}

static bool fold_one(triggers_jobs *jobs, uint8_t kind, core_slice content, core_error *error) {
    static bool (*const folds[])(triggers_jobs *, core_cursor *, core_error *) = {
        [RECORD_ADDED] = fold_added,
        [RECORD_STATUS] = fold_status,
        [RECORD_DROPPED] = fold_dropped,
        [RECORD_TAKEN] = fold_taken,
    };
    if (kind >= CORE_COUNT_OF(folds) || folds[kind] == NULL)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "record of kind %u in the log: a newer version wrote it", kind);
    core_cursor cursor = core_cursor_make(content);
    if (!folds[kind](jobs, &cursor, error))
        return false;
    return core_cursor_done(&cursor) ||
           core_error_set(error, CORE_ERROR_INPUT, "a record of kind %u in the log is too long",
                          kind);
}

bool triggers_jobs_fold(triggers_jobs *jobs, core_slice records, core_error *error) {
    core_cursor cursor = core_cursor_make(records);
    while (core_cursor_left(&cursor) > 0) {
        uint8_t kind = core_cursor_u8(&cursor);
        core_slice content = core_cursor_bytes(&cursor, core_cursor_u32(&cursor));
        if (!core_cursor_ok(&cursor))
            return core_error_set(error, CORE_ERROR_INPUT, "a record in the log is cut at byte %zu",
                                  core_cursor_offset(&cursor));
        if (!fold_one(jobs, kind, content, error))
            return false;
    }
    return true;
}

/* ---- Snapshots ---- */

void triggers_jobs_snapshot_begin(triggers_jobs *jobs) {
    jobs->snapshot = jobs->oldest;
    jobs->snapshot_end = jobs->last_number;
    triggers_job_emit_taken(jobs);
}

bool triggers_jobs_snapshot_next(triggers_jobs *jobs, size_t bytes) {
    size_t until = triggers_jobs_records_wait(jobs) + bytes;
    while (jobs->snapshot != NULL && jobs->snapshot->number <= jobs->snapshot_end) {
        if (triggers_jobs_records_wait(jobs) >= until)
            return false;
        triggers_job_emit_added(jobs, jobs->snapshot);
        jobs->snapshot = jobs->snapshot->newer;
    }
    return true;
}
