/* Reads a piece of a table; see snapshot_worker_private.h.
 *
 * Happy path: ask for its window; in one REPEATABLE READ transaction take the snapshot's text and
 * the WAL position behind everything that it sees, see that the table is as described, and COPY the
 * rows into runs; submit. Failure modes: a table that changed its shape is described anew and the
 * piece read again; a missing table, column or privilege, and a lost connection, are the server's
 * words for the caller. */
#include "cdc/copy_row.h"
#include "cdc/snapshot_moment.h"
#include "cdc/snapshot_worker_private.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum {
    AGAIN_WAIT_MS = 20, /* less at first: a commit that was just told is about to be seen */
    AGAIN_TRIES = 100,  /* then it is reported, and tried again */
    GUESSED_ROW_BYTES = 4096,
    GUESSED_BLOCK_BYTES = 64 << 10,
    TEXTS_KEPT_BYTES = 1 << 20, /* a large row's memory is not */
};

/* ---- Database ---- */

void cdc_snapshot_connection_drop(cdc_snapshot_worker *worker) {
    pg_connection_free(worker->connection);
    worker->connection = NULL;
}

static bool run_sql(cdc_snapshot_worker *worker, const char *sql, core_error *error) {
    pg_result *result = pg_query(worker->connection, sql, NULL, 0, error);
    pg_result_free(result);
    return result != NULL;
}

/* The initial snapshot: one transaction for all, on the slot's exported snapshot. */
static bool snapshot_import(cdc_snapshot_worker *worker, const cdc_snapshot_session *session,
                            core_error *error) {
    core_buffer_reset(&worker->sql);
    core_buffer_text(&worker->sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                   " SET TRANSACTION SNAPSHOT ");
    pg_literal_append(&worker->sql, core_slice_text(session->exported));
    core_buffer_u8(&worker->sql, '\0');
    return run_sql(worker, (const char *)worker->sql.data, error);
}

/* Rows are read under nobody's policies: where they would apply it is refused. */
static bool connection_make(cdc_snapshot_worker *worker, const cdc_snapshot_session *session,
                            core_error *error) {
    cdc_snapshot_connection_drop(worker);
    worker->has_table = false;
    pg_connection_spec spec = {
        .url = core_config_text(worker->config, "postgres.url"),
        .application_name = "walcast snapshot",
        .timeout_ms = core_config_integer(worker->config, "postgres.connect_timeout"),
        .cancel_fd = worker->cancel_fd,
    };
    worker->connection = pg_connection_new(&spec, error);
    worker->connection_session = session->number;
    bool ok =
        worker->connection != NULL &&
        run_sql(worker,
                "SET row_security = off; SET statement_timeout = 0; SET synchronize_seqscans"
                " = off; SET max_parallel_workers_per_gather = 0; SET jit = off;"
                " SET lock_timeout = '10s'",
                error) &&
        (!cdc_snapshot_session_is_initial(session) || snapshot_import(worker, session, error));
    if (!ok)
        cdc_snapshot_connection_drop(worker); /* half made it would pass for one */
    return ok;
}

bool cdc_snapshot_connection_open(cdc_snapshot_worker *worker, const cdc_snapshot_session *session,
                                  core_error *error) {
    bool fits = worker->connection != NULL && pg_connection_alive(worker->connection) &&
                worker->connection_session == session->number;
    return (fits || connection_make(worker, session, error)) &&
           (cdc_snapshot_session_is_initial(session) ||
            cdc_snapshot_predecessor_passed(&worker->predecessor, worker->connection,
                                            session->number, error));
}

static bool moment_take(cdc_snapshot_worker *worker, core_arena *arena, core_error *error) {
    cdc_snapshot_ticket *ticket = worker->ticket;
    core_slice text;
    ticket->read_us = core_clock_wall_us(core_clock_system());
    return cdc_snapshot_moment_take(worker->connection, &ticket->visibility, &ticket->high_lsn,
                                    &text, arena, error);
}

/* ---- The table ---- */

static bool describe(cdc_snapshot_worker *worker, const cdc_snapshot_work *work,
                     cdc_snapshot_table *table, core_error *error) {
    return cdc_snapshot_table_describe(worker->connection, &worker->scope, work->schema,
                                       work->table, table, error);
}

static uint64_t bounded(uint64_t value, uint64_t min, uint64_t max) {
    return value < min ? min : value > max ? max : value;
}

/* Nothing is known of its rows: they are taken to be large. */
static void table_forget(cdc_snapshot_worker *worker) {
    cdc_snapshot_table_fini(&worker->table);
    worker->has_table = false;
    core_buffer_reset(&worker->encoded);
    worker->limit_rows = bounded(worker->aim_bytes / GUESSED_ROW_BYTES, CDC_SNAPSHOT_ROWS_MIN,
                                 CDC_SNAPSHOT_ROWS_FIRST);
    worker->limit_blocks =
        bounded(worker->aim_bytes / GUESSED_BLOCK_BYTES, 1, CDC_SNAPSHOT_BLOCKS_FIRST);
}

/* A description of the table to ask for the window by; whether it still holds is seen later. */
static bool table_prepare(cdc_snapshot_worker *worker, const cdc_snapshot_work *work,
                          core_error *error) {
    const core_relation *relation = &worker->table.relation;
    if (worker->has_table && core_slice_equal(relation->schema, work->schema) &&
        core_slice_equal(relation->table, work->table))
        return true;
    table_forget(worker);
    worker->has_table = describe(worker, work, &worker->table, error);
    return worker->has_table;
}

/* In the piece's transaction. AGAIN: it changed, what is to be read must be asked for anew. */
static cdc_step_result table_check(cdc_snapshot_worker *worker, const cdc_snapshot_work *work,
                                   core_error *error) {
    cdc_snapshot_table now = {0};
    if (cdc_snapshot_session_is_initial(&work->session)) /* described in the transaction itself */
        return CDC_STEP_OK;
    if (!describe(worker, work, &now, error)) {
        cdc_snapshot_table_fini(&now);
        return CDC_STEP_BROKEN;
    }
    if (core_slice_equal(now.shape, worker->table.shape)) {
        cdc_snapshot_table_fini(&now);
        return CDC_STEP_OK;
    }
    table_forget(worker);
    worker->table = now;
    worker->has_table = worker->described_anew = true;
    (void)core_error_set(error, CORE_ERROR_TRANSIENT,
                         "\"%.*s\".\"%.*s\" changed its shape; reading on",
                         CORE_SLICE_ARGS(work->schema), CORE_SLICE_ARGS(work->table));
    return CDC_STEP_AGAIN;
}

/* ---- Rows ---- */

cdc_snapshot_format cdc_snapshot_format_of(const cdc_snapshot_worker *worker) {
    if (worker->binary)
        return CDC_FORMAT_BINARY;
    return worker->table.texts != NULL ? CDC_FORMAT_TEXTS : CDC_FORMAT_TEXT;
}

bool cdc_snapshot_key_values(core_slice key, core_slice *values, size_t count) {
    core_cursor cursor = core_cursor_make(key);
    for (size_t i = 0; i < count; i++)
        values[i] = core_cursor_bytes(&cursor, core_cursor_u32(&cursor));
    return core_cursor_done(&cursor);
}

static bool places_choose(cdc_snapshot_worker *worker, size_t *count) {
    const cdc_snapshot_table *table = &worker->table;
    *count = 0;
    if (table->rows == CDC_ROWS_KEYED)
        while (*count < table->key_count) {
            worker->places[*count] = table->key[*count];
            ++*count;
        }
    else if (table->rows == CDC_ROWS_WHOLE)
        while (*count < table->relation.column_count) {
            worker->places[*count] = (uint16_t)*count;
            ++*count;
        }
    return *count > 0;
}

/* Remembers where the row stands: its key, or the values that follow the columns. */
static bool last_keep(cdc_snapshot_worker *worker) {
    const cdc_snapshot_table *table = &worker->table;
    uint16_t at[CDC_SNAPSHOT_KEY_MAX];
    size_t count = cdc_snapshot_place_length(table);
    bool follow = cdc_snapshot_places_follow(table, cdc_snapshot_format_of(worker));
    for (size_t i = 0; i < count; i++)
        at[i] = follow ? (uint16_t)(table->relation.column_count + i) : table->key[i];
    core_buffer_reset(&worker->last_key);
    return cdc_snapshot_key_append(&worker->last_key, worker->values, at, count);
}

/* The last row's place in the form that the record keeps. */
static bool last_write(cdc_snapshot_worker *worker, core_error *error) {
    const cdc_snapshot_table *table = &worker->table;
    core_slice values[CDC_SNAPSHOT_KEY_MAX];
    size_t count = cdc_snapshot_place_length(table);
    core_buffer_reset(&worker->last);
    if (worker->last_key.length == 0)
        return true;
    bool ok = core_buffer_ok(&worker->last_key) &&
              cdc_snapshot_key_values(core_buffer_slice(&worker->last_key), values, count);
    for (size_t i = 0; ok && i < count; i++)
        ok = core_utf8_valid(values[i]);
    if (ok)
        core_snapshot_place_write(&worker->last, values, count);
    return (ok && core_buffer_ok(&worker->last)) ||
           core_error_set(error, CORE_ERROR_CONFIG,
                          "a key of \"%.*s\".\"%.*s\" is too long or not UTF-8: how far the "
                          "snapshot is could not be kept",
                          CORE_SLICE_ARGS(table->relation.schema),
                          CORE_SLICE_ARGS(table->relation.table));
}

/* A message of the COPY as values; `*given` false: it held no row. */
static bool row_read(cdc_snapshot_worker *worker, cdc_copy_binary *state, uint8_t *bytes,
                     size_t length, bool *given, core_error *error) {
    const cdc_snapshot_table *table = &worker->table;
    size_t columns = table->relation.column_count;
    size_t count = columns;
    if (cdc_snapshot_places_follow(table, cdc_snapshot_format_of(worker)))
        count += cdc_snapshot_place_length(table);
    *given = true;
    if (cdc_snapshot_format_of(worker) == CDC_FORMAT_TEXT)
        return cdc_copy_text_read(bytes, length, worker->values, count, error);
    if (!cdc_copy_binary_read(state, core_slice_make(bytes, length), worker->values, count, given,
                              error))
        return false;
    if (!*given)
        return true;
    if (cdc_snapshot_format_of(worker) == CDC_FORMAT_TEXTS)
        return cdc_binary_text_row(table->texts, worker->values, columns, &worker->texts, error);
    for (size_t i = 0; i < columns; i++)
        if (!table->columns[i].has_binary && worker->values[i].kind == CORE_VALUE_BINARY)
            worker->values[i].kind = CORE_VALUE_TEXT;
    return true;
}

/* Changes began to flow: a piece that is larger than they allow ends here. */
static bool is_too_much(const cdc_snapshot_worker *worker) {
    return worker->aim_bytes > CDC_FLOW_PIECE_BYTES && cdc_snapshot_gate_yields(worker->gate) &&
           cdc_snapshot_chunk_bytes(worker->chunk) > CDC_FLOW_PIECE_BYTES;
}

static bool rows_cut(cdc_snapshot_worker *worker, core_error *error) {
    worker->cut = true;
    return pg_copy_stop(worker->connection, error);
}

/* Takes rows until the COPY ends, the chunk is full or changes flow; keeps the last one's place. A
 * place that is not kept (reading certain keys again) costs nothing. */
static bool rows_take(cdc_snapshot_worker *worker, bool keep_place, core_error *error) {
    cdc_copy_binary state = {0};
    for (;;) {
        if (keep_place && is_too_much(worker))
            return rows_cut(worker, error);
        uint8_t *bytes = NULL;
        size_t length = 0;
        bool given = false;
        switch (pg_copy_next(worker->connection, &bytes, &length, error)) {
        case PG_COPY_END:
            return true;
        case PG_COPY_FAILED:
            return false;
        case PG_COPY_ROW:
            break;
        }
        if (!row_read(worker, &state, bytes, length, &given, error))
            return false;
        if (!given)
            continue;
        switch (cdc_snapshot_chunk_add(worker->chunk, worker->values, error)) {
        case CDC_ROW_NO_ROOM:
            return rows_cut(worker, error);
        case CDC_ROW_REFUSED:
            return false;
        case CDC_ROW_ADDED:
            break;
        }
        if (keep_place && !last_keep(worker))
            return core_error_set(error, CORE_ERROR_INTERNAL, "a row has no place");
    }
}

static void chunk_begin(cdc_snapshot_worker *worker, const cdc_snapshot_work *work) {
    size_t count;
    bool matched =
        places_choose(worker, &count) && !cdc_snapshot_session_is_initial(&work->session);
    if (worker->texts.capacity > TEXTS_KEPT_BYTES)
        core_buffer_fini(&worker->texts);
    worker->relation = worker->table.relation;
    worker->relation.encoded = core_buffer_slice(&worker->encoded);
    cdc_snapshot_chunk_begin(worker->chunk, &work->session.limits, &worker->relation, work->id,
                             matched ? worker->places : NULL, matched ? count : 0);
}

static bool copy_run(cdc_snapshot_worker *worker, const cdc_snapshot_piece *piece, bool keep_place,
                     core_error *error) {
    if (keep_place) {
        worker->cut = false;
        core_buffer_reset(&worker->last_key);
    }
    core_buffer_reset(&worker->sql);
    cdc_snapshot_copy_sql(&worker->table, piece, &worker->sql);
    if (!core_buffer_ok(&worker->sql))
        return core_error_set(error, CORE_ERROR_LIMIT, "a piece's SQL takes more than %d bytes",
                              (int)worker->sql.max_bytes);
    return pg_copy_begin(worker->connection, (const char *)worker->sql.data, error) &&
           rows_take(worker, keep_place, error) && (!keep_place || last_write(worker, error)) &&
           (cdc_snapshot_chunk_finish(worker->chunk) ||
            core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a piece"));
}

/* ---- Reading a piece ---- */

static bool place_get(cdc_snapshot_worker *worker, cdc_snapshot_work *work, core_slice place,
                      core_slice *values, const core_slice **given, core_error *error) {
    size_t count = 0;
    *given = NULL;
    if (place.length == 0)
        return true;
    if (!core_snapshot_place_read(place, &work->arena, values, CDC_SNAPSHOT_KEY_MAX, &count) ||
        count != cdc_snapshot_place_length(&worker->table))
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "the place \"%.*s\" is none of the table's key, which must have "
                              "changed: start another snapshot",
                              (int)(place.length < 80 ? place.length : 80),
                              (const char *)place.data);
    *given = values;
    return true;
}

/* Where a ctid's block begins or, behind "(12,65535)", the next one. */
static bool block_read(core_slice ctid, uint64_t *block) {
    const uint8_t *comma = ctid.length > 2 ? memchr(ctid.data, ',', ctid.length) : NULL;
    if (comma == NULL || ctid.data[0] != '(')
        return false;
    size_t at = (size_t)(comma - ctid.data);
    bool whole = core_slice_is(core_slice_make(comma, ctid.length - at), ",65535)");
    if (!core_slice_to_u64(core_slice_make(ctid.data + 1, at - 1), block))
        return false;
    *block += whole;
    return true;
}

/* What a piece should come to changes when changes begin or cease to flow; its limits with it. */
static void limits_aim(cdc_snapshot_worker *worker, bool yields) {
    bool less = yields && worker->piece_bytes > CDC_FLOW_PIECE_BYTES;
    uint64_t before = worker->aim_bytes;
    uint64_t aim = less ? CDC_FLOW_PIECE_BYTES : worker->piece_bytes;
    worker->aim_bytes = aim;
    worker->limit_rows =
        bounded(worker->limit_rows * aim / before, CDC_SNAPSHOT_ROWS_MIN, CDC_SNAPSHOT_CHUNK_ROWS);
    worker->limit_blocks = bounded(worker->limit_blocks * aim / before, 1, CDC_SNAPSHOT_BLOCKS_MAX);
}

/* Of a table without a key a piece is a number of blocks. */
static void blocks_choose(const cdc_snapshot_worker *worker, cdc_snapshot_reading *reading) {
    cdc_snapshot_piece *piece = &reading->piece;
    uint64_t from = 0;
    uint64_t end = 0;
    bool placed = piece->after == NULL || block_read(piece->after[0], &from);
    bool bounded = piece->up_to != NULL && block_read(piece->up_to[0], &end);
    if (!placed || !bounded || from + worker->limit_blocks >= end)
        return;
    (void)snprintf(reading->block, sizeof reading->block, "(%llu,65535)",
                   (unsigned long long)(from + worker->limit_blocks - 1));
    reading->up_to[0] = core_slice_text(reading->block);
    reading->is_end = false;
}

bool cdc_snapshot_reading_make(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                               cdc_snapshot_reading *reading, core_error *error) {
    if (!table_prepare(worker, work, error))
        return false;
    if (!core_slice_equal(worker->table.places, work->range_key)) /* it may be known from before */
        table_forget(worker);
    if (!table_prepare(worker, work, error) ||
        !cdc_snapshot_key_check(&worker->table, work->range_key, error))
        return false;
    limits_aim(worker, work->yields);
    cdc_snapshot_piece *piece = &reading->piece;
    *piece = (cdc_snapshot_piece){
        .filter = work->filter, .low = work->low, .format = cdc_snapshot_format_of(worker)};
    if (!place_get(worker, work, work->after, reading->after, &piece->after, error) ||
        !place_get(worker, work, work->up_to, reading->up_to, &piece->up_to, error))
        return false;
    reading->is_end = true;
    if (worker->table.rows == CDC_ROWS_KEYED)
        piece->limit = worker->limit_rows;
    else
        blocks_choose(worker, reading);
    return true;
}

static bool transaction_begin(cdc_snapshot_worker *worker, const cdc_snapshot_session *session,
                              core_error *error) {
    return cdc_snapshot_session_is_initial(session) ||
           run_sql(worker, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", error);
}

static bool transaction_end(cdc_snapshot_worker *worker, const cdc_snapshot_session *session,
                            core_error *error) {
    return cdc_snapshot_session_is_initial(session) || run_sql(worker, "COMMIT", error);
}

/* Nobody changes the table's shape until the transaction ends. One that is gone is told as such. */
static bool table_lock(cdc_snapshot_worker *worker, const cdc_snapshot_work *work,
                       core_error *error) {
    if (cdc_snapshot_session_is_initial(&work->session)) /* its shape is that of the slot's time */
        return true;
    core_buffer_reset(&worker->sql);
    cdc_snapshot_lock_sql(&worker->table, &worker->sql);
    if (run_sql(worker, (const char *)worker->sql.data, error))
        return true;
    bool gone = strcmp(pg_connection_sqlstate(worker->connection), "42P01") == 0;
    cdc_snapshot_table now = {0};
    if (gone && run_sql(worker, "ROLLBACK", error) && describe(worker, work, &now, error))
        (void)core_error_set(error, CORE_ERROR_TRANSIENT, "the table comes and goes");
    cdc_snapshot_table_fini(&now);
    return false;
}

/* Reads inside the open window. The relation is only asked for while it is not known. */
static cdc_step_result window_read(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                   const cdc_snapshot_piece *piece, bool keep_place,
                                   core_error *error) {
    if (!transaction_begin(worker, &work->session, error) || !table_lock(worker, work, error) ||
        !moment_take(worker, &work->arena, error))
        return CDC_STEP_BROKEN;
    cdc_step_result checked = table_check(worker, work, error);
    if (checked != CDC_STEP_OK)
        return checked;
    chunk_begin(worker, work);
    bool known = worker->encoded.length > 0;
    if (known && !copy_run(worker, piece, keep_place, error))
        return CDC_STEP_BROKEN;
    return transaction_end(worker, &work->session, error) ? CDC_STEP_OK : CDC_STEP_BROKEN;
}

/* The source said that runs must be made of this relation. */
static void relation_take(cdc_snapshot_worker *worker) {
    const cdc_snapshot_ticket *ticket = worker->ticket;
    core_buffer_reset(&worker->encoded);
    core_buffer_slice_append(&worker->encoded, core_buffer_slice(&ticket->relation));
}

/* Opens the window, reads, submits. OK: the rows are in the stream, or placed. AGAIN: from the
 * start; `error` says why. */
static cdc_step_result piece_try(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                 const cdc_snapshot_piece *piece, bool keep_place,
                                 core_error *error) {
    cdc_snapshot_ticket *ticket = worker->ticket;
    uint64_t session = work->session.number;
    ticket->table = &worker->table;
    ticket->chunk = worker->chunk;
    ticket->addressed = work->addressed;
    ticket->yields = work->yields;
    ticket->mark_sequence = worker->table.rows == CDC_ROWS_KEYED ? 0 : work->start_sequence;
    if (cdc_snapshot_gate_pass(worker->gate, ticket, CDC_TICKET_ASKED, session) != CDC_TICKET_OPEN)
        return CDC_STEP_ABORTED;
    int64_t from_ms = core_clock_ms(core_clock_system());
    cdc_step_result read = window_read(worker, work, piece, keep_place, error);
    work->read_ms += core_clock_ms(core_clock_system()) - from_ms;
    if (read != CDC_STEP_OK) {
        cdc_snapshot_gate_leave(worker->gate, ticket);
        bool alive = worker->connection != NULL && pg_connection_alive(worker->connection);
        if (cdc_snapshot_session_is_initial(&work->session) || !alive ||
            !run_sql(worker, "ROLLBACK", read == CDC_STEP_AGAIN ? error : NULL))
            cdc_snapshot_connection_drop(worker);
        return read;
    }
    ticket->encoded = core_buffer_slice(&worker->encoded);
    switch (cdc_snapshot_gate_pass(worker->gate, ticket, CDC_TICKET_READ, session)) {
    case CDC_TICKET_DONE:
    case CDC_TICKET_PLACED:
        return CDC_STEP_OK;
    case CDC_TICKET_AGAIN:
        relation_take(worker);
        /* Rows alike cannot be told apart: what was sent would count twice. */
        if (ticket->last_sequence != 0 && worker->table.rows != CDC_ROWS_KEYED)
            return CDC_STEP_RESTART;
        (void)core_error_set(error, CORE_ERROR_TRANSIENT, "%s", ticket->reason);
        return CDC_STEP_AGAIN;
    default:
        return CDC_STEP_ABORTED;
    }
}

static void wait_ms(int64_t time_ms) {
    struct timespec wait = {.tv_sec = time_ms / CORE_MS_PER_S,
                            .tv_nsec = time_ms % CORE_MS_PER_S * CORE_NS_PER_MS};
    while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
        continue;
}

/* The rows of an addressed piece go out from here. */
static bool placed_publish(cdc_snapshot_worker *worker, const cdc_snapshot_work *work,
                           core_error *error) {
    const cdc_snapshot_ticket *ticket = worker->ticket;
    uint64_t after_sequence =
        worker->table.rows == CDC_ROWS_KEYED ? ticket->after_sequence : work->start_sequence;
    const core_transaction transaction = {.commit_time_us = ticket->read_us};
    for (;;) {
        core_slice payload;
        uint32_t rows;
        if (!cdc_snapshot_chunk_take(worker->chunk, &transaction, after_sequence, &payload, &rows,
                                     error))
            return false;
        if (rows == 0)
            return cdc_snapshot_jobs_published(work, error);
        if (!cdc_snapshot_jobs_publish(worker->jobs, work, payload, rows, error))
            return false;
    }
}

cdc_step_result cdc_snapshot_piece_tries(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                         const cdc_snapshot_piece *piece, bool keep_place,
                                         core_error *error) {
    for (unsigned i = 0; i < AGAIN_TRIES; i++) {
        bool asked = worker->encoded.length == 0;
        cdc_step_result result = piece_try(worker, work, piece, keep_place, error);
        if (result == CDC_STEP_OK && work->addressed && !placed_publish(worker, work, error))
            /* Rows without a key that are in the stream already must not be sent once more. */
            return worker->table.rows == CDC_ROWS_KEYED ? CDC_STEP_BROKEN : CDC_STEP_RESTART;
        if (result != CDC_STEP_AGAIN)
            return result;
        if (!worker->has_table || worker->connection == NULL)
            return CDC_STEP_BROKEN;
        if (worker->described_anew)
            return CDC_STEP_AGAIN;
        cdc_snapshot_jobs_yield(worker->jobs, work);
        if (!asked)
            wait_ms(i + 1 < AGAIN_WAIT_MS ? i + 1 : AGAIN_WAIT_MS);
    }
    return CDC_STEP_AGAIN;
}

cdc_step_result cdc_snapshot_piece_read(cdc_snapshot_worker *worker, cdc_snapshot_work *work,
                                        cdc_snapshot_reading *reading, core_error *error) {
    if (work->key_count > 0)
        return cdc_snapshot_keys_read(worker, work, reading, error);
    return cdc_snapshot_piece_tries(worker, work, &reading->piece, true, error);
}
