/* See verify_table.h. Happy path: lock, snapshot, catalog, COPY row by row, commit.
 *
 * The lock comes before the snapshot: a table that was rewritten or truncated between both would
 * look empty to the snapshot. */
#include "cdc/verify_table.h"

#include "cdc/copy_row.h"
#include "cdc/snapshot_moment.h"
#include "cdc/verify_shape_sql.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ARENA_CHUNK_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 4 << 20,
    SQL_MAX_BYTES = 2 << 20,
    PROGRESS_ROWS = 4096,
    URL_TEXT_MAX = 512,
    VERSION_17 = 170000,
};

static pg_connection *connection_open(const core_config *config, core_error *error) {
    pg_connection_spec spec = {
        .url = core_config_text(config, "postgres.url"),
        .application_name = "walcast verify",
        .timeout_ms = core_config_integer(config, "postgres.connect_timeout"),
        .cancel_fd = -1,
    };
    return pg_connection_new(&spec, error);
}

/* ---- The transaction ---- */

static bool sql_run(pg_connection *connection, core_buffer *sql, core_error *error) {
    core_buffer_u8(sql, '\0');
    if (!core_buffer_ok(sql))
        return core_error_set(error, CORE_ERROR_LIMIT, "the statement is too long");
    pg_result *result = pg_query(connection, (const char *)sql->data, NULL, 0, error);
    pg_result_free(result);
    return result != NULL;
}

/* Row-level security would leave rows out in silence: off, it is an error instead. */
static bool transaction_begin(const cdc_verify_table *table, pg_connection *connection,
                              const core_config *config, core_error *error) {
    core_buffer sql;
    core_buffer_init(&sql, SQL_MAX_BYTES);
    core_buffer_format(&sql,
                       "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                       " SET LOCAL row_security = off; SET LOCAL lock_timeout = %lld;"
                       " SET LOCAL statement_timeout = 0; %s LOCK TABLE ",
                       (long long)core_config_integer(config, "postgres.connect_timeout"),
                       pg_connection_server_version(connection) >= VERSION_17
                           ? "SET LOCAL transaction_timeout = 0;"
                           : "");
    pg_identifier_append(&sql, table->shape.schema);
    core_buffer_u8(&sql, '.');
    pg_identifier_append(&sql, table->shape.table);
    core_buffer_text(&sql, " IN ACCESS SHARE MODE");
    bool ok = sql_run(connection, &sql, error);
    core_buffer_fini(&sql);
    if (!ok && (strcmp(pg_connection_sqlstate(connection), "42P01") == 0 ||
                strcmp(pg_connection_sqlstate(connection), "3F000") == 0))
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "there is no table %s.%s in the database of postgres.url",
                              table->shape.schema.data, table->shape.table.data);
    return ok || core_error_wrap(error, "locking table %s.%s against being altered",
                                 table->shape.schema.data, table->shape.table.data);
}

static bool point_ask(cdc_verify_table *table, pg_connection *connection, core_error *error) {
    if (!cdc_snapshot_moment_take(connection, &table->visibility, &table->lsn,
                                  &table->snapshot_text, &table->arena, error))
        return false;
    pg_result *result =
        pg_query(connection, "SELECT system_identifier FROM pg_control_system()", NULL, 0, error);
    if (result == NULL)
        return false;
    const char *text = pg_result_value(result, 0, 0);
    bool ok = core_slice_to_u64(core_slice_text(text), &table->system_id) ||
              core_error_set(error, CORE_ERROR_INPUT,
                             "the server gave \"%s\" as a system identifier", text);
    pg_result_free(result);
    return ok;
}

/* ---- Rows ---- */

typedef struct {
    pg_connection *connection;
    cdc_verify_table *table;
    const cdc_verify_seed *seed;
    const cdc_verify_options *options;
    core_value *fields; /* xmin, then the columns */
    cdc_verify_value *values;
    cdc_verify_scratch scratch;
} row_reader;

static bool row_take(row_reader *reader, uint8_t *line, size_t length, core_error *error) {
    cdc_verify_table *table = reader->table;
    const cdc_verify_shape *shape = &table->shape;
    cdc_verify_key key;
    uint64_t xmin = 0;
    if (!cdc_copy_text_read(line, length, reader->fields, shape->column_count + 1u, error))
        return false;
    const core_tuple tuple = {.count = shape->column_count, .values = reader->fields + 1};
    if (!core_slice_to_u64(reader->fields[0].bytes, &xmin) || xmin > UINT32_MAX ||
        !cdc_verify_key_make(reader->seed, shape, NULL, NULL, &tuple, &reader->scratch, &key))
        return core_error_set(error, CORE_ERROR_INPUT, "a row of the table was not understood");
    if (shape->key_count > 0)
        cdc_verify_values_make(reader->seed, shape, NULL, &tuple, reader->values);
    const cdc_verify_row row = {
        .op = CDC_VERIFY_ROW,
        .number = core_visibility_widen(&table->visibility, (uint32_t)xmin),
        .key = key.hash,
        .count = shape->key_count > 0 ? shape->column_count : 0,
        .values = reader->values,
        .text = key.text,
        .shown = shape->key_count > 0 && reader->options->shows_values
                     ? cdc_verify_shown_make(shape, NULL, &tuple, &reader->scratch)
                     : core_slice_make(NULL, 0),
    };
    table->rows++;
    return cdc_verify_spill_add(table->spill, &row, error);
}

static bool rows_take(row_reader *reader, core_error *error) {
    const cdc_verify_options *options = reader->options;
    const cdc_verify_table *table = reader->table;
    for (;;) {
        uint8_t *line = NULL;
        size_t length = 0;
        switch (pg_copy_next(reader->connection, &line, &length, error)) {
        case PG_COPY_END:
            return true;
        case PG_COPY_FAILED:
            return false;
        case PG_COPY_ROW:
            break;
        }
        if (!row_take(reader, line, length, error))
            return false;
        if (options->on_progress != NULL && table->rows % PROGRESS_ROWS == 0)
            options->on_progress(options->context, CDC_VERIFY_READING, table->rows,
                                 table->described.expected_rows);
    }
}

static bool copy_run(row_reader *reader, const char *sql, core_error *error) {
    return (pg_copy_begin(reader->connection, sql, error) && rows_take(reader, error)) ||
           core_error_wrap(error, "reading table %s.%s", reader->table->shape.schema.data,
                           reader->table->shape.table.data);
}

static bool rows_read(cdc_verify_table *table, pg_connection *connection,
                      const cdc_verify_seed *seed, const cdc_verify_options *options,
                      core_error *error) {
    size_t columns = table->shape.column_count;
    core_buffer sql;
    row_reader reader = {
        .connection = connection,
        .table = table,
        .seed = seed,
        .options = options,
        .fields = calloc(columns + 1, sizeof *reader.fields),
        .values = calloc(columns + 1, sizeof *reader.values),
    };
    cdc_verify_scratch_init(&reader.scratch);
    core_buffer_init(&sql, SQL_MAX_BYTES);
    cdc_verify_copy_append(table, &sql);
    bool ok = (reader.fields != NULL && reader.values != NULL && core_buffer_ok(&sql)) ||
              core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for rows to compare");
    ok = ok && copy_run(&reader, (const char *)sql.data, error) &&
         cdc_verify_spill_finish(table->spill, error);
    core_buffer_fini(&sql);
    cdc_verify_scratch_fini(&reader.scratch);
    free(reader.fields);
    free(reader.values);
    return ok;
}

/* ---- All of it ---- */

static bool name_take(cdc_verify_table *table, const cdc_verify_options *options,
                      core_error *error) {
    table->shape.schema = core_arena_copy(&table->arena, core_slice_text(options->schema));
    table->shape.table = core_arena_copy(&table->arena, core_slice_text(options->table));
    return (table->shape.schema.data != NULL && table->shape.table.data != NULL) ||
           core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a table's name");
}

static bool url_wrap(const core_config *config, core_error *error) {
    char url[URL_TEXT_MAX];
    core_config_redact_url(core_config_text(config, "postgres.url"), url, sizeof url);
    return core_error_wrap(error, "postgres.url (%s) %s",
                           core_config_origin(config, "postgres.url"), url);
}

bool cdc_verify_table_read(cdc_verify_table *table, const core_config *config,
                           const cdc_verify_seed *seed, const cdc_verify_options *options,
                           core_error *error) {
    *table = (cdc_verify_table){0};
    core_arena_init(&table->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    if (!name_take(table, options, error))
        return false;
    table->spill = cdc_verify_spill_new(config, 0, error);
    if (table->spill == NULL)
        return false;
    pg_connection *connection = connection_open(config, error);
    if (connection == NULL)
        return url_wrap(config, error);
    bool ok = transaction_begin(table, connection, config, error) &&
              point_ask(table, connection, error) &&
              cdc_verify_shape_ask(table, connection, config, error) &&
              rows_read(table, connection, seed, options, error);
    pg_connection_free(connection); /* a read-only transaction ends with it */
    return ok;
}

void cdc_verify_table_fini(cdc_verify_table *table) {
    cdc_verify_spill_free(table->spill);
    core_visibility_fini(&table->visibility);
    cdc_snapshot_table_fini(&table->described);
    core_arena_fini(&table->arena);
}

void cdc_verify_table_nudge(const core_config *config) {
    core_error ignored;
    pg_connection *connection = connection_open(config, &ignored);
    if (connection == NULL)
        return;
    pg_result_free(pg_query(connection, "SELECT txid_current()", NULL, 0, &ignored));
    pg_connection_free(connection);
}
