/* See verify_shape_sql.h. Three questions: the table, what of it our publications publish, its
 * columns. Names go as parameters, and quoted where COPY takes none. */
#include "cdc/verify_shape_sql.h"

#include "cdc/table_pattern.h"

#include <stdio.h>
#include <stdlib.h>

enum { VERSION_15 = 150000, VERSION_18 = 180000, NUMBER_MAX = 24 };

static const char table_sql[] =
    "SELECT c.oid, c.relkind, c.relreplident, greatest(c.reltuples, 0)::int8, a.xmin"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = -1"
    " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";

#define PUBLISHED_SQL(COLUMNS, FILTER)                                                             \
    "SELECT p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, " COLUMNS ", " FILTER            \
    " FROM pg_publication p JOIN pg_publication_tables t ON t.pubname = p.pubname"                 \
    " WHERE p.pubname IN ($1, $2) AND t.schemaname = $3 AND t.tablename = $4"

static const char published_sql[] = PUBLISHED_SQL("NULL", "NULL");
static const char published_15_sql[] = PUBLISHED_SQL("t.attnames::text", "t.rowfilter");

/* $1: the table, $2: its replica identity, $3: published columns or NULL, $4: generated ones too.
 */
static const char columns_sql[] =
    "SELECT a.attname, a.atttypid, a.atttypmod, t.typbasetype,"
    " coalesce(a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]), false),"
    " coalesce(i.indnkeyatts, 0)"
    " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisvalid AND i.indimmediate"
    "  AND CASE $2 WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
    "  AND ($4::bool OR a.attgenerated = '')"
    "  AND ($3::text IS NULL OR a.attname = ANY ($3::name[])) ORDER BY a.attnum";

static bool is_true(const pg_result *result, size_t row, size_t column) {
    const char *value = pg_result_value(result, row, column);
    return value != NULL && value[0] == 't';
}

static bool number_read(const pg_result *result, size_t row, size_t column, uint64_t *number) {
    *number = 0;
    return core_slice_to_u64(core_slice_text(pg_result_value(result, row, column)), number);
}

static bool not_understood(core_error *error) {
    return core_error_set(error, CORE_ERROR_INPUT, "the catalog's answer was not understood");
}

static bool out_of_memory(core_error *error) {
    return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a table's description");
}

/* ---- The table ---- */

static bool table_ask(cdc_verify_table *table, pg_connection *connection, char identity[2],
                      core_error *error) {
    cdc_verify_shape *shape = &table->shape;
    const char *const parameters[] = {(const char *)shape->schema.data,
                                      (const char *)shape->table.data};
    uint64_t oid = 0;
    uint64_t xmin = 0;
    pg_result *result = pg_query(connection, table_sql, parameters, 2, error);
    if (result == NULL)
        return false;
    bool ok = pg_result_rows(result) == 1;
    if (!ok)
        (void)core_error_set(error, CORE_ERROR_CONFIG,
                             "there is no table %s.%s in this database (postgres.url): a view, or "
                             "another name",
                             shape->schema.data, shape->table.data);
    else if (!number_read(result, 0, 0, &oid) ||
             !number_read(result, 0, 3, &shape->estimated_rows) ||
             !number_read(result, 0, 4, &xmin))
        ok = not_understood(error);
    if (ok) {
        shape->oid = (uint32_t)oid;
        shape->born = cdc_visibility_widen(&table->visibility, (uint32_t)xmin);
        table->is_partitioned = pg_result_value(result, 0, 1)[0] == 'p';
        identity[0] = pg_result_value(result, 0, 2)[0];
        identity[1] = '\0';
    }
    pg_result_free(result);
    return ok;
}

/* ---- What is published ---- */

/* Of several publications a row that passes any filter is published. */
static bool filter_make(cdc_verify_table *table, const pg_result *result, core_error *error) {
    core_buffer filter;
    core_buffer_init(&filter, (size_t)1 << 20);
    bool all = false;
    for (size_t i = 0; i < pg_result_rows(result); i++) {
        const char *text = pg_result_value(result, i, 5);
        all = all || text == NULL;
        if (text != NULL)
            core_buffer_format(&filter, "%s(%s)", filter.length > 0 ? " OR " : "", text);
    }
    if (!all && core_buffer_ok(&filter))
        table->filter = core_arena_copy(&table->arena, core_buffer_slice(&filter));
    bool ok = all || (core_buffer_ok(&filter) && table->filter.data != NULL);
    core_buffer_fini(&filter);
    return ok || out_of_memory(error);
}

static bool not_published(const cdc_verify_table *table, const char *publication,
                          core_error *error) {
    return core_error_set(
        error, CORE_ERROR_CONFIG,
        "table %s.%s is not published by \"%s\" (postgres.publication), so the stream gets none of "
        "its changes; %s",
        table->shape.schema.data, table->shape.table.data, publication,
        table->is_partitioned
            ? "of a partitioned table the partitions are: name one of them"
            : "add it to postgres.tables or to the publication, then read it into the stream "
              "(walcast snapshot start)");
}

/* `attnames` gets the published columns as an array's text, or NULL. */
static bool published_ask(cdc_verify_table *table, pg_connection *connection,
                          const core_config *config, const char **attnames, core_error *error) {
    cdc_verify_shape *shape = &table->shape;
    const char *publication = core_config_text(config, "postgres.publication");
    char inserts[CDC_NAME_MAX];
    (void)snprintf(inserts, sizeof inserts, "%.55s_inserts", publication);
    const char *const parameters[] = {publication, inserts, (const char *)shape->schema.data,
                                      (const char *)shape->table.data};
    bool has_columns = pg_connection_server_version(connection) >= VERSION_15;
    pg_result *result = pg_query(connection, has_columns ? published_15_sql : published_sql,
                                 parameters, CORE_COUNT_OF(parameters), error);
    if (result == NULL)
        return false;
    size_t count = pg_result_rows(result);
    bool ok = count > 0 || not_published(table, publication, error);
    for (size_t i = 0; i < count; i++) {
        shape->publishes_insert |= is_true(result, i, 0);
        shape->publishes_update |= is_true(result, i, 1);
        shape->publishes_delete |= is_true(result, i, 2);
        shape->publishes_truncate |= is_true(result, i, 3);
    }
    *attnames = NULL;
    if (ok && pg_result_value(result, 0, 4) != NULL) {
        *attnames = (const char *)core_arena_copy(&table->arena,
                                                  core_slice_text(pg_result_value(result, 0, 4)))
                        .data;
        ok = *attnames != NULL || out_of_memory(error);
    }
    ok = ok && filter_make(table, result, error);
    pg_result_free(result);
    return ok;
}

/* ---- Columns ---- */

static bool column_take(cdc_verify_table *table, const pg_result *result, size_t i,
                        core_error *error) {
    core_column *column = &table->shape.columns[i];
    uint64_t type = 0;
    uint64_t base = 0;
    int64_t typmod = 0;
    if (!number_read(result, i, 1, &type) || !number_read(result, i, 3, &base) ||
        !core_slice_to_i64(core_slice_text(pg_result_value(result, i, 2)), &typmod))
        return not_understood(error);
    *column = (core_column){
        .name = core_arena_copy(&table->arena, core_slice_text(pg_result_value(result, i, 0))),
        .type_oid = (uint32_t)type,
        .typmod = (int32_t)typmod,
        .base_oid = (uint32_t)base,
        .key = is_true(result, i, 4),
    };
    table->shape.key_count += column->key ? 1 : 0;
    return column->name.data != NULL || out_of_memory(error);
}

static bool columns_take(cdc_verify_table *table, const pg_result *result, core_error *error) {
    cdc_verify_shape *shape = &table->shape;
    size_t count = pg_result_rows(result);
    if (count > CORE_COLUMNS_MAX)
        return not_understood(error);
    shape->columns = core_arena_array(&table->arena, count > 0 ? count : 1, sizeof *shape->columns);
    if (shape->columns == NULL)
        return out_of_memory(error);
    shape->column_count = (uint16_t)count;
    uint64_t wanted = 0;
    for (size_t i = 0; i < count; i++)
        if (!column_take(table, result, i, error) || !number_read(result, i, 5, &wanted))
            return false;
    /* A key of which a part is not published tells no rows apart. */
    for (size_t i = 0; shape->key_count != wanted && i < count; i++)
        shape->columns[i].key = false;
    shape->key_count = shape->key_count == wanted ? shape->key_count : 0;
    return true;
}

bool cdc_verify_shape_ask(cdc_verify_table *table, pg_connection *connection,
                          const core_config *config, core_error *error) {
    const char *attnames = NULL;
    char identity[2];
    char oid[NUMBER_MAX];
    if (!table_ask(table, connection, identity, error) ||
        !published_ask(table, connection, config, &attnames, error))
        return false;
    (void)snprintf(oid, sizeof oid, "%u", (unsigned)table->shape.oid);
    bool has_generated = pg_connection_server_version(connection) >= VERSION_18;
    const char *const parameters[] = {oid, identity, attnames, has_generated ? "t" : "f"};
    pg_result *result =
        pg_query(connection, columns_sql, parameters, CORE_COUNT_OF(parameters), error);
    bool ok = result != NULL && columns_take(table, result, error);
    pg_result_free(result);
    return ok;
}

/* ---- Rows ---- */

void cdc_verify_copy_append(const cdc_verify_table *table, core_buffer *sql) {
    const cdc_verify_shape *shape = &table->shape;
    core_buffer_text(sql, "COPY (SELECT xmin");
    for (size_t i = 0; i < shape->column_count; i++) {
        core_buffer_text(sql, ", ");
        pg_identifier_append(sql, shape->columns[i].name);
    }
    /* A table's children, if it has any, are tables of their own; partitions are its rows. */
    core_buffer_text(sql, table->is_partitioned ? " FROM " : " FROM ONLY ");
    pg_identifier_append(sql, shape->schema);
    core_buffer_u8(sql, '.');
    pg_identifier_append(sql, shape->table);
    if (table->filter.length > 0)
        core_buffer_format(sql, " WHERE %.*s", CORE_SLICE_ARGS(table->filter));
    core_buffer_text(sql, ") TO STDOUT");
    core_buffer_u8(sql, '\0');
}
