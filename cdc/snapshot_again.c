/* Rows that are read by their keys: those that a change overtook while they were read, whose own
 * image is not whole, and those that moved to another key (snapshot_moved.h). See
 * snapshot_worker_private.h.
 *
 * Happy path: some keys at once, as a piece of their own; what overtakes that is read again in
 * turn. Failure modes: rows too large for a chunk are asked for fewer at a time; keys that cannot
 * be named in SQL, or that are overtaken again and again, send the whole piece back. */
#include "cdc/snapshot_worker_private.h"

enum { AGAIN_DEPTH = 20 };

/* `keys`: so many times the values of one. */
static cdc_step_result keys_read(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                 cdc_snapshot_reading *reading, const core_slice *keys,
                                 size_t count, core_error *error) {
    worker->cut = false;
    reading->piece = (cdc_snapshot_piece){.filter = work->filter,
                                          .format = cdc_snapshot_format_of(worker),
                                          .only = keys,
                                          .only_count = count};
    return cdc_snapshot_piece_tries(worker, work, &reading->piece, false, error);
}

static cdc_step_result again_unable(size_t count, core_error *error) {
    (void)core_error_set(error, CORE_ERROR_TRANSIENT,
                         "%zu rows changed while they were read; reading again", count);
    return CDC_STEP_AGAIN;
}

/* Those that the chunk says, all their values one behind the other; NULL: they cannot be named in
 * SQL (binary keys), or memory is out. */
static core_slice *again_keys(cdc_snapshot_worker *worker, core_arena *arena, size_t count) {
    size_t length = cdc_snapshot_place_length(&worker->table);
    core_slice *keys = core_arena_array(arena, count, sizeof *keys);
    core_slice *values = core_arena_array(arena, count * length, sizeof *values);
    if (worker->binary || keys == NULL || values == NULL ||
        !cdc_snapshot_chunk_again(worker->chunk, arena, keys))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!cdc_snapshot_key_values(keys[i], &values[i * length], length))
            return NULL;
    return values;
}

static cdc_step_result keys_walk(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                 cdc_snapshot_reading *reading, const core_slice *keys,
                                 size_t count, unsigned tries, core_error *error);

/* Reading rows by their keys can itself be overtaken: so on, a number of times. */
static cdc_step_result again_read(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                  cdc_snapshot_reading *reading, unsigned tries,
                                  core_error *error) {
    size_t count = cdc_snapshot_chunk_again_count(worker->chunk);
    if (count == 0)
        return CDC_STEP_OK;
    const core_slice *keys = tries > 0 ? again_keys(worker, &work->arena, count) : NULL;
    if (keys == NULL)
        return again_unable(count, error);
    return keys_walk(worker, work, reading, keys, count, tries - 1, error);
}

/* Some at a time; where their rows were too large for a chunk, fewer: a single one always fits. */
static cdc_step_result keys_walk(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                 cdc_snapshot_reading *reading, const core_slice *keys,
                                 size_t count, unsigned tries, core_error *error) {
    size_t length = cdc_snapshot_place_length(&worker->table);
    size_t most = CDC_SNAPSHOT_AGAIN_KEYS;
    for (size_t at = 0; at < count;) {
        size_t some = count - at < most ? count - at : most;
        cdc_step_result result = keys_read(worker, work, reading, keys + at * length, some, error);
        if (result == CDC_STEP_OK && worker->cut && some > 1) {
            most = some / 2; /* all of them once more: with a key that is harmless */
            continue;
        }
        if (result == CDC_STEP_OK)
            result = again_read(worker, work, reading, tries, error);
        if (result != CDC_STEP_OK)
            return result;
        at += some;
    }
    return CDC_STEP_OK;
}

cdc_step_result cdc_snapshot_keys_read(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                       cdc_snapshot_reading *reading, core_error *error) {
    return keys_walk(worker, work, reading, work->keys, work->key_count, AGAIN_DEPTH, error);
}

cdc_step_result cdc_snapshot_again_read(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                        cdc_snapshot_reading *reading, core_error *error) {
    return again_read(worker, work, reading, AGAIN_DEPTH, error);
}
