/* See snapshot_moved.h. The table's UPDATEs of the stream are read by an ordered consumer, whose
 * thread fills the list while the caller waits for the last of them. */
#include "cdc/snapshot_moved.h"

#include <pthread.h>
#include <stdlib.h>

#define SCAN_MAGIC UINT32_C(0x6d6f7665)

enum {
    ARENA_CHUNK_BYTES = 4096,
    ARENA_MAX_BYTES = 64 << 20,
    RUN_ARENA_BYTES = 64 << 10,
    WAIT_MS = 30000, /* for the next message */
};

typedef struct {
    uint32_t magic;
    cdc_snapshot_moved *moved;
    const cdc_snapshot_table *table;
    uint64_t end_sequence;
    core_assembly assembly;
    core_arena arena;      /* of the run at hand */
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    uint64_t sequence; /* looked at */
    bool ended;
    bool failed;
    core_error error;
} scan;

void cdc_snapshot_moved_init(cdc_snapshot_moved *moved, uint64_t start_sequence) {
    *moved = (cdc_snapshot_moved){.scanned_sequence = start_sequence};
    core_arena_init(&moved->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
}

void cdc_snapshot_moved_fini(cdc_snapshot_moved *moved) {
    core_arena_fini(&moved->arena);
    free(moved->rows);
    *moved = (cdc_snapshot_moved){0};
}

/* ---- Changes ---- */

/* Where the key's column stands in the run's relation; its columns may be others by now. */
static bool column_find(const core_relation *relation, core_slice name, size_t *column) {
    for (size_t i = 0; i < relation->column_count; i++)
        if (core_slice_equal(relation->columns[i].name, name)) {
            *column = i;
            return true;
        }
    return false;
}

static bool is_whole(const core_tuple *tuple) {
    for (size_t i = 0; i < tuple->count; i++)
        if (tuple->values[i].kind == CORE_VALUE_UNCHANGED)
            return false;
    return true;
}

static cdc_snapshot_moved_row *row_add(cdc_snapshot_moved *moved) {
    if (moved->count == moved->capacity) {
        size_t capacity = moved->capacity > 0 ? moved->capacity * 2 : 64;
        cdc_snapshot_moved_row *rows = capacity <= CDC_SNAPSHOT_MOVED_MAX
                                           ? reallocarray(moved->rows, capacity, sizeof *rows)
                                           : NULL;
        if (rows == NULL)
            return NULL;
        moved->rows = rows;
        moved->capacity = capacity;
    }
    return &moved->rows[moved->count];
}

static bool too_many(core_error *error) {
    return core_error_set(error, CORE_ERROR_LIMIT,
                          "more than %d rows changed their key in mid-snapshot by changes that "
                          "leave values out; start it again when there are fewer, or set REPLICA "
                          "IDENTITY FULL",
                          CDC_SNAPSHOT_MOVED_MAX);
}

/* The key's values in a tuple, copied; NULL in `*key` when it is not told (unchanged). */
static bool key_take(scan *state, const core_change *change, const core_tuple *tuple,
                     core_slice **key, core_error *error) {
    const cdc_snapshot_table *table = state->table;
    core_arena *arena = &state->moved->arena;
    *key = core_arena_array(arena, table->key_count, sizeof **key);
    for (size_t i = 0; *key != NULL && i < table->key_count; i++) {
        size_t column;
        core_slice name = table->relation.columns[table->key[i]].name;
        bool told = column_find(change->relation, name, &column) && column < tuple->count &&
                    tuple->values[column].kind != CORE_VALUE_UNCHANGED;
        if (!told) {
            *key = NULL;
            return true;
        }
        if (tuple->values[column].kind == CORE_VALUE_BINARY)
            return core_error_set(error, CORE_ERROR_CONFIG,
                                  "a row changed its key in mid-snapshot by a change that leaves "
                                  "values out, and with postgres.binary it cannot be asked for; "
                                  "set REPLICA IDENTITY FULL or cdc.toast: read");
        (*key)[i] = core_arena_copy(arena, tuple->values[column].bytes);
        if ((*key)[i].data == NULL)
            return too_many(error);
    }
    return *key != NULL || too_many(error);
}

static bool is_listed(const scan *state, const core_slice *key) {
    const cdc_snapshot_moved *moved = state->moved;
    for (size_t i = 0; i < moved->count; i++) {
        size_t equal = 0;
        while (equal < state->table->key_count &&
               core_slice_equal(moved->rows[i].key[equal], key[equal]))
            equal++;
        if (equal == state->table->key_count)
            return true;
    }
    return false;
}

/* The new key, when the old one was another and the image is not whole. */
static bool change_take(scan *state, const core_change *change, core_error *error) {
    const cdc_snapshot_table *table = state->table;
    cdc_snapshot_moved *moved = state->moved;
    core_slice *old_key;
    core_slice *key;
    if (change->old_kind == CORE_OLD_NONE || is_whole(&change->new_tuple))
        return true;
    if (!key_take(state, change, &change->old_tuple, &old_key, error) ||
        !key_take(state, change, &change->new_tuple, &key, error))
        return false;
    if (key == NULL || (moved->follows && (old_key == NULL || !is_listed(state, old_key))))
        return true;
    cdc_snapshot_moved_row *row = row_add(moved);
    if (row == NULL)
        return too_many(error);
    *row =
        (cdc_snapshot_moved_row){.schema = core_arena_copy(&moved->arena, table->relation.schema),
                                 .table = core_arena_copy(&moved->arena, table->relation.table),
                                 .key = key,
                                 .key_count = table->key_count};
    moved->count++;
    return (row->schema.data != NULL && row->table.data != NULL) || too_many(error);
}

static bool message_take(scan *state, const fanout_message *message, core_error *error) {
    core_slice whole;
    core_run run;
    core_run_reader reader;
    switch (
        core_assembly_feed(&state->assembly, message->payload, message->sequence, &whole, error)) {
    case CORE_ASSEMBLY_MORE:
        return true;
    case CORE_ASSEMBLY_REFUSED:
        return false;
    case CORE_ASSEMBLY_WHOLE:
        break;
    }
    core_arena_reset(&state->arena);
    if (!core_run_decode(whole, &state->arena, &run, error) ||
        !core_run_reader_init(&reader, &run, &state->arena, error))
        return false;
    const core_change *change;
    while ((change = core_run_next(&reader)) != NULL)
        if (!change_take(state, change, error))
            return false;
    return true;
}

/* ---- The consumer's thread ---- */

static void scan_on_message(void *context, const fanout_message *message) {
    scan *state = context;
    core_error error = {0};
    CORE_MAGIC_CHECK(state, SCAN_MAGIC);
    if (state->ended)
        return;
    bool ok = message->sequence > state->end_sequence || message_take(state, message, &error);
    (void)pthread_mutex_lock(&state->mutex);
    state->sequence = message->sequence;
    state->ended = !ok || message->sequence >= state->end_sequence;
    state->failed = !ok;
    state->error = error;
    (void)pthread_cond_broadcast(&state->changed);
    (void)pthread_mutex_unlock(&state->mutex);
}

static void scan_on_lost(void *context, const core_error *reason) {
    scan *state = context;
    CORE_MAGIC_CHECK(state, SCAN_MAGIC);
    (void)pthread_mutex_lock(&state->mutex);
    state->ended = state->failed = true;
    state->error = *reason;
    state->error.code = CORE_ERROR_TRANSIENT;
    (void)pthread_cond_broadcast(&state->changed);
    (void)pthread_mutex_unlock(&state->mutex);
}

/* ---- The caller's ---- */

static bool scan_wait(scan *state, core_error *error) {
    uint64_t seen = 0;
    (void)pthread_mutex_lock(&state->mutex);
    while (!state->ended) {
        seen = state->sequence;
        if (!core_condition_wait(&state->changed, &state->mutex, WAIT_MS) &&
            state->sequence == seen)
            break;
    }
    bool ok = state->ended && !state->failed;
    if (state->failed)
        *error = state->error;
    else if (!state->ended)
        (void)core_error_set(error, CORE_ERROR_TRANSIENT, "the stream's changes do not come");
    (void)pthread_mutex_unlock(&state->mutex);
    return ok;
}

static bool updates_subject(const core_config *config, const cdc_snapshot_table *table,
                            char subject[CORE_SUBJECT_MAX], core_error *error) {
    const core_subject_scope scope = core_subject_scope_of(config);
    return core_subject_change(&scope, table->relation.schema, table->relation.table,
                               CORE_OP_UPDATE, subject) ||
           core_error_set(error, CORE_ERROR_LIMIT, "the table's subject is too long");
}

static bool scan_run(scan *state, fanout_connection *connection, const fanout_ordered_spec *spec,
                     core_log *log, size_t row_max, core_error *error) {
    core_assembly_init(&state->assembly, row_max);
    core_arena_init(&state->arena, RUN_ARENA_BYTES,
                    row_max * (CORE_EVENT_JSON_ARENA_FACTOR + 1) + RUN_ARENA_BYTES);
    (void)pthread_mutex_init(&state->mutex, NULL);
    core_condition_init(&state->changed);
    fanout_ordered *consumer = fanout_ordered_new(connection, spec, log, error);
    bool ok = consumer != NULL && scan_wait(state, error);
    fanout_ordered_free(consumer);
    (void)pthread_cond_destroy(&state->changed);
    (void)pthread_mutex_destroy(&state->mutex);
    core_arena_fini(&state->arena);
    core_assembly_fini(&state->assembly);
    return ok;
}

bool cdc_snapshot_moved_scan(cdc_snapshot_moved *moved, fanout_connection *connection,
                             const core_config *config, core_log *log,
                             const cdc_snapshot_table *table, uint64_t until_sequence,
                             core_error *error) {
    char subject[CORE_SUBJECT_MAX];
    const char *stream = core_config_text(config, "nats.stream");
    scan state = {.magic = SCAN_MAGIC, .moved = moved, .table = table};
    if (table->rows != CDC_ROWS_KEYED)
        return true;
    if (!updates_subject(config, table, subject, error) ||
        !fanout_stream_subject_end(connection, stream, subject, &state.end_sequence, error))
        return false;
    if (state.end_sequence > until_sequence)
        state.end_sequence = until_sequence;
    if (state.end_sequence <= moved->scanned_sequence)
        return true;
    const fanout_ordered_spec spec = {.stream = stream,
                                      .filter = subject,
                                      .from = FANOUT_FROM_SEQUENCE,
                                      .sequence = moved->scanned_sequence + 1,
                                      .on_message = scan_on_message,
                                      .on_lost = scan_on_lost,
                                      .context = &state};
    return scan_run(&state, connection, &spec, log,
                    (size_t)core_config_integer(config, "cdc.max_row_bytes"), error);
}
