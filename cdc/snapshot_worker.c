/* See snapshot_worker.h. Takes a piece of work, has it read (snapshot_read.c), reports how far its
 * range is; a statement that the server refuses for good fails the snapshot, what may heal is told
 * and tried again. */
#include "cdc/publication.h"
#include "cdc/snapshot_worker_private.h"

#include <stdlib.h>

#define WORKER_MAGIC UINT32_C(0x736e6170)

enum {
    SQL_MAX_BYTES = 4 << 20,
    TEXTS_SLACK_BYTES = 1 << 20, /* a row's room is measured a little large */
};

/* ---- A piece of work ---- */

/* The next piece should come to what is aimed at. */
static void limits_adapt(cdc_snapshot_worker *worker) {
    uint64_t rows = cdc_snapshot_chunk_rows(worker->chunk);
    uint64_t bytes = cdc_snapshot_chunk_bytes(worker->chunk);
    if (rows == 0)
        return;
    uint64_t fit = worker->aim_bytes / (bytes / rows + 1);
    worker->limit_rows = fit < CDC_SNAPSHOT_ROWS_MIN     ? CDC_SNAPSHOT_ROWS_MIN
                         : fit > CDC_SNAPSHOT_CHUNK_ROWS ? CDC_SNAPSHOT_CHUNK_ROWS
                                                         : fit;
    if (bytes > 2 * worker->aim_bytes || worker->cut)
        worker->limit_blocks = worker->limit_blocks > 1 ? worker->limit_blocks / 2 : 1;
    else if (bytes < worker->aim_bytes / 2 && worker->limit_blocks < CDC_SNAPSHOT_BLOCKS_MAX)
        worker->limit_blocks *= 2;
}

static cdc_piece_result result_of(cdc_snapshot_worker *worker, cdc_step_result step,
                                  const core_error *error) {
    if (step == CDC_STEP_ABORTED)
        return CDC_PIECE_ABORTED;
    if (step == CDC_STEP_RESTART)
        return CDC_PIECE_RESTART;
    bool heals = step == CDC_STEP_AGAIN || error->code == CORE_ERROR_TRANSIENT;
    if (!heals)
        worker->has_table = false;
    return heals ? CDC_PIECE_RETRY : CDC_PIECE_FAILED;
}

/* Where the range stands now: at the last row, or where the blocks that were read end. */
static core_slice progress_of(cdc_snapshot_worker *worker, const cdc_snapshot_reading *reading) {
    bool by_rows = worker->table.rows == CDC_ROWS_KEYED || worker->cut;
    if (!by_rows && reading->piece.up_to != NULL) {
        core_buffer_reset(&worker->last);
        core_snapshot_place_write(&worker->last, reading->piece.up_to, 1);
    }
    return core_buffer_slice(&worker->last);
}

static void work_do(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                    cdc_snapshot_reading *reading) {
    core_error error = {0};
    cdc_step_result step = CDC_STEP_BROKEN;
    cdc_snapshot_report report = {0};
    worker->described_anew = false;
    bool ok = cdc_snapshot_connection_open(worker, &work->session, &error);
    if (ok && cdc_snapshot_reading_make(worker, work, reading, &error))
        step = cdc_snapshot_piece_read(worker, work, reading, &error);
    else if (ok && error.code == CORE_ERROR_TRANSIENT)
        cdc_snapshot_connection_drop(worker); /* its transaction, or a query, may hang over */
    if (step == CDC_STEP_OK) {
        /* Of keys the chunk holds the last few. */
        uint64_t rows =
            work->key_count > 0 ? work->key_count : cdc_snapshot_chunk_rows(worker->chunk);
        bool keyed = worker->table.rows == CDC_ROWS_KEYED;
        report.rows = rows;
        report.sequence = worker->ticket->last_sequence;
        report.bytes = cdc_snapshot_chunk_bytes(worker->chunk);
        report.is_end = work->key_count == 0 && !worker->cut &&
                        (keyed ? rows < reading->piece.limit : reading->is_end);
        if (work->key_count == 0) {
            report.last = progress_of(worker, reading);
            limits_adapt(worker);
        }
        step = cdc_snapshot_again_read(worker, work, reading, &error);
    }
    report.result = step == CDC_STEP_OK ? CDC_PIECE_DONE : result_of(worker, step, &error);
    report.error = &error;
    cdc_snapshot_jobs_report(worker->jobs, work, &report);
}

static void *worker_thread(void *context) {
    cdc_snapshot_worker *worker = context;
    CORE_MAGIC_CHECK(worker, WORKER_MAGIC);
    (void)pthread_setname_np(pthread_self(), "cdc-read");
    cdc_snapshot_reading *reading = calloc(1, sizeof *reading);
    cdc_snapshot_work work;
    while (reading != NULL && cdc_snapshot_jobs_take(worker->jobs, &work))
        work_do(worker, &work, reading);
    free(reading);
    cdc_snapshot_connection_drop(worker);
    return NULL;
}

/* ---- Life ---- */

static void worker_free(cdc_snapshot_worker *worker) {
    cdc_snapshot_table_fini(&worker->table);
    cdc_snapshot_chunk_free(worker->chunk);
    core_buffer_fini(&worker->encoded);
    core_buffer_fini(&worker->sql);
    core_buffer_fini(&worker->last_key);
    core_buffer_fini(&worker->last);
    core_buffer_fini(&worker->texts);
    worker->magic = 0;
    free(worker);
}

cdc_snapshot_worker *cdc_snapshot_worker_new(const core_config *config, core_log *log,
                                             cdc_snapshot_gate *gate, cdc_snapshot_jobs *jobs,
                                             size_t at, int cancel_fd, core_error *error) {
    cdc_snapshot_worker *worker = calloc(1, sizeof *worker);
    cdc_snapshot_chunk *chunk = worker != NULL ? cdc_snapshot_chunk_new() : NULL;
    if (chunk == NULL) {
        free(worker);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for snapshots");
        return NULL;
    }
    worker->magic = WORKER_MAGIC;
    worker->config = config;
    worker->log = log;
    worker->gate = gate;
    worker->jobs = jobs;
    worker->ticket = cdc_snapshot_gate_ticket(gate, at);
    worker->at = at;
    worker->cancel_fd = cancel_fd;
    worker->chunk = chunk;
    worker->piece_bytes = (uint64_t)core_config_integer(config, "snapshot.piece_bytes");
    worker->aim_bytes = worker->piece_bytes;
    worker->binary = core_config_bool(config, "postgres.binary");
    worker->scope.publication = core_config_text(config, "postgres.publication");
    cdc_publication_inserts_name(worker->scope.publication, worker->inserts_publication);
    worker->scope.inserts_publication = worker->inserts_publication;
    core_buffer_init(&worker->encoded, (size_t)1 << 20);
    core_buffer_init(&worker->sql, SQL_MAX_BYTES);
    core_buffer_init(&worker->last_key, (size_t)32 << 10);
    core_buffer_init(&worker->last, (size_t)64 << 10);
    core_buffer_init(&worker->texts,
                     (size_t)core_config_integer(config, "cdc.max_row_bytes") + TEXTS_SLACK_BYTES);
    if (pthread_create(&worker->thread, NULL, worker_thread, worker) == 0)
        return worker;
    worker_free(worker);
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "no thread for snapshots");
    return NULL;
}

void cdc_snapshot_worker_free(cdc_snapshot_worker *worker) {
    if (worker == NULL)
        return;
    (void)pthread_join(worker->thread, NULL);
    worker_free(worker);
}
