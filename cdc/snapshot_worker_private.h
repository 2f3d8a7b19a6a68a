/* A worker's inside, shared by snapshot_worker.c (its thread and what it reports),
 * snapshot_read.c (reading one piece) and snapshot_again.c (rows by their keys). */
#ifndef WALCAST_CDC_SNAPSHOT_WORKER_PRIVATE_H
#define WALCAST_CDC_SNAPSHOT_WORKER_PRIVATE_H

#include "cdc/snapshot_predecessor.h"
#include "cdc/snapshot_worker.h"
#include "cdc/table_pattern.h"

#include <pthread.h>

enum {
    CDC_SNAPSHOT_ROWS_MIN = 10,
    CDC_SNAPSHOT_ROWS_FIRST = 1000,
    CDC_SNAPSHOT_BLOCKS_FIRST = 64,
    CDC_SNAPSHOT_BLOCKS_MAX = 8192,
    CDC_SNAPSHOT_AGAIN_KEYS = 256, /* read again at once */
};

struct cdc_snapshot_worker {
    uint32_t magic;
    const core_config *config;
    core_log *log;
    cdc_snapshot_gate *gate;
    cdc_snapshot_jobs *jobs;
    cdc_snapshot_ticket *ticket;
    size_t at;
    int cancel_fd;
    pthread_t thread;
    cdc_snapshot_scope scope;
    char inserts_publication[CDC_NAME_MAX];
    bool binary; /* values go out in it */

    pg_connection *connection;
    uint64_t connection_session; /* in which its snapshot was imported */
    cdc_snapshot_predecessor predecessor;
    cdc_snapshot_table table;
    bool has_table;
    bool described_anew;    /* while a piece was read */
    core_buffer encoded;    /* the relation, as runs must have it */
    core_relation relation; /* the same, for the writer */
    uint64_t piece_bytes;   /* what a piece should come to */
    uint64_t aim_bytes;     /* the same, or less while changes flow: limits are for it */
    uint64_t limit_rows;
    uint64_t limit_blocks;

    cdc_snapshot_chunk *chunk;
    core_buffer sql;
    core_buffer last_key; /* of the last row read, in cdc_snapshot_key_append's form */
    core_buffer last;     /* its place */
    core_buffer texts;    /* of the row at hand */
    bool cut;             /* the piece ended before its limit: full, or changes flow */
    core_value values[CORE_COLUMNS_MAX + CDC_SNAPSHOT_KEY_MAX];
    uint16_t places[CORE_COLUMNS_MAX];
};

/* What one step of a piece came to. */
typedef enum {
    CDC_STEP_OK,
    CDC_STEP_AGAIN,
    CDC_STEP_ABORTED,
    CDC_STEP_RESTART,
    CDC_STEP_BROKEN
} cdc_step_result;

/* A piece being read: what is asked for. */
typedef struct {
    core_slice after[CDC_SNAPSHOT_KEY_MAX];
    core_slice up_to[CDC_SNAPSHOT_KEY_MAX];
    cdc_snapshot_piece piece;
    char block[32]; /* of tables without a key: where the piece ends */
    bool is_end;    /* with it the range ends, unless it is cut */
} cdc_snapshot_reading;

/* snapshot_read.c. A connection for the session, with its snapshot when it is the initial one. */
CORE_MUST_CHECK bool cdc_snapshot_connection_open(cdc_snapshot_worker *worker,
                                                  const cdc_snapshot_session *session,
                                                  core_error *error);
void cdc_snapshot_connection_drop(cdc_snapshot_worker *worker);
/* What is to be read next of the range. */
CORE_MUST_CHECK bool cdc_snapshot_reading_make(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                               cdc_snapshot_reading *reading, core_error *error);
/* Reads it until it is in the stream (OK) or cannot be. */
CORE_MUST_CHECK cdc_step_result cdc_snapshot_piece_read(cdc_snapshot_worker *worker,
                                                        cdc_snapshot_work *work,
                                                        cdc_snapshot_reading *reading,
                                                        core_error *error);
/* One piece, until it is in the stream (OK) or cannot be; `keep_place`: of a range. */
CORE_MUST_CHECK cdc_step_result cdc_snapshot_piece_tries(cdc_snapshot_worker *worker,
                                                         cdc_snapshot_work *work,
                                                         const cdc_snapshot_piece *piece,
                                                         bool keep_place, core_error *error);
/* How the table's rows are asked for. */
cdc_snapshot_format cdc_snapshot_format_of(const cdc_snapshot_worker *worker);
/* A key in the form of cdc_snapshot_key_append as values. */
CORE_MUST_CHECK bool cdc_snapshot_key_values(core_slice key, core_slice *values, size_t count);

/* snapshot_again.c. The rows of work->keys. */
CORE_MUST_CHECK cdc_step_result cdc_snapshot_keys_read(cdc_snapshot_worker *worker,
                                                       cdc_snapshot_work *work,
                                                       cdc_snapshot_reading *reading,
                                                       core_error *error);
/* Rows that a change overtook whose own image is not whole. */
CORE_MUST_CHECK cdc_step_result cdc_snapshot_again_read(cdc_snapshot_worker *worker,
                                                        cdc_snapshot_work *work,
                                                        cdc_snapshot_reading *reading,
                                                        core_error *error);

#endif
