/* A piece of a table, read at one moment and made into runs that wait for their place in the
 * stream.
 *
 * Filled by a worker, row by row, each copied once into the run it will be sent in; then handed to
 * the source's thread, which drops the rows that the live stream has overtaken and takes the runs
 * one by one. Bounded in rows and bytes. Owned by one thread at a time. */
#ifndef WALCAST_CDC_SNAPSHOT_CHUNK_H
#define WALCAST_CDC_SNAPSHOT_CHUNK_H

#include "cdc/snapshot_window.h"

#define CDC_SNAPSHOT_CHUNK_ROWS  32768
#define CDC_SNAPSHOT_CHUNK_BYTES ((size_t)16 << 20) /* a row may go beyond it, none after */

typedef struct {
    const char *epoch;
    uint32_t run_rows;
    size_t run_bytes;
    size_t row_max;
    size_t message_max; /* a run that is larger goes out in parts */
} cdc_snapshot_run_limits;

typedef struct cdc_snapshot_chunk cdc_snapshot_chunk;

/* NULL when memory is out. */
CORE_MUST_CHECK cdc_snapshot_chunk *cdc_snapshot_chunk_new(void);
void cdc_snapshot_chunk_free(cdc_snapshot_chunk *chunk);

/* Empties it. `relation` (encoded, with its version) and `id` must outlive what follows. `places`:
 * where the columns stand by which rows are matched; none: they never are. */
void cdc_snapshot_chunk_begin(cdc_snapshot_chunk *chunk, const cdc_snapshot_run_limits *limits,
                              const core_relation *relation, core_slice id, const uint16_t *places,
                              size_t place_count);

typedef enum { CDC_ROW_ADDED, CDC_ROW_NO_ROOM, CDC_ROW_REFUSED } cdc_row_result;
/* Values are copied. NO_ROOM: the chunk is full, nothing was taken. REFUSED: LIMIT, the row is
 * larger than row_max; INTERNAL, out of memory. */
CORE_MUST_CHECK cdc_row_result cdc_snapshot_chunk_add(cdc_snapshot_chunk *chunk, core_value *values,
                                                      core_error *error);
/* After the last row. False when memory is out. */
CORE_MUST_CHECK bool cdc_snapshot_chunk_finish(cdc_snapshot_chunk *chunk);
size_t cdc_snapshot_chunk_rows(const cdc_snapshot_chunk *chunk);
size_t cdc_snapshot_chunk_bytes(const cdc_snapshot_chunk *chunk);

/* Drops the rows of the changes that the window has noted since it was asked last, and of all runs
 * not taken yet. `visibility`: of the chunk's rows; whole rows are only matched by changes that it
 * does not see. */
void cdc_snapshot_chunk_overtake(cdc_snapshot_chunk *chunk, const cdc_snapshot_window *window,
                                 core_visibility *visibility);
/* The next run's payload with `transaction` as every row's, valid until the next call; `*rows` 0
 * and an empty payload behind the last. False: it does not fit its buffer (LIMIT). */
CORE_MUST_CHECK bool cdc_snapshot_chunk_take(cdc_snapshot_chunk *chunk,
                                             const core_transaction *transaction,
                                             uint64_t after_sequence, core_slice *payload,
                                             uint32_t *rows, core_error *error);
/* Keys (cdc_snapshot_key_append's form) whose rows were dropped and must be read again. */
size_t cdc_snapshot_chunk_again_count(const cdc_snapshot_chunk *chunk);
/* Copies all of them; false when memory is out. */
CORE_MUST_CHECK bool cdc_snapshot_chunk_again(const cdc_snapshot_chunk *chunk, core_arena *arena,
                                              core_slice *keys);

#endif
