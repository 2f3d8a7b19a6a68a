/* The snapshots that are under way in this process: what the key-value records ask for, parted into
 * ranges that workers read piece by piece.
 *
 * One thread looks at the records, plans and stores; workers take a range's next piece and report
 * what became of it. Everything under one mutex, held for moments; a piece takes tens of
 * milliseconds. Works only while the source has a session: a standby leaves the records alone. */
#ifndef WALCAST_CDC_SNAPSHOT_JOBS_H
#define WALCAST_CDC_SNAPSHOT_JOBS_H

#include "cdc/snapshot_gate.h"
#include "fanout/fanout.h"

#define CDC_SNAPSHOT_JOBS_MAX 8192

typedef struct cdc_snapshot_jobs cdc_snapshot_jobs;

CORE_MUST_CHECK cdc_snapshot_jobs *cdc_snapshot_jobs_new(const core_config *config, core_log *log,
                                                         core_metrics *metrics,
                                                         cdc_snapshot_gate *gate,
                                                         core_error *error);
/* Workers must have ended. */
void cdc_snapshot_jobs_free(cdc_snapshot_jobs *jobs);

/* The thread that keeps the records, until stopped. */
void cdc_snapshot_jobs_run(cdc_snapshot_jobs *jobs);
void cdc_snapshot_jobs_stop(cdc_snapshot_jobs *jobs);

/* A piece to read. Texts live until it is reported. */
typedef struct {
    cdc_snapshot_session session;
    void *job;
    size_t range;
    core_slice id;
    core_slice schema;
    core_slice table;
    core_slice after; /* a place, or empty */
    core_slice up_to;
    core_slice range_key; /* core_snapshot_range.key: what its places are made of */
    core_slice filter;
    core_slice low;
    uint64_t start_sequence;
    bool addressed;
    bool yields;            /* little at a time: changes flow */
    int64_t read_ms;        /* how long the database was read */
    const core_slice *keys; /* just these rows, each key's values; NULL: the range's next */
    size_t key_count;
    core_arena arena; /* where all this lives */
} cdc_snapshot_work;

/* Where changes flow the work is done gently from here on. */
void cdc_snapshot_jobs_yield(const cdc_snapshot_jobs *jobs, cdc_snapshot_work *work);
/* Waits for the next piece. False: the process stops. */
CORE_MUST_CHECK bool cdc_snapshot_jobs_take(cdc_snapshot_jobs *jobs, cdc_snapshot_work *work);

typedef enum {
    CDC_PIECE_DONE,    /* rows up to `last` are in the stream */
    CDC_PIECE_RETRY,   /* later: `error` says what is waited for */
    CDC_PIECE_FAILED,  /* needs a person: the snapshot stops with `error` */
    CDC_PIECE_ABORTED, /* the stream broke; nothing is known to be wrong with the table */
    CDC_PIECE_RESTART, /* of a table without a key a part was sent: it begins anew */
} cdc_piece_result;

typedef struct {
    cdc_piece_result result;
    core_slice last; /* a place; empty: as before */
    bool is_end;     /* of the range */
    uint64_t rows;
    uint64_t bytes;
    uint64_t sequence; /* of the stream: its last message; 0: none */
    const core_error *error;
} cdc_snapshot_report;

/* Ends the piece and frees what `work` holds. */
void cdc_snapshot_jobs_report(cdc_snapshot_jobs *jobs, cdc_snapshot_work *work,
                              const cdc_snapshot_report *report);
/* Hands a run of an addressed piece to the broker: as it is, in parts, or as JSON. */
CORE_MUST_CHECK bool cdc_snapshot_jobs_publish(cdc_snapshot_jobs *jobs,
                                               const cdc_snapshot_work *work, core_slice payload,
                                               uint32_t rows, core_error *error);
/* Waits until all that was handed over is stored. */
CORE_MUST_CHECK bool cdc_snapshot_jobs_published(const cdc_snapshot_work *work, core_error *error);

#endif
