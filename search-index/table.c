/* See table.h. */
#include "search-index/table.h"

#include <stdio.h>

#define ARENA_CHUNK_BYTES ((size_t)16384)
#define ARENA_MAX_BYTES   ((size_t)4 << 20)

static const char find_sql[] =
    "WITH published AS (SELECT c.oid, p.pubname::text FROM pg_catalog.pg_publication_tables p"
    "   JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname"
    "   JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename"
    "   WHERE p.pubname::text IN ($3::text, $3::text || '_inserts'))"
    "SELECT c.oid::text, CASE WHEN c.relkind = 'p' THEN"
    "   coalesce((SELECT CASE WHEN count(DISTINCT l.relreplident) > 1 THEN 'n'"
    "     ELSE min(l.relreplident::text) END FROM pg_catalog.pg_partition_tree(c.oid::regclass) t"
    "     JOIN pg_catalog.pg_class l ON l.oid = t.relid WHERE t.isleaf), 'd')"
    "   ELSE c.relreplident::text END,"
    " EXISTS (SELECT FROM published p WHERE p.oid = c.oid),"
    " CASE WHEN c.relkind = 'p' THEN (SELECT min(p.pubname) FROM published p"
    "   JOIN pg_catalog.pg_partition_tree(c.oid::regclass) t ON t.relid = p.oid"
    "   WHERE t.isleaf) END"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";

static const char columns_sql[] =
    "WITH RECURSIVE under(type, oid) AS ("
    "  SELECT DISTINCT a.atttypid, a.atttypid FROM pg_catalog.pg_attribute a"
    "    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
    "  UNION SELECT u.type, t.typbasetype FROM under u"
    "    JOIN pg_catalog.pg_type t ON t.oid = u.oid WHERE t.typtype = 'd'),"
    " base AS (SELECT u.type, t.oid FROM under u"
    "    JOIN pg_catalog.pg_type t ON t.oid = u.oid WHERE t.typtype <> 'd')"
    "SELECT a.attname, t.typname, a.atttypid::bigint, a.atttypmod,"
    " CASE WHEN b.oid = a.atttypid THEN 0 ELSE b.oid::bigint END,"
    " CASE WHEN b.oid < 16384 THEN 0 ELSE coalesce((SELECT e.oid::bigint FROM pg_catalog.pg_type e"
    "   WHERE e.typarray = b.oid), 0) END,"
    " coalesce((SELECT array_position(i.indkey::int2[], a.attnum) FROM pg_catalog.pg_index i"
    "   WHERE i.indrelid = $1::oid AND i.indisprimary), -1),"
    " EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = $1::oid AND i.indisreplident"
    "   AND a.attnum = ANY (i.indkey))"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " JOIN base b ON b.type = a.atttypid"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
    "   AND a.attgenerated = '' ORDER BY a.attnum";

static const char near_sql[] =
    "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
    " ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') LIMIT 10000";

enum {
    COLUMN_NAME,
    COLUMN_TYPE_NAME,
    COLUMN_TYPE,
    COLUMN_TYPMOD,
    COLUMN_BASE,
    COLUMN_ELEMENT,
    COLUMN_KEY_PLACE,
    COLUMN_IN_IDENTITY,
};

static int64_t number_of(const pg_result *result, size_t row, size_t column) {
    int64_t number = 0;
    const char *value = pg_result_value(result, row, column);
    return value != NULL && core_slice_to_i64(core_slice_text(value), &number) ? number : 0;
}

static bool is_true(const pg_result *result, size_t row, size_t column) {
    const char *value = pg_result_value(result, row, column);
    return value != NULL && *value == 't';
}

/* ---- Columns ---- */

static bool column_read(const pg_result *result, size_t row, search_live_table *table,
                        core_column *column, core_slice *key) {
    char identity = table->relation.replica_identity;
    int64_t place = number_of(result, row, COLUMN_KEY_PLACE);
    bool in_primary = place >= 0 && pg_result_value(result, row, COLUMN_KEY_PLACE) != NULL;
    *column = (core_column){
        .name = core_arena_copy(&table->arena,
                                core_slice_text(pg_result_value(result, row, COLUMN_NAME))),
        .type_name = core_arena_copy(
            &table->arena, core_slice_text(pg_result_value(result, row, COLUMN_TYPE_NAME))),
        .type_oid = (uint32_t)number_of(result, row, COLUMN_TYPE),
        .typmod = (int32_t)number_of(result, row, COLUMN_TYPMOD),
        .base_oid = (uint32_t)number_of(result, row, COLUMN_BASE),
        .element_oid = (uint32_t)number_of(result, row, COLUMN_ELEMENT),
        .key = identity == 'f' || (identity == 'd' && in_primary) ||
               (identity == 'i' && is_true(result, row, COLUMN_IN_IDENTITY)),
    };
    if (in_primary && place < SEARCH_KEY_COLUMNS_MAX) {
        key[place] = column->name; /* int2vector counts from 0 */
        table->key_count++;
    }
    return column->name.data != NULL && column->type_name.data != NULL;
}

static bool columns_read(const pg_result *result, search_live_table *table, core_error *error) {
    size_t count = pg_result_rows(result);
    core_column *columns = core_arena_array(&table->arena, count + 1, sizeof *columns);
    core_slice *key = core_arena_array(&table->arena, SEARCH_KEY_COLUMNS_MAX, sizeof *key);
    bool ok = columns != NULL && key != NULL && count <= CORE_COLUMNS_MAX;
    for (size_t i = 0; ok && i < count; i++)
        ok = column_read(result, i, table, &columns[i], key);
    table->relation.columns = columns;
    table->relation.column_count = (uint16_t)count;
    table->key = key;
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the table's columns");
}

/* ---- The table ---- */

static void nearer(const char *name, const char *candidate, char *nearest, size_t size) {
    size_t distance = core_text_distance(name, candidate);
    size_t best = *nearest != '\0' ? core_text_distance(name, nearest) : strlen(name) / 3 + 2;
    if (distance < best)
        (void)snprintf(nearest, size, "%s", candidate);
}

static bool nearest_ask(pg_connection *connection, const char *schema, const char *name,
                        char nearest[SEARCH_IDENTIFIER_MAX + 1], core_error *error) {
    pg_result *result = pg_query(connection, near_sql, &schema, 1, error);
    if (result == NULL)
        return false;
    for (size_t i = 0; i < pg_result_rows(result); i++)
        nearer(name, pg_result_value(result, i, 0), nearest, SEARCH_IDENTIFIER_MAX + 1);
    pg_result_free(result);
    return true;
}

static bool found_read(pg_connection *connection, const pg_result *found, const char *schema,
                       const char *name, search_live_table *table, core_error *error) {
    const char *oid = pg_result_value(found, 0, 0);
    table->relation.replica_identity = *pg_result_value(found, 0, 1);
    table->is_published = is_true(found, 0, 2);
    if (!table->is_published && pg_result_value(found, 0, 3) != NULL)
        table->parts_publication =
            core_arena_copy(&table->arena, core_slice_text(pg_result_value(found, 0, 3)));
    table->relation.schema = core_arena_copy(&table->arena, core_slice_text(schema));
    table->relation.table = core_arena_copy(&table->arena, core_slice_text(name));
    pg_result *columns = pg_query(connection, columns_sql, &oid, 1, error);
    bool ok = columns != NULL && columns_read(columns, table, error);
    pg_result_free(columns);
    return ok;
}

search_table_result search_table_read(pg_connection *connection, const char *publication,
                                      const char *schema, const char *name,
                                      search_live_table *table,
                                      char nearest[SEARCH_IDENTIFIER_MAX + 1], core_error *error) {
    const char *parameters[] = {schema, name, publication};
    *table = (search_live_table){.key_count = 0};
    *nearest = '\0';
    core_arena_init(&table->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    pg_result *found = pg_query(connection, find_sql, parameters, 3, error);
    if (found == NULL)
        return SEARCH_TABLE_FAILED;
    bool is_there = pg_result_rows(found) > 0;
    bool ok = is_there ? found_read(connection, found, schema, name, table, error)
                       : nearest_ask(connection, schema, name, nearest, error);
    pg_result_free(found);
    if (!ok)
        return SEARCH_TABLE_FAILED;
    return is_there ? SEARCH_TABLE_FOUND : SEARCH_TABLE_NONE;
}

void search_table_fini(search_live_table *table) {
    core_arena_fini(&table->arena);
}

int search_table_column(const search_live_table *table, core_slice name) {
    for (int i = 0; i < table->relation.column_count; i++)
        if (core_slice_equal(table->relation.columns[i].name, name))
            return i;
    return -1;
}

const char *search_table_nearest(const search_live_table *table, core_slice name) {
    char wanted[SEARCH_IDENTIFIER_MAX + 1];
    const char *nearest = "";
    size_t best = name.length / 3 + 2;
    if (!core_slice_to_text(name, wanted, sizeof wanted))
        return "";
    for (int i = 0; i < table->relation.column_count; i++) {
        const char *candidate = (const char *)table->relation.columns[i].name.data;
        size_t distance = core_text_distance(wanted, candidate);
        if (distance < best) {
            best = distance;
            nearest = candidate;
        }
    }
    return nearest;
}
