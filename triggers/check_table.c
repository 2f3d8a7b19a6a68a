/* See check_table.h. Of a partitioned table the partitions' replica identities count, and the
 * root's columns. */
#include "triggers/check_table.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_CHUNK_BYTES ((size_t)16384)
#define ARENA_MAX_BYTES   ((size_t)4 << 20)

static const char table_sql[] =
    "WITH leaf AS (SELECT c.oid, c.relreplident, c.reltoastrelid FROM pg_catalog.pg_class c"
    "   WHERE c.oid IN (SELECT $1::oid UNION ALL"
    "     SELECT t.relid FROM pg_catalog.pg_partition_tree($1::oid::regclass) t WHERE t.isleaf)"
    "   AND c.relkind = 'r'),"
    " published AS (SELECT c.oid, p.pubname::text FROM pg_catalog.pg_publication_tables p"
    "   JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname"
    "   JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename"
    "   WHERE p.pubname::text IN ($2::text, $2::text || '_inserts')"
    "   AND (c.oid = $1::oid OR c.oid IN (SELECT oid FROM leaf)))"
    "SELECT (SELECT CASE WHEN count(DISTINCT relreplident) > 1 THEN 'n'"
    "          ELSE coalesce(min(relreplident::text), 'd') END FROM leaf),"
    " (SELECT coalesce(sum(pg_catalog.pg_relation_size(l.reltoastrelid::regclass)), 0) > 0"
    "    FROM leaf l WHERE l.reltoastrelid <> 0),"
    " EXISTS (SELECT FROM published p WHERE p.oid = $1::oid),"
    " (SELECT min(p.pubname) FROM published p WHERE p.oid <> $1::oid),"
    " (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = $1::oid)";

static const char columns_sql[] =
    "WITH RECURSIVE under(type, oid) AS ("
    "  SELECT DISTINCT a.atttypid, a.atttypid FROM pg_catalog.pg_attribute a"
    "    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped"
    "  UNION SELECT u.type, t.typbasetype FROM under u"
    "    JOIN pg_catalog.pg_type t ON t.oid = u.oid WHERE t.typtype = 'd'),"
    " base AS (SELECT u.type, t.oid, t.typtype FROM under u"
    "    JOIN pg_catalog.pg_type t ON t.oid = u.oid WHERE t.typtype <> 'd')"
    "SELECT a.attname, t.typname, a.atttypid::bigint, a.atttypmod,"
    " CASE WHEN b.oid = a.atttypid THEN 0 ELSE b.oid::bigint END,"
    " CASE WHEN b.oid < 16384 THEN 0 ELSE coalesce((SELECT e.oid::bigint FROM pg_catalog.pg_type e"
    "   WHERE e.typarray = b.oid), 0) END,"
    " b.typtype = 'e', CASE WHEN a.attcollation IN (0, 100) THEN 0"
    "   WHEN (SELECT c.collname IN ('C', 'POSIX') FROM pg_catalog.pg_collation c"
    "     WHERE c.oid = a.attcollation) THEN 1"
    "   WHEN (SELECT c.collisdeterministic FROM pg_catalog.pg_collation c"
    "     WHERE c.oid = a.attcollation) THEN 2 ELSE 3 END,"
    " a.attgenerated <> '', a.attlen < 0 AND a.attstorage <> 'p',"
    " EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = $1::oid AND i.indisprimary"
    "   AND a.attnum = ANY (i.indkey)),"
    " EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = $1::oid AND i.indisreplident"
    "   AND a.attnum = ANY (i.indkey)),"
    " CASE WHEN b.typtype = 'e' THEN (SELECT json_agg(e.enumlabel)::text"
    "   FROM pg_catalog.pg_enum e WHERE e.enumtypid = b.oid) END"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " JOIN base b ON b.type = a.atttypid"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

enum {
    COLUMN_NAME,
    COLUMN_TYPE_NAME,
    COLUMN_TYPE,
    COLUMN_TYPMOD,
    COLUMN_BASE,
    COLUMN_ELEMENT,
    COLUMN_IS_ENUM,
    COLUMN_COLLATION,
    COLUMN_IS_GENERATED,
    COLUMN_IS_TOASTABLE,
    COLUMN_IN_PRIMARY,
    COLUMN_IN_IDENTITY,
    COLUMN_LABELS,
};

/* ---- Nearest names ---- */

void triggers_nearest(const char *name, const char *candidate,
                      char nearest[CORE_TENANT_SCHEMA_SIZE]) {
    char small[CORE_TENANT_SCHEMA_SIZE] = "", other[CORE_TENANT_SCHEMA_SIZE] = "";
    for (size_t i = 0; name[i] != '\0' && i < sizeof small - 1; i++)
        small[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    for (size_t i = 0; candidate[i] != '\0' && i < sizeof other - 1; i++)
        other[i] = (char)(candidate[i] >= 'A' && candidate[i] <= 'Z' ? candidate[i] - 'A' + 'a'
                                                                     : candidate[i]);
    size_t distance = core_text_distance(small, other);
    size_t best = *nearest != '\0' ? core_text_distance(name, nearest) : strlen(name) / 3 + 2;
    if (distance < best)
        (void)snprintf(nearest, CORE_TENANT_SCHEMA_SIZE, "%s", candidate);
}

static bool nearest_ask(pg_connection *connection, const char *sql, const char *schema,
                        const char *name, char nearest[CORE_TENANT_SCHEMA_SIZE],
                        core_error *error) {
    pg_result *result = pg_query(connection, sql, &schema, schema != NULL, error);
    if (result == NULL)
        return false;
    for (size_t i = 0; i < pg_result_rows(result); i++)
        triggers_nearest(name, pg_result_value(result, i, 0), nearest);
    pg_result_free(result);
    return true;
}

/* ---- The table ---- */

static bool is_true(const pg_result *result, size_t row, size_t column) {
    const char *value = pg_result_value(result, row, column);
    return value != NULL && *value == 't';
}

static int64_t number_of(const pg_result *result, size_t row, size_t column) {
    int64_t number = 0;
    const char *value = pg_result_value(result, row, column);
    return value != NULL && core_slice_to_i64(core_slice_text(value), &number) ? number : 0;
}

/* An array of JSON; where memory is out they are not known, and any text is taken for one. */
static void labels_read(const char *json, core_arena *arena, expr_column_facts *facts) {
    core_json_reader reader = core_json_reader_make(core_slice_text(json != NULL ? json : "[]"));
    size_t count = 0, most = strlen(json != NULL ? json : "") / 3 + 1; /* "", and a comma */
    core_slice *labels = json != NULL ? core_arena_array(arena, most, sizeof *labels) : NULL;
    if (labels == NULL || core_json_next(&reader).kind != CORE_JSON_ARRAY_OPEN)
        return;
    for (core_json_token token = core_json_next(&reader);
         token.kind == CORE_JSON_STRING && count < most; token = core_json_next(&reader)) {
        uint8_t *room = core_arena_alloc(arena, token.raw.length + 1);
        core_buffer label = core_buffer_over(room, room != NULL ? token.raw.length + 1 : 0);
        if (room == NULL || !core_json_unescape(token.raw, &label))
            return;
        labels[count++] = core_buffer_slice(&label);
    }
    facts->labels = labels;
    facts->label_count = count;
}

static bool column_read(const pg_result *result, size_t row, triggers_check_table *table,
                        core_column *column, expr_column_facts *facts,
                        triggers_check_column *checked) {
    core_slice name = core_slice_text(pg_result_value(result, row, COLUMN_NAME));
    core_slice type = core_slice_text(pg_result_value(result, row, COLUMN_TYPE_NAME));
    char identity = table->relation.replica_identity;
    *checked = (triggers_check_column){
        .in_primary_key = is_true(result, row, COLUMN_IN_PRIMARY),
        .is_generated = is_true(result, row, COLUMN_IS_GENERATED),
        .is_toastable = is_true(result, row, COLUMN_IS_TOASTABLE),
    };
    checked->in_identity = identity == 'f' || (identity == 'd' && checked->in_primary_key) ||
                           (identity == 'i' && is_true(result, row, COLUMN_IN_IDENTITY));
    *column = (core_column){
        .name = core_arena_copy(&table->arena, name),
        .type_name = core_arena_copy(&table->arena, type),
        .type_oid = (uint32_t)number_of(result, row, COLUMN_TYPE),
        .typmod = (int32_t)number_of(result, row, COLUMN_TYPMOD),
        .key = checked->in_identity,
        .base_oid = (uint32_t)number_of(result, row, COLUMN_BASE),
        .element_oid = (uint32_t)number_of(result, row, COLUMN_ELEMENT),
    };
    *facts = (expr_column_facts){
        .collation = (expr_collation)number_of(result, row, COLUMN_COLLATION),
        .is_enum = is_true(result, row, COLUMN_IS_ENUM),
    };
    labels_read(pg_result_value(result, row, COLUMN_LABELS), &table->arena, facts);
    table->has_identity |= checked->in_identity;
    return column->name.data != NULL && column->type_name.data != NULL;
}

static bool columns_read(const pg_result *result, triggers_check_table *table, core_error *error) {
    size_t count = pg_result_rows(result);
    core_column *columns = core_arena_array(&table->arena, count, sizeof *columns);
    triggers_check_column *checked = core_arena_array(&table->arena, count, sizeof *checked);
    expr_column_facts *facts = core_arena_array(&table->arena, count, sizeof *facts);
    core_slice *keys = core_arena_array(&table->arena, count, sizeof *keys);
    size_t key_count = 0;
    bool ok = columns != NULL && checked != NULL && facts != NULL && keys != NULL &&
              count <= CORE_COLUMNS_MAX;
    for (size_t i = 0; ok && i < count; i++) {
        ok = column_read(result, i, table, &columns[i], &facts[i], &checked[i]);
        if (ok && checked[i].in_primary_key)
            keys[key_count++] = columns[i].name;
    }
    table->relation.columns = columns;
    table->relation.column_count = (uint16_t)count;
    table->columns = checked;
    table->facts = (triggers_relation_facts){
        .columns = facts, .primary_key = keys, .primary_key_count = key_count};
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the table's columns");
}

static bool table_read(pg_connection *connection, const char *oid, const char *publication,
                       triggers_check_table *table, core_error *error) {
    const char *parameters[] = {oid, publication};
    pg_result *result = pg_query(connection, table_sql, parameters, 2, error);
    if (result == NULL)
        return false;
    table->relation.replica_identity = *pg_result_value(result, 0, 0);
    table->holds_long_values = is_true(result, 0, 1);
    table->is_published = is_true(result, 0, 2);
    table->is_partitioned = is_true(result, 0, 4);
    if (!table->is_published && pg_result_value(result, 0, 3) != NULL)
        table->parts_publication =
            core_arena_copy(&table->arena, core_slice_text(pg_result_value(result, 0, 3)));
    pg_result_free(result);
    result = pg_query(connection, columns_sql, parameters, 1, error);
    bool ok = result != NULL && columns_read(result, table, error);
    pg_result_free(result);
    return ok;
}

/* Its oid as text. */
static triggers_table_result table_find(pg_connection *connection, const char *schema,
                                        const char *name, char oid[16], core_error *error) {
    static const char sql[] =
        "SELECT c.oid::text, c.relkind IN ('r', 'p') FROM pg_catalog.pg_namespace n"
        " LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $2"
        " WHERE n.nspname = $1";
    const char *parameters[] = {schema, name};
    pg_result *result = pg_query(connection, sql, parameters, 2, error);
    if (result == NULL)
        return TRIGGERS_TABLE_FAILED;
    triggers_table_result found = TRIGGERS_TABLE_FOUND;
    if (pg_result_rows(result) == 0)
        found = TRIGGERS_TABLE_NO_SCHEMA;
    else if (pg_result_value(result, 0, 0) == NULL)
        found = TRIGGERS_TABLE_NONE;
    else if (!is_true(result, 0, 1))
        found = TRIGGERS_TABLE_OTHER;
    else
        (void)snprintf(oid, 16, "%s", pg_result_value(result, 0, 0));
    pg_result_free(result);
    return found;
}

triggers_table_result triggers_check_table_read(pg_connection *connection, const char *publication,
                                                const char *schema, const char *name,
                                                triggers_check_table *table,
                                                char nearest[CORE_TENANT_SCHEMA_SIZE],
                                                core_error *error) {
    char oid[16];
    *table = (triggers_check_table){.has_identity = false};
    *nearest = '\0';
    core_arena_init(&table->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    triggers_table_result found = table_find(connection, schema, name, oid, error);
    bool asked = true;
    if (found == TRIGGERS_TABLE_NO_SCHEMA)
        asked = nearest_ask(connection, "SELECT nspname FROM pg_catalog.pg_namespace", NULL, schema,
                            nearest, error);
    if (found == TRIGGERS_TABLE_NONE)
        asked = nearest_ask(connection,
                            "SELECT c.relname FROM pg_catalog.pg_class c JOIN "
                            "pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                            " WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') LIMIT 10000",
                            schema, name, nearest, error);
    if (found == TRIGGERS_TABLE_FOUND) {
        table->relation.schema = core_arena_copy(&table->arena, core_slice_text(schema));
        table->relation.table = core_arena_copy(&table->arena, core_slice_text(name));
        asked = table_read(connection, oid, publication, table, error);
    }
    return asked ? found : TRIGGERS_TABLE_FAILED;
}

void triggers_check_table_fini(triggers_check_table *table) {
    core_arena_fini(&table->arena);
}

int triggers_check_column_find(const triggers_check_table *table, const char *name) {
    for (int i = 0; i < table->relation.column_count; i++)
        if (core_slice_is(table->relation.columns[i].name, name))
            return i;
    return -1;
}
