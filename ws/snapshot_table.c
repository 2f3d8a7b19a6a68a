/* See snapshot_table.h. */
#include "ws/snapshot_table.h"

#include <stdio.h>

enum { NAME_SIZE = 64 };

enum { TABLE_OID, TABLE_KIND, TABLE_IDENTITY, TABLE_PUBLISHED, TABLE_FILTER, TABLE_COLUMNS };
/* $1 schema, $2 table, $3 the publication, beside which cdc may keep one for tables without a key.
 * Which columns and rows are published PostgreSQL tells since 15; before, all are. */
static const char table_sql[] =
    "SELECT c.oid, c.relkind, c.relreplident, p.published, p.filter, p.attnames"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
    " LATERAL (SELECT count(*) > 0 AS published,"
    "   CASE WHEN bool_and(t.row ->> 'rowfilter' IS NOT NULL)"
    "    THEN string_agg('(' || (t.row ->> 'rowfilter') || ')', ' OR ') END AS filter,"
    "   min(t.row ->> 'attnames') AS attnames"
    "  FROM (SELECT to_jsonb(v) AS row FROM pg_publication_tables v"
    "   WHERE v.pubname::text IN ($3::text, left($3::text, 55) || '_inserts')"
    "   AND v.schemaname = n.nspname AND v.tablename = c.relname) t) p"
    " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";

enum {
    COLUMN_NAME,
    COLUMN_TYPE,
    COLUMN_TYPMOD,
    COLUMN_TYPE_NAME,
    COLUMN_KEY,
    COLUMN_BASE,
    COLUMN_ELEMENT,
    COLUMN_DELIMITER,
};
/* $1 the table's OID, $2 the published columns as JSON. Of each type what it is under all domains,
 * and where that is an array its elements' type under all domains and their delimiter. A domain
 * goes by the name of what it is over, as pgoutput has it. */
static const char columns_sql[] =
    "WITH RECURSIVE columns AS (SELECT a.attnum, a.attname, a.atttypid, a.atttypmod,"
    "   c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid"
    "    AND CASE c.relreplident WHEN 'd' THEN i.indisprimary AND i.indimmediate"
    "     WHEN 'i' THEN i.indisreplident ELSE false END"
    "    AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])) AS key"
    "  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    "  WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
    "   AND (a.attgenerated = '' OR current_setting('server_version_num')::int >= 180000)"
    "   AND ($2::jsonb IS NULL OR $2::jsonb ? a.attname::text)),"
    " under(type, oid) AS (SELECT atttypid, atttypid FROM columns"
    "  UNION SELECT u.type, t.typbasetype FROM under u JOIN pg_type t ON t.oid = u.oid"
    "  WHERE t.typtype = 'd'),"
    " base(type, oid) AS (SELECT u.type, t.oid FROM under u JOIN pg_type t ON t.oid = u.oid"
    "  WHERE t.typtype <> 'd'),"
    " element(type, oid, delimiter) AS (SELECT b.type, e.oid, e.typdelim FROM base b"
    "   JOIN pg_type e ON e.typarray = b.oid"
    "  UNION SELECT e.type, t.typbasetype, e.delimiter FROM element e"
    "   JOIN pg_type t ON t.oid = e.oid WHERE t.typtype = 'd')"
    "SELECT c.attname, c.atttypid, c.atttypmod, n.typname, c.key, b.oid, f.oid, f.delimiter"
    " FROM columns c JOIN base b ON b.type = c.atttypid JOIN pg_type n ON n.oid = b.oid"
    " LEFT JOIN (SELECT e.* FROM element e JOIN pg_type t ON t.oid = e.oid AND t.typtype <> 'd') f"
    "  ON f.type = c.atttypid ORDER BY c.attnum";

static uint32_t oid_of(const char *text) {
    uint64_t oid = 0;
    bool ok = text != NULL && core_slice_to_u64(core_slice_text(text), &oid) && oid <= UINT32_MAX;
    return ok ? (uint32_t)oid : 0;
}

static bool is_true(const char *text) {
    return text != NULL && text[0] == 't';
}

static bool text_take(core_arena *arena, const char *text, core_slice *slice) {
    *slice = core_arena_copy(arena, core_slice_text(text));
    return slice->data != NULL;
}

/* What the stream tells of a type: nothing of one that is built in. */
static void column_type_take(const pg_result *result, size_t row, core_column *column) {
    uint32_t base_oid = oid_of(pg_result_value(result, row, COLUMN_BASE));
    const char *delimiter = pg_result_value(result, row, COLUMN_DELIMITER);
    if (core_type_name(column->type_oid) != NULL)
        return;
    column->base_oid = base_oid != column->type_oid ? base_oid : 0;
    if (core_type_element(base_oid) != 0)
        return;
    column->element_oid = oid_of(pg_result_value(result, row, COLUMN_ELEMENT));
    if (column->element_oid != 0 && delimiter != NULL && delimiter[0] != ',')
        column->delimiter = delimiter[0];
}

static bool column_take(const pg_result *result, size_t row, core_arena *arena,
                        core_column *column) {
    int64_t typmod = 0;
    bool ok =
        text_take(arena, pg_result_value(result, row, COLUMN_NAME), &column->name) &&
        text_take(arena, pg_result_value(result, row, COLUMN_TYPE_NAME), &column->type_name) &&
        core_slice_to_i64(core_slice_text(pg_result_value(result, row, COLUMN_TYPMOD)), &typmod);
    column->type_oid = oid_of(pg_result_value(result, row, COLUMN_TYPE));
    column->typmod = (int32_t)typmod;
    column->key = is_true(pg_result_value(result, row, COLUMN_KEY));
    column_type_take(result, row, column);
    return ok;
}

static bool columns_take(const pg_result *result, core_arena *arena, core_relation *relation,
                         core_error *error) {
    size_t count = pg_result_rows(result);
    core_column *columns =
        count <= CORE_COLUMNS_MAX ? core_arena_array(arena, count + 1, sizeof *columns) : NULL;
    bool ok = columns != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        columns[i] = (core_column){.type_oid = 0};
        ok = column_take(result, i, arena, &columns[i]);
    }
    relation->columns = columns;
    relation->column_count = (uint16_t)count;
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a table's columns");
}

static bool head_check(const pg_result *result, core_slice schema, core_slice table,
                       core_error *error) {
    if (pg_result_rows(result) == 0)
        return core_error_set(error, CORE_ERROR_CONFIG, "there is no table %.*s.%.*s",
                              CORE_SLICE_ARGS(schema), CORE_SLICE_ARGS(table));
    if (is_true(pg_result_value(result, 0, TABLE_PUBLISHED)))
        return true;
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "table %.*s.%.*s is not published, so no change would follow its rows; "
                          "add it to postgres.tables or to the publication (of a partitioned table "
                          "the partitions may be: name one of them)",
                          CORE_SLICE_ARGS(schema), CORE_SLICE_ARGS(table));
}

static bool head_take(const pg_result *result, core_slice schema, core_slice table,
                      core_arena *arena, ws_snapshot_table *described, core_error *error) {
    const char *filter = pg_result_value(result, 0, TABLE_FILTER);
    *described = (ws_snapshot_table){
        .relation = {.oid = oid_of(pg_result_value(result, 0, TABLE_OID)),
                     .schema = core_arena_copy(arena, schema),
                     .table = core_arena_copy(arena, table),
                     .replica_identity = pg_result_value(result, 0, TABLE_IDENTITY)[0]},
        .is_root = pg_result_value(result, 0, TABLE_KIND)[0] == 'p',
    };
    bool ok = described->relation.schema.data != NULL && described->relation.table.data != NULL &&
              (filter == NULL || text_take(arena, filter, &described->filter));
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a table");
}

bool ws_snapshot_table_describe(pg_connection *connection, const char *publication,
                                core_slice schema, core_slice table, core_arena *arena,
                                ws_snapshot_table *described, core_error *error) {
    char names[2][NAME_SIZE];
    if (!core_slice_to_text(schema, names[0], NAME_SIZE) ||
        !core_slice_to_text(table, names[1], NAME_SIZE))
        return core_error_set(error, CORE_ERROR_CONFIG, "a name is longer than 63 bytes");
    const char *const question[] = {names[0], names[1], publication};
    pg_result *head = pg_query(connection, table_sql, question, 3, error);
    if (head == NULL)
        return false;
    bool ok = head_check(head, schema, table, error) &&
              head_take(head, schema, table, arena, described, error);
    pg_result *columns = NULL;
    if (ok) {
        const char *const of[] = {pg_result_value(head, 0, TABLE_OID),
                                  pg_result_value(head, 0, TABLE_COLUMNS)};
        columns = pg_query(connection, columns_sql, of, 2, error);
        ok = columns != NULL && columns_take(columns, arena, &described->relation, error);
    }
    pg_result_free(columns);
    pg_result_free(head);
    return ok;
}
