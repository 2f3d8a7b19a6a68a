/* See snapshot_job.h. */
#include "cdc/snapshot_job.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ARENA_CHUNK_BYTES = 4096,
    ARENA_MAX_BYTES = 16 << 20,
    PLACE_MAX_BYTES = 64 << 10,
};

static bool steps_make(cdc_snapshot_job *job) {
    size_t count = job->record.range_count;
    job->steps = calloc(count > 0 ? count : 1, sizeof *job->steps);
    if (job->steps == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        core_buffer_init(&job->steps[i].last, PLACE_MAX_BYTES);
        core_buffer_slice_append(&job->steps[i].last, job->record.ranges[i].last);
    }
    return true;
}

static void steps_free(cdc_snapshot_job *job) {
    for (size_t i = 0; job->steps != NULL && i < job->record.range_count; i++)
        core_buffer_fini(&job->steps[i].last);
    free(job->steps);
    job->steps = NULL;
}

cdc_snapshot_job *cdc_snapshot_job_read(core_slice json, uint64_t revision, core_error *error) {
    cdc_snapshot_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a snapshot");
        return NULL;
    }
    core_arena_init(&job->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    job->revision = revision;
    if (core_snapshot_decode(json, &job->arena, &job->record, error) && steps_make(job)) {
        job->planned = job->record.range_count > 0;
        (void)snprintf(job->error, sizeof job->error, "%.*s", CORE_SLICE_ARGS(job->record.error));
        return job;
    }
    cdc_snapshot_job_free(job);
    return NULL;
}

void cdc_snapshot_job_free(cdc_snapshot_job *job) {
    if (job == NULL)
        return;
    steps_free(job);
    cdc_snapshot_moved_fini(&job->moved);
    fanout_publisher_free(job->publisher);
    cdc_message_stage_free(job->stage);
    core_arena_fini(&job->arena);
    free(job);
}

static bool range_copy(core_arena *arena, const core_snapshot_range *from,
                       core_snapshot_range *to) {
    *to = (core_snapshot_range){.schema = core_arena_copy(arena, from->schema),
                                .table = core_arena_copy(arena, from->table)};
    if (from->key.length > 0)
        to->key = core_arena_copy(arena, from->key);
    if (from->after.length > 0)
        to->after = core_arena_copy(arena, from->after);
    if (from->up_to.length > 0)
        to->up_to = core_arena_copy(arena, from->up_to);
    return to->schema.data != NULL && to->table.data != NULL &&
           to->key.length == from->key.length && to->after.length == from->after.length &&
           to->up_to.length == from->up_to.length;
}

bool cdc_snapshot_job_plan(cdc_snapshot_job *job, const cdc_snapshot_plan *plan) {
    core_snapshot_range *ranges =
        core_arena_array(&job->arena, plan->count > 0 ? plan->count : 1, sizeof *ranges);
    bool ok = ranges != NULL;
    for (size_t i = 0; ok && i < plan->count; i++)
        ok = range_copy(&job->arena, &plan->ranges[i], &ranges[i]);
    steps_free(job);
    job->record.ranges = ranges;
    job->record.range_count = ok ? plan->count : 0;
    job->record.expected_rows = plan->expected_rows;
    job->planned = ok && steps_make(job);
    job->changed = true;
    return job->planned;
}

void cdc_snapshot_job_unplan(cdc_snapshot_job *job) {
    steps_free(job);
    cdc_snapshot_moved_fini(&job->moved);
    job->finishing = false;
    job->record.ranges = NULL;
    job->record.range_count = 0;
    job->record.rows = job->record.bytes = job->record.chunks = 0;
    job->moved_done = job->moved_given = 0;
    job->planned = job->checked = job->restarts = false;
    job->changed = true;
}

void cdc_snapshot_job_write(cdc_snapshot_job *job, core_buffer *out) {
    job->record.error = core_slice_text(job->error);
    job->record.updated_us = core_clock_wall_us(core_clock_system());
    for (size_t i = 0; i < job->record.range_count; i++)
        job->record.ranges[i].last = core_buffer_slice(&job->steps[i].last);
    core_snapshot_encode(&job->record, out);
}

size_t cdc_snapshot_job_range(const cdc_snapshot_job *job, int64_t now_ms) {
    if (job->rate_at_ms > now_ms)
        return SIZE_MAX;
    for (size_t i = 0; i < job->record.range_count; i++)
        if (!job->record.ranges[i].done && !job->steps[i].taken &&
            job->steps[i].not_before_ms <= now_ms)
            return i;
    return SIZE_MAX;
}

bool cdc_snapshot_job_is_whole(const cdc_snapshot_job *job) {
    for (size_t i = 0; i < job->record.range_count; i++)
        if (!job->record.ranges[i].done)
            return false;
    return job->planned && job->taken == 0;
}

void cdc_snapshot_job_move(cdc_snapshot_job *job, core_snapshot_state state, const char *error) {
    int64_t now_us = core_clock_wall_us(core_clock_system());
    job->record.state = state;
    (void)snprintf(job->error, sizeof job->error, "%s", error);
    if (state == CORE_SNAPSHOT_RUNNING && job->record.started_us == 0)
        job->record.started_us = now_us;
    job->record.finished_us = core_snapshot_is_over(&job->record) ? now_us : 0;
    job->changed = true;
}
