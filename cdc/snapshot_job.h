/* One snapshot in this process: its record in memory, with how far each range is. Owned by whoever
 * holds the jobs' mutex (snapshot_jobs.h). */
#ifndef WALCAST_CDC_SNAPSHOT_JOB_H
#define WALCAST_CDC_SNAPSHOT_JOB_H

#include "cdc/message_stage.h"
#include "cdc/snapshot_moved.h"
#include "cdc/snapshot_plan.h"
#include "fanout/fanout.h"

typedef struct {
    core_buffer last; /* a place; empty: none yet */
    int64_t not_before_ms;
    bool taken;
} cdc_snapshot_step;

typedef struct {
    core_arena arena;
    core_snapshot record;     /* texts and ranges live in the arena, but for `last` and `error` */
    cdc_snapshot_step *steps; /* one a range */
    char error[CORE_ERROR_TEXT_MAX];
    uint64_t revision; /* of the key that it was read from or stored at */
    size_t taken;
    int64_t rate_at_ms; /* by rate_bytes nothing is read before */
    bool planned;
    bool checked;  /* what the record says of a table without a key is all that was sent */
    bool restarts; /* as soon as nobody reads for it */
    bool looking;  /* the list of moved rows is being added to */
    bool changed;  /* since it was stored */
    int64_t stored_at_ms;
    /* When every range is done: rows to be read by themselves (snapshot_finish.c). */
    bool finishing;
    cdc_snapshot_moved moved;
    size_t moved_done;
    size_t moved_given; /* 0, or how many behind `moved_done` are being read */
    int64_t moved_not_before_ms;
    /* Of an addressed one. */
    fanout_publisher *publisher;
    bool publisher_open;
    uint64_t sent_sequence;
    uint64_t acked_sequence;
    cdc_message_stage *stage;
    char database[256];
} cdc_snapshot_job;

/* From a record's JSON. NULL with INPUT when it is none. */
CORE_MUST_CHECK cdc_snapshot_job *cdc_snapshot_job_read(core_slice json, uint64_t revision,
                                                        core_error *error);
void cdc_snapshot_job_free(cdc_snapshot_job *job);
/* Copies the plan; how far an earlier one was is forgotten. False when memory is out. */
CORE_MUST_CHECK bool cdc_snapshot_job_plan(cdc_snapshot_job *job, const cdc_snapshot_plan *plan);
/* Forgets the ranges: they are planned anew. */
void cdc_snapshot_job_unplan(cdc_snapshot_job *job);
/* Appends the record's JSON as things stand. */
void cdc_snapshot_job_write(cdc_snapshot_job *job, core_buffer *out);
/* A range that nobody reads and that may be read now; SIZE_MAX: none. */
size_t cdc_snapshot_job_range(const cdc_snapshot_job *job, int64_t now_ms);
bool cdc_snapshot_job_is_whole(const cdc_snapshot_job *job);
/* Sets state, times and text. */
void cdc_snapshot_job_move(cdc_snapshot_job *job, core_snapshot_state state, const char *error);

#endif
