/* See snapshot_chunk.h. Rows are found by their key in an open-addressed table that is made once
 * the chunk is full. A run that loses rows is written again without them: rare, since few rows
 * change in the moment in which they are read. */
#include "cdc/snapshot_chunk.h"

#include <stdlib.h>

enum { RUNS_MAX = 1024, ROWS_FIRST = 1024, KEYS_MAX_BYTES = 64 << 20 };

typedef struct {
    core_run_writer writer;
    uint32_t rows;
    uint32_t dropped;
} chunk_run;

typedef struct {
    uint64_t hash;
    uint32_t key_at;
    uint32_t key_length;
    uint32_t run;
    uint32_t row;
    bool dropped;
} chunk_row;

struct cdc_snapshot_chunk {
    cdc_snapshot_run_limits limits;
    const core_relation *relation;
    core_slice id;
    const uint16_t *places;
    size_t place_count;

    chunk_run runs[RUNS_MAX]; /* writers keep their buffers from chunk to chunk */
    uint32_t run_count;
    uint32_t runs_ready; /* writers that were initialised */
    chunk_row *rows;
    uint32_t row_count;
    uint32_t row_capacity;
    size_t bytes;
    core_buffer keys;

    uint32_t *slots; /* of a row, plus 1 */
    uint32_t slot_count;

    size_t overtaken; /* of the window's changes */
    bool all_dropped;
    core_buffer again; /* keys, each behind its length */
    uint32_t again_count;
    bool dropped_last; /* what the window's last change overtook was in */
    uint32_t next_run;
    core_run_writer rewriter;
    core_arena arena; /* of a run that is read to be written again */
};

cdc_snapshot_chunk *cdc_snapshot_chunk_new(void) {
    cdc_snapshot_chunk *chunk = calloc(1, sizeof *chunk);
    if (chunk == NULL)
        return NULL;
    core_buffer_init(&chunk->keys, KEYS_MAX_BYTES);
    core_buffer_init(&chunk->again, KEYS_MAX_BYTES);
    core_run_writer_init(&chunk->rewriter, 0);
    core_arena_init(&chunk->arena, (size_t)64 << 10, (size_t)4 << 20);
    return chunk;
}

void cdc_snapshot_chunk_free(cdc_snapshot_chunk *chunk) {
    if (chunk == NULL)
        return;
    for (uint32_t i = 0; i < chunk->runs_ready; i++)
        core_run_writer_fini(&chunk->runs[i].writer);
    core_run_writer_fini(&chunk->rewriter);
    core_buffer_fini(&chunk->keys);
    core_arena_fini(&chunk->arena);
    free(chunk->rows);
    free(chunk->slots);
    core_buffer_fini(&chunk->again);
    free(chunk);
}

/* ---- Filling ---- */

void cdc_snapshot_chunk_begin(cdc_snapshot_chunk *chunk, const cdc_snapshot_run_limits *limits,
                              const core_relation *relation, core_slice id, const uint16_t *places,
                              size_t place_count) {
    for (uint32_t i = 0; i < chunk->run_count; i++)
        core_run_abandon(&chunk->runs[i].writer);
    chunk->limits = *limits;
    chunk->relation = relation;
    chunk->id = id;
    chunk->places = places;
    chunk->place_count = place_count;
    chunk->run_count = chunk->row_count = chunk->next_run = chunk->again_count = 0;
    chunk->bytes = chunk->overtaken = 0;
    chunk->all_dropped = false;
    core_buffer_reset(&chunk->keys);
    core_buffer_reset(&chunk->again);
    chunk->dropped_last = false;
}

size_t cdc_snapshot_chunk_rows(const cdc_snapshot_chunk *chunk) {
    return chunk->row_count;
}

size_t cdc_snapshot_chunk_bytes(const cdc_snapshot_chunk *chunk) {
    return chunk->bytes;
}

static chunk_run *run_at_hand(cdc_snapshot_chunk *chunk) {
    return chunk->run_count > 0 ? &chunk->runs[chunk->run_count - 1] : NULL;
}

static bool run_fits(const cdc_snapshot_chunk *chunk, const chunk_run *run, size_t size) {
    return run->rows < chunk->limits.run_rows &&
           run->writer.body.length + size <= chunk->limits.run_bytes;
}

/* NULL when there are as many as can be. */
static chunk_run *run_open(cdc_snapshot_chunk *chunk) {
    if (chunk->run_count == RUNS_MAX)
        return NULL;
    chunk_run *run = &chunk->runs[chunk->run_count++];
    if (chunk->run_count > chunk->runs_ready) {
        core_run_writer_init(&run->writer, chunk->limits.row_max);
        chunk->runs_ready = chunk->run_count;
    }
    if (run->writer.body.capacity > 2 * chunk->limits.run_bytes ||
        run->writer.body.max_bytes != chunk->limits.row_max) {
        core_run_writer_fini(&run->writer); /* a large row's memory is not kept */
        core_run_writer_init(&run->writer, chunk->limits.row_max);
    }
    run->rows = run->dropped = 0;
    core_run_open(&run->writer, chunk->limits.epoch, CORE_OP_READ, chunk->relation);
    return run;
}

static chunk_row *row_add(cdc_snapshot_chunk *chunk) {
    if (chunk->row_count == chunk->row_capacity) {
        uint32_t capacity = chunk->row_capacity > 0 ? chunk->row_capacity * 2 : ROWS_FIRST;
        chunk_row *rows = reallocarray(chunk->rows, capacity, sizeof *rows);
        if (rows == NULL)
            return NULL;
        chunk->rows = rows;
        chunk->row_capacity = capacity;
    }
    return &chunk->rows[chunk->row_count];
}

/* The row's key, where rows are matched. */
static bool key_keep(cdc_snapshot_chunk *chunk, const core_value *values, chunk_row *row) {
    size_t at = chunk->keys.length;
    if (!cdc_snapshot_key_append(&chunk->keys, values, chunk->places, chunk->place_count) ||
        !core_buffer_ok(&chunk->keys))
        return false;
    row->key_at = (uint32_t)at;
    row->key_length = (uint32_t)(chunk->keys.length - at);
    row->hash = core_slice_hash(core_slice_make(chunk->keys.data + at, row->key_length));
    return true;
}

cdc_row_result cdc_snapshot_chunk_add(cdc_snapshot_chunk *chunk, core_value *values,
                                      core_error *error) {
    const core_change change = {
        .op = CORE_OP_READ,
        .relation = chunk->relation,
        .new_tuple = {.count = chunk->relation->column_count, .values = values},
    };
    core_change placed = change;
    if (chunk->row_count == CDC_SNAPSHOT_CHUNK_ROWS || chunk->bytes > CDC_SNAPSHOT_CHUNK_BYTES)
        return CDC_ROW_NO_ROOM;
    chunk_run *run = run_at_hand(chunk);
    if (run == NULL || !run_fits(chunk, run, core_run_change_size(&change)))
        run = run_open(chunk);
    if (run == NULL)
        return CDC_ROW_NO_ROOM;
    size_t before = run->writer.body.length;
    placed.index = run->rows;
    chunk_row *row = row_add(chunk);
    if (row == NULL || !key_keep(chunk, values, row) || !core_run_append(&run->writer, &placed)) {
        (void)core_error_set(error, CORE_ERROR_LIMIT,
                             "a row takes %zu bytes, cdc.max_row_bytes allows %zu; raise it, here "
                             "and where the stream is read",
                             core_run_change_size(&change), chunk->limits.row_max);
        return CDC_ROW_REFUSED;
    }
    row->run = chunk->run_count - 1;
    row->row = run->rows++;
    row->dropped = false;
    chunk->row_count++;
    chunk->bytes += run->writer.body.length - before;
    return CDC_ROW_ADDED;
}

static bool slots_make(cdc_snapshot_chunk *chunk) {
    uint32_t count = 16;
    while (count < chunk->row_count * 2)
        count *= 2;
    if (count > chunk->slot_count) {
        uint32_t *slots = reallocarray(chunk->slots, count, sizeof *slots);
        if (slots == NULL)
            return false;
        chunk->slots = slots;
        chunk->slot_count = count;
    }
    memset(chunk->slots, 0, chunk->slot_count * sizeof *chunk->slots);
    return true;
}

bool cdc_snapshot_chunk_finish(cdc_snapshot_chunk *chunk) {
    if (chunk->run_count > 0 && run_at_hand(chunk)->rows == 0)
        core_run_abandon(&chunk->runs[--chunk->run_count].writer);
    if (!slots_make(chunk))
        return false;
    for (uint32_t i = 0; chunk->place_count > 0 && i < chunk->row_count; i++) {
        uint32_t slot = (uint32_t)chunk->rows[i].hash & (chunk->slot_count - 1);
        while (chunk->slots[slot] != 0)
            slot = (slot + 1) & (chunk->slot_count - 1);
        chunk->slots[slot] = i + 1;
    }
    return true;
}

/* ---- Overtaken ---- */

static core_slice row_key(const cdc_snapshot_chunk *chunk, const chunk_row *row) {
    return core_slice_make(chunk->keys.data + row->key_at, row->key_length);
}

/* A row of that key that is still in; NULL: none. */
static chunk_row *row_find(cdc_snapshot_chunk *chunk, core_slice key) {
    uint64_t hash = core_slice_hash(key);
    uint32_t slot = (uint32_t)hash & (chunk->slot_count - 1);
    for (; chunk->slots[slot] != 0; slot = (slot + 1) & (chunk->slot_count - 1)) {
        chunk_row *row = &chunk->rows[chunk->slots[slot] - 1];
        if (row->hash == hash && !row->dropped && core_slice_equal(row_key(chunk, row), key))
            return row;
    }
    return NULL;
}

static void again_add(cdc_snapshot_chunk *chunk, core_slice key) {
    core_buffer_u32(&chunk->again, (uint32_t)key.length);
    core_buffer_slice_append(&chunk->again, key);
    chunk->again_count++;
}

static void row_drop(cdc_snapshot_chunk *chunk, chunk_row *row) {
    row->dropped = true;
    chunk->runs[row->run].dropped++;
}

/* A row that moved to another key with values left out is read by itself under the new one. */
static void changed_overtake(cdc_snapshot_chunk *chunk, const cdc_snapshot_window *window,
                             const cdc_snapshot_changed *changed, core_visibility *visibility) {
    core_slice key = core_slice_make(window->keys.data + changed->key_at, changed->key_length);
    bool moved_in = changed->moved && chunk->dropped_last;
    chunk->dropped_last = false;
    if (window->whole_rows && core_visibility_sees(visibility, changed->xid))
        return;
    chunk_row *row = row_find(chunk, key);
    bool in = row != NULL && row->run >= chunk->next_run;
    if (in)
        row_drop(chunk, row);
    if ((in && changed->read_again) || moved_in)
        again_add(chunk, key);
    chunk->dropped_last = in;
}

void cdc_snapshot_chunk_overtake(cdc_snapshot_chunk *chunk, const cdc_snapshot_window *window,
                                 core_visibility *visibility) {
    if (window->truncated && !chunk->all_dropped) {
        chunk->all_dropped = true;
        for (uint32_t i = 0; i < chunk->row_count; i++)
            if (!chunk->rows[i].dropped)
                row_drop(chunk, &chunk->rows[i]);
    }
    for (; chunk->overtaken < window->count; chunk->overtaken++)
        changed_overtake(chunk, window, &window->changed[chunk->overtaken], visibility);
}

size_t cdc_snapshot_chunk_again_count(const cdc_snapshot_chunk *chunk) {
    return chunk->again_count;
}

bool cdc_snapshot_chunk_again(const cdc_snapshot_chunk *chunk, core_arena *arena,
                              core_slice *keys) {
    core_cursor cursor = core_cursor_make(core_buffer_slice(&chunk->again));
    for (uint32_t i = 0; i < chunk->again_count; i++) {
        uint32_t length = core_cursor_u32(&cursor);
        keys[i] = core_arena_copy(arena, core_cursor_bytes(&cursor, length));
        if (keys[i].data == NULL)
            return false;
    }
    return core_cursor_done(&cursor);
}

/* ---- Taking ---- */

static bool run_end(core_run_writer *writer, const cdc_snapshot_chunk *chunk,
                    const core_transaction *transaction, uint64_t after_sequence,
                    core_slice *payload) {
    writer->transaction = *transaction;
    core_run_transaction_end(writer, true);
    if (!core_run_snapshot_put(writer, chunk->id, after_sequence))
        return false;
    *payload = core_run_close(writer);
    return true;
}

/* Rows of one run stand together, in its order. */
static const chunk_row *first_row(const cdc_snapshot_chunk *chunk, uint32_t run) {
    uint32_t low = 0;
    uint32_t high = chunk->row_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (chunk->rows[middle].run < run)
            low = middle + 1;
        else
            high = middle;
    }
    return &chunk->rows[low];
}

/* The run's rows that are still in, into the rewriter. */
static bool run_rewrite(cdc_snapshot_chunk *chunk, core_slice whole, const chunk_row *rows,
                        core_error *error) {
    core_run run;
    core_run_reader reader;
    core_arena_reset(&chunk->arena);
    if (!core_run_decode(whole, &chunk->arena, &run, error) ||
        !core_run_reader_init(&reader, &run, &chunk->arena, error))
        return false;
    core_run_writer_fini(&chunk->rewriter);
    core_run_writer_init(&chunk->rewriter, chunk->limits.row_max);
    core_run_open(&chunk->rewriter, chunk->limits.epoch, CORE_OP_READ, chunk->relation);
    const core_change *change;
    uint32_t kept = 0;
    for (uint32_t i = 0; (change = core_run_next(&reader)) != NULL; i++) {
        core_change copy = *change;
        copy.relation = chunk->relation;
        copy.index = kept;
        if (rows[i].dropped)
            continue;
        if (!core_run_append(&chunk->rewriter, &copy))
            return core_error_set(error, CORE_ERROR_INTERNAL, "a run's rows do not fit again");
        kept++;
    }
    return true;
}

bool cdc_snapshot_chunk_take(cdc_snapshot_chunk *chunk, const core_transaction *transaction,
                             uint64_t after_sequence, core_slice *payload, uint32_t *rows,
                             core_error *error) {
    *payload = core_slice_make(NULL, 0);
    *rows = 0;
    while (chunk->next_run < chunk->run_count) {
        uint32_t at = chunk->next_run++;
        chunk_run *run = &chunk->runs[at];
        *rows = run->rows - run->dropped;
        if (*rows == 0)
            continue;
        bool ok = run_end(&run->writer, chunk, transaction, after_sequence, payload);
        if (ok && run->dropped > 0)
            ok = run_rewrite(chunk, *payload, first_row(chunk, at), error) &&
                 run_end(&chunk->rewriter, chunk, transaction, after_sequence, payload);
        return ok || core_error_set(error, CORE_ERROR_LIMIT,
                                    "a row of a snapshot is larger than cdc.max_row_bytes allows");
    }
    return true;
}
