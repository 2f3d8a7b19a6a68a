/* See snapshot_plan.h. Bounds come from a sample of the table's blocks, so that planning a large
 * table costs no scan; how even they are decides only how well workers share the table. */
#include "cdc/snapshot_plan.h"

#include <stdio.h>

enum {
    ROWS_A_RANGE = 100000,
    RANGES_A_TABLE_MAX = 16,
    SQL_MAX_BYTES = 64 << 10,
    PLACE_MAX_BYTES = 64 << 10,
};

static core_snapshot_range *range_add(cdc_snapshot_plan *plan, core_arena *arena,
                                      const cdc_snapshot_table *table) {
    if (plan->count == CORE_SNAPSHOT_RANGES_MAX)
        return NULL;
    core_snapshot_range *range = &plan->ranges[plan->count++];
    range->schema = core_arena_copy(arena, table->relation.schema);
    range->table = core_arena_copy(arena, table->relation.table);
    range->key = core_arena_copy(arena, table->places);
    bool ok = range->schema.data != NULL && range->table.data != NULL &&
              range->key.length == table->places.length;
    return ok ? range : NULL;
}

static bool too_many(core_error *error) {
    return core_error_set(error, CORE_ERROR_LIMIT,
                          "a snapshot has at most %d ranges: start one for each of the partitions",
                          CORE_SNAPSHOT_RANGES_MAX);
}

/* ---- By key ---- */

static bool place_take(const pg_result *result, size_t row, size_t count, core_arena *arena,
                       core_slice *place) {
    core_slice values[CDC_SNAPSHOT_KEY_MAX];
    core_buffer text;
    core_buffer_init(&text, PLACE_MAX_BYTES);
    for (size_t i = 0; i < count; i++)
        values[i] = core_slice_text(pg_result_value(result, row, i));
    core_snapshot_place_write(&text, values, count);
    *place = core_buffer_ok(&text) ? core_arena_copy(arena, core_buffer_slice(&text))
                                   : core_slice_make(NULL, 0);
    core_buffer_fini(&text);
    return place->data != NULL;
}

/* One range up to each bound and one behind the last; equal bounds would make an empty one. */
static bool bounds_take(const pg_result *result, const cdc_snapshot_table *table, core_arena *arena,
                        cdc_snapshot_plan *plan) {
    core_slice before = {0};
    for (size_t row = 0; row <= pg_result_rows(result); row++) {
        core_slice bound = {0};
        bool is_last = row == pg_result_rows(result);
        if (!is_last && !place_take(result, row, table->key_count, arena, &bound))
            continue; /* a key that is too long bounds nothing */
        if (!is_last && core_slice_equal(bound, before))
            continue;
        core_snapshot_range *range = range_add(plan, arena, table);
        if (range == NULL)
            return false;
        range->after = before;
        range->up_to = bound;
        before = bound;
    }
    return true;
}

static bool keyed_plan(pg_connection *connection, const cdc_snapshot_table *table,
                       core_arena *arena, cdc_snapshot_plan *plan, core_error *error) {
    uint64_t parts = table->expected_rows / ROWS_A_RANGE;
    if (parts > RANGES_A_TABLE_MAX)
        parts = RANGES_A_TABLE_MAX;
    if (parts < 2)
        return range_add(plan, arena, table) != NULL || too_many(error);
    core_buffer sql;
    core_buffer_init(&sql, SQL_MAX_BYTES);
    cdc_snapshot_sample_sql(table, parts, &sql);
    pg_result *result =
        core_buffer_ok(&sql) ? pg_query(connection, (const char *)sql.data, NULL, 0, error) : NULL;
    core_buffer_fini(&sql);
    if (result == NULL)
        return false;
    bool ok = bounds_take(result, table, arena, plan) || too_many(error);
    pg_result_free(result);
    return ok;
}

/* ---- By blocks ---- */

/* Rows behind the blocks that are there now are of transactions that `low` does not see. */
static bool blocks_plan(const cdc_snapshot_table *table, core_arena *arena, cdc_snapshot_plan *plan,
                        core_error *error) {
    if (table->is_root)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "\"%.*s\".\"%.*s\" is partitioned, published as a whole and has no "
                              "key, so its rows have no order to walk them by; give it a primary "
                              "key",
                              CORE_SLICE_ARGS(table->relation.schema),
                              CORE_SLICE_ARGS(table->relation.table));
    char text[48];
    core_snapshot_range *range = range_add(plan, arena, table);
    if (range == NULL)
        return too_many(error);
    (void)snprintf(text, sizeof text, "[\"(%llu,65535)\"]", (unsigned long long)table->blocks);
    range->up_to = core_arena_copy(arena, core_slice_text(text));
    return range->up_to.data != NULL || too_many(error);
}

/* ---- One table, or its partitions ---- */

/* The privilege and the condition are tried before a range is read. */
static bool readable_check(pg_connection *connection, const cdc_snapshot_table *table,
                           core_slice filter, core_error *error) {
    core_buffer sql;
    const char *const parameters[] = {""};
    core_buffer_init(&sql, SQL_MAX_BYTES);
    cdc_snapshot_filter_sql(table, filter, &sql);
    pg_result *result = core_buffer_ok(&sql)
                            ? pg_query(connection, (const char *)sql.data, parameters, 1, error)
                            : NULL;
    core_buffer_fini(&sql);
    pg_result_free(result);
    if (result != NULL)
        return true;
    if (error->code == CORE_ERROR_INTERNAL) /* syntax: here it is the asker's */
        error->code = CORE_ERROR_CONFIG;
    return core_error_wrap(error, "reading \"%.*s\".\"%.*s\"",
                           CORE_SLICE_ARGS(table->relation.schema),
                           CORE_SLICE_ARGS(table->relation.table));
}

static bool table_plan(pg_connection *connection, const cdc_snapshot_table *table,
                       core_slice filter, core_arena *arena, cdc_snapshot_plan *plan,
                       core_error *error) {
    plan->expected_rows += table->expected_rows;
    return readable_check(connection, table, filter, error) &&
           (table->rows == CDC_ROWS_KEYED ? keyed_plan(connection, table, arena, plan, error)
                                          : blocks_plan(table, arena, plan, error));
}

/* $1, $2: the root; $3, $4: the publications. Its partitions that are published by themselves. */
static const char leaves_sql[] =
    "SELECT DISTINCT n.nspname, c.relname FROM pg_class r JOIN pg_namespace m ON m.oid ="
    " r.relnamespace, LATERAL pg_partition_tree(r.oid) l JOIN pg_class c ON c.oid = l.relid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_publication_tables p"
    "  ON p.schemaname = n.nspname AND p.tablename = c.relname AND p.pubname IN ($3, $4)"
    " WHERE m.nspname = $1 AND r.relname = $2 AND r.relkind = 'p' AND l.isleaf ORDER BY 1, 2";

static bool leaves_plan(pg_connection *connection, const cdc_snapshot_scope *scope,
                        const pg_result *leaves, core_slice filter, core_arena *arena,
                        cdc_snapshot_plan *plan, core_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < pg_result_rows(leaves); i++) {
        cdc_snapshot_table table = {0};
        ok = cdc_snapshot_table_describe(
                 connection, scope, core_slice_text(pg_result_value(leaves, i, 0)),
                 core_slice_text(pg_result_value(leaves, i, 1)), &table, error) &&
             table_plan(connection, &table, filter, arena, plan, error);
        cdc_snapshot_table_fini(&table);
    }
    return ok;
}

static pg_result *leaves_ask(pg_connection *connection, const cdc_snapshot_scope *scope,
                             core_slice schema, core_slice table, core_arena *arena,
                             core_error *error) {
    const char *const parameters[] = {
        (const char *)core_arena_copy(arena, schema).data,
        (const char *)core_arena_copy(arena, table).data,
        scope->publication,
        scope->inserts_publication,
    };
    return pg_query(connection, leaves_sql, parameters, 4, error);
}

bool cdc_snapshot_plan_make(pg_connection *connection, const cdc_snapshot_scope *scope,
                            core_slice schema, core_slice table, core_slice filter,
                            core_arena *arena, cdc_snapshot_plan *plan, core_error *error) {
    *plan = (cdc_snapshot_plan){
        .ranges = core_arena_array(arena, CORE_SNAPSHOT_RANGES_MAX, sizeof *plan->ranges)};
    if (plan->ranges == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a plan");
    pg_result *leaves = leaves_ask(connection, scope, schema, table, arena, error);
    if (leaves == NULL)
        return false;
    bool ok;
    if (pg_result_rows(leaves) > 0)
        ok = leaves_plan(connection, scope, leaves, filter, arena, plan, error);
    else {
        cdc_snapshot_table described = {0};
        ok = cdc_snapshot_table_describe(connection, scope, schema, table, &described, error) &&
             table_plan(connection, &described, filter, arena, plan, error);
        cdc_snapshot_table_fini(&described);
    }
    pg_result_free(leaves);
    return ok;
}

/* ---- The end ---- */

static bool range_end(pg_connection *connection, const cdc_snapshot_table *table, core_arena *arena,
                      core_snapshot_range *range, core_error *error) {
    core_buffer sql;
    core_buffer_init(&sql, SQL_MAX_BYTES);
    cdc_snapshot_end_sql(table, &sql);
    pg_result *result =
        core_buffer_ok(&sql) ? pg_query(connection, (const char *)sql.data, NULL, 0, error) : NULL;
    core_buffer_fini(&sql);
    if (result == NULL)
        return false;
    core_slice place;
    /* A key that is too long bounds nothing. */
    if (pg_result_rows(result) > 0 && place_take(result, 0, table->key_count, arena, &place))
        range->up_to = place;
    pg_result_free(result);
    return true;
}

bool cdc_snapshot_plan_end(pg_connection *connection, const cdc_snapshot_scope *scope,
                           core_arena *arena, cdc_snapshot_plan *plan, core_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < plan->count; i++) {
        core_snapshot_range *range = &plan->ranges[i];
        cdc_snapshot_table table = {0};
        if (range->up_to.length > 0 || range->key.length == 0)
            continue;
        ok = cdc_snapshot_table_describe(connection, scope, range->schema, range->table, &table,
                                         error);
        if (ok && core_slice_equal(table.places, range->key))
            ok = range_end(connection, &table, arena, range, error);
        cdc_snapshot_table_fini(&table);
    }
    return ok;
}
