/* See lookup_sql.h. Names of the table and its columns go quoted, everything else as parameters. No
 * cast and no operator is looked up outside pg_catalog (the session's search path is empty), so no
 * code of a table's owner runs: values go through their types' output functions only. */
#include "cdc/lookup_sql.h"

#include <stdio.h>

const char cdc_lookup_types_sql[] =
    "WITH RECURSIVE"
    " under(type, oid) AS (SELECT o, o FROM unnest($1::oid[]) o"
    "  UNION SELECT u.type, t.typbasetype FROM under u JOIN pg_type t ON t.oid = u.oid"
    "  WHERE t.typtype = 'd'),"
    " base(type, oid) AS (SELECT u.type, t.oid FROM under u JOIN pg_type t ON t.oid = u.oid"
    "  WHERE t.typtype <> 'd'),"
    " element(type, oid, delimiter) AS (SELECT b.type, e.oid, e.typdelim FROM base b"
    "   JOIN pg_type e ON e.typarray = b.oid"
    "  UNION SELECT e.type, t.typbasetype, e.delimiter FROM element e"
    "   JOIN pg_type t ON t.oid = e.oid WHERE t.typtype = 'd')"
    "SELECT b.type, b.oid, e.oid, e.delimiter FROM base b LEFT JOIN (element e"
    "  JOIN pg_type t ON t.oid = e.oid AND t.typtype <> 'd') ON e.type = b.type";

enum { FIXED_PARAMETERS = 4, NUMBER_MAX = 24 };

bool cdc_lookup_wants(const core_change *change, size_t column) {
    return change->op == CORE_OP_UPDATE &&
           change->new_tuple.values[column].kind == CORE_VALUE_UNCHANGED &&
           core_change_old_value(change, column) == NULL;
}

static bool anything_is_wanted(const core_change *change) {
    for (size_t i = 0; i < change->new_tuple.count; i++)
        if (cdc_lookup_wants(change, i))
            return true;
    return false;
}

/* ---- The key ---- */

/* NULL when the column's value is not at hand as text. */
static const core_value *key_value(const core_change *change, size_t column) {
    const core_value *value = &change->new_tuple.values[column];
    if (value->kind == CORE_VALUE_UNCHANGED)
        value = core_change_old_value(change, column);
    return value != NULL && value->kind == CORE_VALUE_TEXT ? value : NULL;
}

static const char *text_copy(core_arena *arena, core_slice text) {
    char *copy = core_arena_alloc(arena, text.length + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    return copy;
}

static void column_append(core_buffer *sql, const core_column *column) {
    core_buffer_text(sql, "t.");
    pg_identifier_append(sql, column->name);
}

/* ` AND t."id" = $5 ...`; how many, 0 when the key cannot be given. */
static size_t key_append(const core_change *change, core_buffer *sql, core_arena *arena,
                         const char **parameters) {
    const core_relation *relation = change->relation;
    size_t count = 0;
    for (size_t i = 0; i < change->new_tuple.count; i++) {
        if (!relation->columns[i].key)
            continue;
        const core_value *value = key_value(change, i);
        parameters[count] = value != NULL ? text_copy(arena, value->bytes) : NULL;
        if (parameters[count] == NULL)
            return 0;
        count++;
        core_buffer_text(sql, " AND ");
        column_append(sql, &relation->columns[i]);
        core_buffer_format(sql, " = $%zu", FIXED_PARAMETERS + count);
    }
    return count;
}

/* ---- The question ---- */

/* $1: the transaction id, 32 bits of it. The current snapshot's xmax is near, so the other bits
 * follow from it. */
static const char visible_sql[] =
    "SELECT v.visible, r.* FROM (SELECT pg_visible_in_snapshot((s.xmax +"
    " ($1::int8 - s.xmax % 4294967296 + 6442450944) % 4294967296 - 2147483648)"
    "::text::xid8, pg_current_snapshot()) AS visible"
    " FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8"
    "  AS xmax) s) v LEFT JOIN LATERAL (SELECT ";

/* $2: the table's OID, $3: its quoted name. A partitioned table has its partitions' rows, any other
 * only its own; one that was renamed has none here. */
static const char from_sql[] =
    " t, pg_class c WHERE c.oid = $2::oid"
    " AND c.oid = to_regclass($3::text) AND (c.relkind = 'p' OR t.tableoid = c.oid)";

/* $4: the longest value. */
static void values_append(const core_change *change, core_buffer *sql) {
    size_t count = 0;
    for (size_t i = 0; i < change->new_tuple.count; i++) {
        const core_column *column = &change->relation->columns[i];
        if (!cdc_lookup_wants(change, i))
            continue;
        core_buffer_text(sql, count++ > 0 ? ", CASE WHEN " : "CASE WHEN ");
        column_append(sql, column);
        core_buffer_text(sql, " IS NULL THEN 'n' ELSE 'v' END,"
                              " CASE WHEN octet_length(format('%s', ");
        column_append(sql, column);
        core_buffer_text(sql, ")) <= $4::int8 THEN ");
        column_append(sql, column);
        core_buffer_text(sql, " END");
    }
}

static void table_append(core_buffer *out, const core_relation *relation) {
    pg_identifier_append(out, relation->schema);
    core_buffer_u8(out, '.');
    pg_identifier_append(out, relation->table);
}

static const char *number_text(core_arena *arena, uint64_t number) {
    char text[NUMBER_MAX];
    int length = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return text_copy(arena, core_slice_make(text, (size_t)length));
}

static const char *table_text(const core_relation *relation, core_arena *arena) {
    core_buffer name;
    core_buffer_init(&name, 1024);
    table_append(&name, relation);
    const char *text = core_buffer_ok(&name) ? text_copy(arena, core_buffer_slice(&name)) : NULL;
    core_buffer_fini(&name);
    return text;
}

bool cdc_lookup_row_ask(const core_change *change, size_t max_bytes, core_buffer *sql,
                        core_arena *arena, cdc_row_question *question) {
    if (!anything_is_wanted(change))
        return false;
    const char **parameters =
        core_arena_array(arena, FIXED_PARAMETERS + change->new_tuple.count, sizeof *parameters);
    if (parameters == NULL)
        return false;
    core_buffer_reset(sql);
    core_buffer_text(sql, visible_sql);
    values_append(change, sql);
    core_buffer_text(sql, " FROM ");
    table_append(sql, change->relation);
    core_buffer_text(sql, from_sql);
    size_t key_count = key_append(change, sql, arena, parameters + FIXED_PARAMETERS);
    core_buffer_text(sql, ") r ON v.visible");
    core_buffer_u8(sql, '\0');
    parameters[0] = number_text(arena, change->transaction.xid);
    parameters[1] = number_text(arena, change->relation->oid);
    parameters[2] = table_text(change->relation, arena);
    parameters[3] = number_text(arena, max_bytes);
    bool whole = parameters[0] != NULL && parameters[1] != NULL && parameters[2] != NULL &&
                 parameters[3] != NULL;
    *question = (cdc_row_question){
        .sql = (const char *)sql->data,
        .parameters = parameters,
        .parameter_count = FIXED_PARAMETERS + key_count,
    };
    return key_count > 0 && whole && core_buffer_ok(sql);
}
