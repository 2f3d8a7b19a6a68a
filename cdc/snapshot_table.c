/* Describes a table for a snapshot; see snapshot_table.h. */
#include "cdc/snapshot_table.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_CHUNK_BYTES = 4096, ARENA_MAX_BYTES = 4 << 20, KEY_TEXT_MAX = 48 };

/* Of a table that nobody has analysed. */
#define GUESSED_ROWS_A_BLOCK "60"

/* What table_sql gives. */
enum {
    TABLE_OID,
    TABLE_KIND,
    TABLE_IDENTITY,
    TABLE_ROWS,
    TABLE_BLOCKS,
    TABLE_KEY_INDEX,
    TABLE_KEY_COLUMNS,
    TABLE_INSERTS, /* NULL: it is not published at all */
    TABLE_UPDATES,
    TABLE_DELETES,
    TABLE_TRUNCATES,
    TABLE_FILTER,
    TABLE_COLUMNS,
    TABLE_BORN,
};
/* $1 schema, $2 table, $3 and $4 the publications. Which columns and rows of it are published
 * PostgreSQL tells since 15; before, all are. */
static const char table_sql[] =
    "SELECT c.oid, c.relkind, c.relreplident, CASE"
    "  WHEN c.reltuples > 0 AND c.relpages > 0 THEN c.reltuples / c.relpages * s.blocks"
    "  WHEN s.blocks > 0 THEN s.blocks * " GUESSED_ROWS_A_BLOCK
    "  ELSE greatest(c.reltuples, 0) END::int8, s.blocks, k.indexrelid,"
    " coalesce(k.indnkeyatts, 0), p.inserts, p.updates, p.deletes, p.truncates, p.filter,"
    " p.attnames, a.xmin"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_index k ON k.indrelid = c.oid AND k.indisvalid AND k.indimmediate"
    "  AND CASE c.relreplident WHEN 'i' THEN k.indisreplident ELSE k.indisprimary END"
    " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = -1,"
    " LATERAL (SELECT coalesce(pg_relation_size(c.oid) / current_setting('block_size')::int8, 0)"
    "  AS blocks) s,"
    " LATERAL (SELECT bool_or(u.pubinsert) AS inserts, bool_or(u.pubupdate) AS updates,"
    "   bool_or(u.pubdelete) AS deletes, bool_or(u.pubtruncate) AS truncates,"
    "   CASE WHEN bool_and(t.row ->> 'rowfilter' IS NOT NULL)"
    "    THEN string_agg('(' || (t.row ->> 'rowfilter') || ')', ' OR ') END AS filter,"
    "   min(t.row ->> 'attnames') AS attnames"
    "  FROM (SELECT to_jsonb(v) AS row, v.pubname FROM pg_publication_tables v"
    "   WHERE v.pubname IN ($3, $4) AND v.schemaname = n.nspname AND v.tablename = c.relname) t"
    "  JOIN pg_publication u ON u.pubname = t.pubname) p"
    " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";

/* $1 the table's OID, $2 the key's index, $3 the published columns as JSON. The ordering of a type
 * that has none of its own (varchar) is that of a built-in one. */
static const char columns_sql[] =
    "SELECT a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), t.typname,"
    " t.typsend <> 0 AS has_binary,"
    " c.relreplident = 'f' OR (c.relreplident <> 'n' AND k.place IS NOT NULL) AS identity,"
    " k.place, coalesce((SELECT n.nspname FROM pg_opclass o JOIN pg_amop m"
    "   ON m.amopfamily = o.opcfamily AND m.amopstrategy = 5 AND m.amoplefttype = o.opcintype"
    "   AND m.amoprighttype = o.opcintype JOIN pg_operator r ON r.oid = m.amopopr"
    "   JOIN pg_namespace n ON n.oid = r.oprnamespace"
    "   WHERE o.opcdefault AND o.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree')"
    "   AND o.opcintype = (WITH RECURSIVE b AS (SELECT t.oid, t.typtype, t.typbasetype UNION ALL"
    "    SELECT d.oid, d.typtype, d.typbasetype FROM pg_type d JOIN b ON b.typtype = 'd'"
    "    AND d.oid = b.typbasetype) SELECT b.oid FROM b WHERE b.typtype <> 'd') LIMIT 1),"
    "  'pg_catalog') AS operators, a.attnum, a.attcollation, t.typbasetype,"
    " t.typoutput::text || ' ' || t.typsend::text AS functions"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = "
    "a.atttypid"
    " LEFT JOIN LATERAL (SELECT u.place FROM pg_index i,"
    "   unnest(i.indkey::int2[]) WITH ORDINALITY AS u(number, place)"
    "   WHERE i.indexrelid = $2::oid AND u.place <= i.indnkeyatts AND u.number = a.attnum) k ON "
    "true"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
    " AND (a.attgenerated = '' OR current_setting('server_version_num')::int >= 180000)"
    " AND ($3::jsonb IS NULL OR $3::jsonb ? a.attname::text)"
    " ORDER BY a.attnum";

/* ---- Values of a result ---- */

static bool is_true(const char *value) {
    return value != NULL && value[0] == 't';
}

static uint64_t number_of(const char *value) {
    uint64_t number = 0;
    bool ok = value != NULL && core_slice_to_u64(core_slice_text(value), &number);
    return ok ? number : 0;
}

static bool text_take(core_arena *arena, const char *value, core_slice *text) {
    *text = core_arena_copy(arena, core_slice_text(value));
    return text->data != NULL;
}

/* ---- Columns ---- */

static bool column_take(const pg_result *result, size_t row, core_arena *arena, core_column *column,
                        cdc_snapshot_column *more) {
    int64_t typmod = 0;
    bool ok = text_take(arena, pg_result_value(result, row, 0), &column->name) &&
              text_take(arena, pg_result_value(result, row, 3), &more->type_sql) &&
              text_take(arena, pg_result_value(result, row, 4), &more->type_name) &&
              text_take(arena, pg_result_value(result, row, 8), &more->operator_schema) &&
              core_slice_to_i64(core_slice_text(pg_result_value(result, row, 2)), &typmod);
    ok = ok && text_take(arena, pg_result_value(result, row, 9), &more->number) &&
         text_take(arena, pg_result_value(result, row, 10), &more->collation);
    column->type_oid = (uint32_t)number_of(pg_result_value(result, row, 1));
    column->typmod = (int32_t)typmod;
    column->key = is_true(pg_result_value(result, row, 6));
    more->has_binary = is_true(pg_result_value(result, row, 5));
    more->key_place = (uint16_t)number_of(pg_result_value(result, row, 7));
    more->base_oid = (uint32_t)number_of(pg_result_value(result, row, 11));
    return ok;
}

/* `columns`: that it has. A key of which one is not published (a column list) is none. */
static bool key_take(cdc_snapshot_table *table, uint64_t columns) {
    for (uint16_t i = 0; i < table->relation.column_count; i++) {
        uint16_t place = table->columns[i].key_place;
        if (place == 0 || place > CDC_SNAPSHOT_KEY_MAX)
            continue;
        table->key[place - 1] = i;
        table->key_count++;
    }
    return table->key_count > 0 && table->key_count == columns;
}

static void shape_write(const cdc_snapshot_table *table, core_buffer *shape) {
    const core_relation *relation = &table->relation;
    core_buffer_format(shape, "%u %c %d %.*s", relation->oid, relation->replica_identity,
                       (int)table->rows, CORE_SLICE_ARGS(table->filter));
    for (size_t i = 0; i < relation->column_count; i++) {
        core_buffer_u8(shape, 0);
        core_buffer_slice_append(shape, relation->columns[i].name);
        core_buffer_format(shape, " %u %d %d %d %.*s %.*s", relation->columns[i].type_oid,
                           relation->columns[i].typmod, relation->columns[i].key,
                           table->columns[i].key_place, CORE_SLICE_ARGS(table->columns[i].number),
                           CORE_SLICE_ARGS(table->columns[i].collation));
    }
}

static bool shape_take(cdc_snapshot_table *table) {
    core_buffer shape;
    core_buffer_init(&shape, ARENA_MAX_BYTES);
    shape_write(table, &shape);
    table->shape = core_buffer_ok(&shape)
                       ? core_arena_copy(&table->arena, core_buffer_slice(&shape))
                       : core_slice_make(NULL, 0);
    core_buffer_fini(&shape);
    return table->shape.data != NULL;
}

/* Of each column of the key what its order depends on: which one it is, its type and collation. */
static bool places_take(cdc_snapshot_table *table) {
    core_slice texts[CDC_SNAPSHOT_KEY_MAX];
    core_buffer places;
    bool ok = true;
    if (table->rows != CDC_ROWS_KEYED)
        return true;
    for (size_t i = 0; ok && i < table->key_count; i++) {
        const cdc_snapshot_column *column = &table->columns[table->key[i]];
        char *text = core_arena_alloc(&table->arena, KEY_TEXT_MAX);
        ok = text != NULL;
        if (!ok)
            break;
        (void)snprintf(text, KEY_TEXT_MAX, "%.*s %u %.*s", CORE_SLICE_ARGS(column->number),
                       table->relation.columns[table->key[i]].type_oid,
                       CORE_SLICE_ARGS(column->collation));
        texts[i] = core_slice_text(text);
    }
    core_buffer_init(&places, ARENA_MAX_BYTES);
    if (ok)
        core_snapshot_place_write(&places, texts, table->key_count);
    table->places = ok && core_buffer_ok(&places)
                        ? core_arena_copy(&table->arena, core_buffer_slice(&places))
                        : core_slice_make(NULL, 0);
    core_buffer_fini(&places);
    return table->places.data != NULL;
}

/* One column whose text is not ours to write, and the whole table is read as text. */
static bool texts_take(const pg_result *result, cdc_snapshot_table *table) {
    size_t count = table->relation.column_count;
    const cdc_binary_text **texts =
        core_arena_array(&table->arena, count > 0 ? count : 1, sizeof *texts);
    if (texts == NULL)
        return false;
    table->texts = count > 0 ? texts : NULL;
    for (size_t i = 0; i < count; i++) {
        texts[i] = cdc_binary_text_of(core_slice_text(pg_result_value(result, i, 12)));
        if (texts[i] == NULL)
            table->texts = NULL;
    }
    return true;
}

static bool columns_take(const pg_result *result, cdc_snapshot_table *table) {
    size_t count = pg_result_rows(result);
    if (count > CORE_COLUMNS_MAX)
        return false;
    core_column *columns = core_arena_array(&table->arena, count > 0 ? count : 1, sizeof *columns);
    cdc_snapshot_column *more =
        core_arena_array(&table->arena, count > 0 ? count : 1, sizeof *more);
    if (columns == NULL || more == NULL)
        return false;
    table->relation.columns = columns;
    table->relation.column_count = (uint16_t)count;
    table->columns = more;
    for (size_t i = 0; i < count; i++)
        if (!column_take(result, i, &table->arena, &columns[i], &more[i]))
            return false;
    return texts_take(result, table);
}

static bool columns_describe(pg_connection *connection, const pg_result *head,
                             cdc_snapshot_table *table, core_error *error) {
    const char *key_index = pg_result_value(head, 0, TABLE_KEY_INDEX);
    const char *const parameters[] = {
        pg_result_value(head, 0, TABLE_OID),
        key_index != NULL ? key_index : "0",
        pg_result_value(head, 0, TABLE_COLUMNS),
    };
    pg_result *result =
        pg_query_kept(connection, columns_sql, parameters, CORE_COUNT_OF(parameters), error);
    if (result == NULL)
        return false;
    bool ok = columns_take(result, table);
    pg_result_free(result);
    bool keyed = ok && key_take(table, number_of(pg_result_value(head, 0, TABLE_KEY_COLUMNS)));
    bool whole = table->relation.replica_identity == 'f' && table->published.updates;
    table->rows = keyed ? CDC_ROWS_KEYED : whole ? CDC_ROWS_WHOLE : CDC_ROWS_INSERTS;
    return (ok && shape_take(table) && places_take(table)) ||
           core_error_set(error, CORE_ERROR_LIMIT, "the table's description takes too much room");
}

/* ---- The table ---- */

static bool not_published(const pg_result *result, core_slice schema, core_slice name,
                          core_error *error) {
    bool is_root = pg_result_value(result, 0, TABLE_KIND)[0] == 'p';
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "table %.*s.%.*s is not published, so nothing would follow its rows; %s",
                          CORE_SLICE_ARGS(schema), CORE_SLICE_ARGS(name),
                          is_root ? "of a partitioned table the partitions may be: name one of them"
                                  : "add it to postgres.tables or to the publication");
}

static bool is_there(const pg_result *result, core_slice schema, core_slice name,
                     core_error *error) {
    if (pg_result_rows(result) == 0)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "there is no table \"%.*s\".\"%.*s\" in this database; names are "
                              "taken as written, case included",
                              CORE_SLICE_ARGS(schema), CORE_SLICE_ARGS(name));
    return pg_result_value(result, 0, TABLE_INSERTS) != NULL ||
           not_published(result, schema, name, error);
}

static bool head_take(const pg_result *result, core_slice schema, core_slice name,
                      cdc_snapshot_table *table) {
    core_relation *relation = &table->relation;
    const char *filter = pg_result_value(result, 0, TABLE_FILTER);
    relation->oid = (uint32_t)number_of(pg_result_value(result, 0, TABLE_OID));
    relation->replica_identity = pg_result_value(result, 0, TABLE_IDENTITY)[0];
    relation->schema = core_arena_copy(&table->arena, schema);
    relation->table = core_arena_copy(&table->arena, name);
    table->is_root = pg_result_value(result, 0, TABLE_KIND)[0] == 'p';
    table->expected_rows = number_of(pg_result_value(result, 0, TABLE_ROWS));
    table->blocks = number_of(pg_result_value(result, 0, TABLE_BLOCKS));
    table->born = (uint32_t)number_of(pg_result_value(result, 0, TABLE_BORN));
    table->published = (cdc_published){
        .inserts = is_true(pg_result_value(result, 0, TABLE_INSERTS)),
        .updates = is_true(pg_result_value(result, 0, TABLE_UPDATES)),
        .deletes = is_true(pg_result_value(result, 0, TABLE_DELETES)),
        .truncates = is_true(pg_result_value(result, 0, TABLE_TRUNCATES)),
    };
    return relation->schema.data != NULL && relation->table.data != NULL &&
           (filter == NULL || text_take(&table->arena, filter, &table->filter));
}

bool cdc_snapshot_table_describe(pg_connection *connection, const cdc_snapshot_scope *scope,
                                 core_slice schema, core_slice table, cdc_snapshot_table *described,
                                 core_error *error) {
    char schema_text[64];
    char table_text[64];
    cdc_snapshot_table_fini(described);
    core_arena_init(&described->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    if (!core_slice_to_text(schema, schema_text, sizeof schema_text) ||
        !core_slice_to_text(table, table_text, sizeof table_text))
        return core_error_set(error, CORE_ERROR_CONFIG, "a name is longer than 63 bytes");
    const char *const parameters[] = {schema_text, table_text, scope->publication,
                                      scope->inserts_publication};
    pg_result *result = pg_query_kept(connection, table_sql, parameters, 4, error);
    if (result == NULL)
        return false;
    bool ok = is_there(result, schema, table, error);
    if (ok && !head_take(result, schema, table, described))
        ok = core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a table's description");
    ok = ok && columns_describe(connection, result, described, error);
    pg_result_free(result);
    return ok;
}

void cdc_snapshot_table_fini(cdc_snapshot_table *table) {
    core_arena_fini(&table->arena);
    *table = (cdc_snapshot_table){0};
}

bool cdc_snapshot_key_check(const cdc_snapshot_table *table, core_slice key, core_error *error) {
    return core_slice_equal(table->places, key) ||
           core_error_set(error, CORE_ERROR_CONFIG,
                          "the key of \"%.*s\".\"%.*s\" changed while it was read: its rows "
                          "cannot be walked on from where it stopped; start another snapshot",
                          CORE_SLICE_ARGS(table->relation.schema),
                          CORE_SLICE_ARGS(table->relation.table));
}

size_t cdc_snapshot_place_length(const cdc_snapshot_table *table) {
    return table->rows == CDC_ROWS_KEYED ? table->key_count : 1;
}
