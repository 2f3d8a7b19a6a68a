/* The SQL by which a snapshot reads a table; see snapshot_table.h. Names go quoted, key values as
 * quoted literals with a cast. The session's search path is empty, so operators outside pg_catalog
 * are named with their schema: an ordering by another operator than the index's would skip rows. */
#include "cdc/snapshot_table.h"

/* A block is in the sample or not by chance: of a few, none may be. */
enum { SAMPLE_ROWS_A_PART = 100, SAMPLE_BLOCKS_MIN = 64, PARTITION_ROWS_A_BLOCK = 64 };

/* ---- Names and values ---- */

static void column_append(core_buffer *sql, const cdc_snapshot_table *table, size_t column) {
    core_buffer_text(sql, "t.");
    pg_identifier_append(sql, table->relation.columns[column].name);
}

static void from_append(core_buffer *sql, const cdc_snapshot_table *table) {
    core_buffer_text(sql, table->is_root ? " FROM " : " FROM ONLY ");
    pg_identifier_append(sql, table->relation.schema);
    core_buffer_u8(sql, '.');
    pg_identifier_append(sql, table->relation.table);
    core_buffer_text(sql, " AS t");
}

static bool is_keyed(const cdc_snapshot_table *table) {
    return table->rows == CDC_ROWS_KEYED;
}

static void place_column_append(core_buffer *sql, const cdc_snapshot_table *table, size_t at) {
    if (is_keyed(table))
        column_append(sql, table, table->key[at]);
    else
        core_buffer_text(sql, "t.ctid");
}

static void place_value_append(core_buffer *sql, const cdc_snapshot_table *table, size_t at,
                               core_slice value) {
    pg_literal_append(sql, value);
    core_buffer_text(sql, "::");
    if (is_keyed(table))
        core_buffer_slice_append(sql, table->columns[table->key[at]].type_sql);
    else
        core_buffer_text(sql, "pg_catalog.tid");
}

/* ` OPERATOR("schema".>) `, or plainly what the empty search path finds. */
static void operator_append(core_buffer *sql, const cdc_snapshot_table *table, size_t at,
                            const char *operator_name) {
    core_slice schema = is_keyed(table) ? table->columns[table->key[at]].operator_schema
                                        : core_slice_text("pg_catalog");
    if (core_slice_is(schema, "pg_catalog")) {
        core_buffer_format(sql, " %s ", operator_name);
        return;
    }
    core_buffer_text(sql, " OPERATOR(");
    pg_identifier_append(sql, schema);
    core_buffer_format(sql, ".%s) ", operator_name);
}

static void comparison_append(core_buffer *sql, const cdc_snapshot_table *table, size_t at,
                              const char *operator_name, core_slice value) {
    place_column_append(sql, table, at);
    operator_append(sql, table, at, operator_name);
    place_value_append(sql, table, at, value);
}

/* ---- Bounds ---- */

static bool has_foreign_operator(const cdc_snapshot_table *table) {
    for (size_t i = 0; is_keyed(table) && i < table->key_count; i++)
        if (!core_slice_is(table->columns[table->key[i]].operator_schema, "pg_catalog"))
            return true;
    return false;
}

/* (a, b) > (1, 2): one range of an index. */
static void row_bound_append(core_buffer *sql, const cdc_snapshot_table *table,
                             const char *operator_name, const core_slice *values) {
    size_t count = cdc_snapshot_place_length(table);
    core_buffer_u8(sql, '(');
    for (size_t i = 0; i < count; i++) {
        core_buffer_text(sql, i > 0 ? ", " : "");
        place_column_append(sql, table, i);
    }
    core_buffer_format(sql, ") %s (", operator_name);
    for (size_t i = 0; i < count; i++) {
        core_buffer_text(sql, i > 0 ? ", " : "");
        place_value_append(sql, table, i, values[i]);
    }
    core_buffer_u8(sql, ')');
}

/* (a > 1 OR (a = 1 AND (b > 2))): for operators that a row comparison cannot name. */
static void nested_after_append(core_buffer *sql, const cdc_snapshot_table *table,
                                const core_slice *values) {
    size_t count = cdc_snapshot_place_length(table);
    for (size_t i = 0; i < count; i++) {
        core_buffer_u8(sql, '(');
        comparison_append(sql, table, i, ">", values[i]);
        if (i + 1 == count)
            break;
        core_buffer_text(sql, " OR (");
        comparison_append(sql, table, i, "=", values[i]);
        core_buffer_text(sql, " AND ");
    }
    for (size_t i = 0; i + 1 < count; i++)
        core_buffer_text(sql, "))");
    core_buffer_u8(sql, ')');
}

static void after_append(core_buffer *sql, const cdc_snapshot_table *table,
                         const core_slice *values) {
    core_buffer_text(sql, " AND ");
    if (cdc_snapshot_place_length(table) == 1) {
        comparison_append(sql, table, 0, ">", values[0]);
        return;
    }
    if (!has_foreign_operator(table)) {
        row_bound_append(sql, table, ">", values);
        return;
    }
    comparison_append(sql, table, 0, ">=", values[0]);
    core_buffer_text(sql, " AND ");
    nested_after_append(sql, table, values);
}

static void up_to_append(core_buffer *sql, const cdc_snapshot_table *table,
                         const core_slice *values) {
    core_buffer_text(sql, " AND ");
    if (cdc_snapshot_place_length(table) == 1) {
        comparison_append(sql, table, 0, "<=", values[0]);
        return;
    }
    if (!has_foreign_operator(table)) {
        row_bound_append(sql, table, "<=", values);
        return;
    }
    comparison_append(sql, table, 0, "<=", values[0]);
    core_buffer_text(sql, " AND NOT ");
    nested_after_append(sql, table, values);
}

/* ( a = 1 AND b = 2 ) OR ...: only these keys. */
static void only_append(core_buffer *sql, const cdc_snapshot_table *table,
                        const cdc_snapshot_piece *piece) {
    size_t length = cdc_snapshot_place_length(table);
    core_buffer_text(sql, " AND (false");
    for (size_t key = 0; key < piece->only_count; key++) {
        for (size_t i = 0; i < length; i++) {
            core_buffer_text(sql, i > 0 ? " AND " : " OR (");
            comparison_append(sql, table, i, "=", piece->only[key * length + i]);
        }
        core_buffer_u8(sql, ')');
    }
    core_buffer_u8(sql, ')');
}

/* ---- Conditions ---- */

/* Rows whose transaction the snapshot `low` sees; a frozen row's id may be from long ago, below 3
 * it always is. The distance of two ids is taken modulo 2^32. */
static void low_append(core_buffer *sql, core_slice low) {
    core_visibility visibility = {0};
    if (low.length == 0 || !core_visibility_read(low, &visibility, NULL)) {
        core_visibility_fini(&visibility);
        return;
    }
    core_buffer_format(sql,
                       " AND (t.xmin::text::int8 < 3 OR ((t.xmin::text::int8 - %u::int8 +"
                       " 6442450944) %% 4294967296 - 2147483648) < 0) AND t.xmin::text <> ALL ('{",
                       (uint32_t)visibility.xmax);
    for (size_t i = 0; i < visibility.running.length; i++)
        core_buffer_format(sql, "%s%u", i > 0 ? "," : "", visibility.running.xids[i]);
    core_buffer_text(sql, "}'::text[])");
    core_visibility_fini(&visibility);
}

/* The newline ends a comment that the condition may end with. */
static void filter_append(core_buffer *sql, core_slice filter) {
    if (filter.length == 0)
        return;
    core_buffer_text(sql, " AND (");
    core_buffer_slice_append(sql, filter);
    core_buffer_text(sql, "\n)");
}

static void order_append(core_buffer *sql, const cdc_snapshot_table *table, uint64_t limit) {
    if (!is_keyed(table) || limit == 0)
        return;
    core_buffer_text(sql, " ORDER BY ");
    for (size_t i = 0; i < table->key_count; i++) {
        core_buffer_text(sql, i > 0 ? ", " : "");
        place_column_append(sql, table, i);
    }
    core_buffer_format(sql, " LIMIT %llu", (unsigned long long)limit);
}

/* ---- Statements ---- */

bool cdc_snapshot_places_follow(const cdc_snapshot_table *table, cdc_snapshot_format format) {
    return format == CDC_FORMAT_BINARY || !is_keyed(table);
}

static void columns_append(core_buffer *sql, const cdc_snapshot_table *table,
                           cdc_snapshot_format format) {
    for (size_t i = 0; i < table->relation.column_count; i++) {
        core_buffer_text(sql, i > 0 ? ", " : "");
        column_append(sql, table, i);
        if (format == CDC_FORMAT_BINARY && !table->columns[i].has_binary)
            core_buffer_text(sql, "::text");
    }
    if (!cdc_snapshot_places_follow(table, format))
        return;
    for (size_t i = 0; i < cdc_snapshot_place_length(table); i++) {
        core_buffer_text(sql, i > 0 || table->relation.column_count > 0 ? ", " : "");
        place_column_append(sql, table, i);
        core_buffer_text(sql, "::text");
    }
}

void cdc_snapshot_lock_sql(const cdc_snapshot_table *table, core_buffer *sql) {
    core_buffer_text(sql, table->is_root ? "LOCK TABLE " : "LOCK TABLE ONLY ");
    pg_identifier_append(sql, table->relation.schema);
    core_buffer_u8(sql, '.');
    pg_identifier_append(sql, table->relation.table);
    core_buffer_text(sql, " IN ACCESS SHARE MODE");
    core_buffer_u8(sql, '\0');
}

void cdc_snapshot_copy_sql(const cdc_snapshot_table *table, const cdc_snapshot_piece *piece,
                           core_buffer *sql) {
    core_buffer_text(sql, "COPY (SELECT ");
    columns_append(sql, table, piece->format);
    from_append(sql, table);
    core_buffer_text(sql, " WHERE true");
    if (piece->after != NULL)
        after_append(sql, table, piece->after);
    if (piece->up_to != NULL)
        up_to_append(sql, table, piece->up_to);
    if (piece->only != NULL)
        only_append(sql, table, piece);
    if (!is_keyed(table))
        low_append(sql, piece->low);
    filter_append(sql, table->filter);
    filter_append(sql, piece->filter);
    order_append(sql, table, piece->limit);
    core_buffer_text(sql, piece->format == CDC_FORMAT_TEXT ? ") TO STDOUT"
                                                           : ") TO STDOUT (FORMAT binary)");
    core_buffer_u8(sql, '\0');
}

void cdc_snapshot_filter_sql(const cdc_snapshot_table *table, core_slice filter, core_buffer *sql) {
    core_buffer_text(sql, "SELECT $1::text");
    from_append(sql, table);
    core_buffer_text(sql, " WHERE true");
    filter_append(sql, filter);
    core_buffer_text(sql, " LIMIT 0");
    core_buffer_u8(sql, '\0');
}

static void key_list_append(core_buffer *sql, const cdc_snapshot_table *table) {
    for (size_t i = 0; i < table->key_count; i++) {
        core_buffer_text(sql, i > 0 ? ", " : "");
        place_column_append(sql, table, i);
    }
}

void cdc_snapshot_end_sql(const cdc_snapshot_table *table, core_buffer *sql) {
    core_buffer_text(sql, "SELECT ");
    for (size_t i = 0; i < table->key_count; i++) {
        core_buffer_text(sql, i > 0 ? ", " : "");
        place_column_append(sql, table, i);
        core_buffer_text(sql, "::text");
    }
    from_append(sql, table);
    core_buffer_text(sql, " ORDER BY ");
    for (size_t i = 0; i < table->key_count; i++) {
        core_buffer_text(sql, i > 0 ? ", " : "");
        place_column_append(sql, table, i);
        core_buffer_text(sql, " DESC");
    }
    core_buffer_text(sql, " LIMIT 1");
    core_buffer_u8(sql, '\0');
}

static double percent_of(double wanted, double whole) {
    return wanted < whole ? wanted * 100 / whole : 100;
}

void cdc_snapshot_sample_sql(const cdc_snapshot_table *table, size_t parts, core_buffer *sql) {
    /* What is partitioned has blocks only in its partitions. */
    double rows = (double)table->expected_rows;
    double blocks = table->blocks > 0 ? (double)table->blocks : rows / PARTITION_ROWS_A_BLOCK;
    double by_rows = percent_of((double)parts * SAMPLE_ROWS_A_PART, rows);
    double by_blocks = percent_of(SAMPLE_BLOCKS_MIN, blocks);
    double percent = by_rows > by_blocks ? by_rows : by_blocks;
    core_buffer_text(sql, "SELECT ");
    for (size_t i = 0; i < table->key_count; i++) {
        core_buffer_text(sql, i > 0 ? ", " : "");
        core_buffer_format(sql, "t.k%zu::text", i);
    }
    core_buffer_text(sql, " FROM (SELECT ");
    for (size_t i = 0; i < table->key_count; i++) {
        place_column_append(sql, table, i);
        core_buffer_format(sql, " AS k%zu, ", i);
    }
    core_buffer_text(sql, "row_number() OVER (ORDER BY ");
    key_list_append(sql, table);
    core_buffer_text(sql, ") AS place, count(*) OVER () AS total");
    from_append(sql, table);
    core_buffer_format(
        sql,
        " TABLESAMPLE SYSTEM (%.6f)) t WHERE t.total >= %zu AND t.place %% (t.total / %zu) ="
        " 0 AND t.place / (t.total / %zu) < %zu ORDER BY t.place",
        percent, parts, parts, parts, parts);
    core_buffer_u8(sql, '\0');
}
