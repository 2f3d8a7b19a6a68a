/* A role's grants: one query, kept sorted; see grants.h.
 *
 * Has a role what PostgreSQL asks of a SELECT? USAGE on the schema, SELECT on the table or on some
 * of its columns (through memberships too: the has_..._privilege functions know), and no row-level
 * security, or one that does not apply to it, or one whose policies then decide (policy.h):
 * check_enable_rls() in PostgreSQL's src/backend/utils/misc/rls.c lets superusers, BYPASSRLS and,
 * without FORCE, who has the owner's rights pass. Tables that vanish while the query runs give
 * NULLs, which count as no. Views and foreign tables have no changes and are not listed. */
#include "auth/policy.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    COLUMN_BYPASS,
    COLUMN_SCHEMA,
    COLUMN_NAME,
    COLUMN_OID,
    COLUMN_USAGE,
    COLUMN_SELECT,
    COLUMN_ROW_SECURITY,
    COLUMN_COLUMNS,
    COLUMN_PUBLISHED,
    COLUMN_POLICIES,
    COLUMN_FACTS,
};

enum { POLICY_MAX_BYTES = 64 << 10 }; /* of a table; with more its rows are not given out, told */

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* One row a table; one of NULLs when there is none; none when there is no such role. */
static const char grants_sql[] =
    "SELECT r.rolsuper OR r.rolbypassrls, t.nspname, t.relname, t.oid, t.usage, t.selectable,"
    " t.secured, CASE WHEN NOT t.selectable"
    "   AND has_any_column_privilege(r.oid, t.oid, 'SELECT') THEN"
    "  (SELECT json_agg(a.attname ORDER BY a.attname COLLATE \"C\") FROM pg_attribute a"
    "   WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped"
    "   AND has_column_privilege(r.oid, t.oid, a.attnum, 'SELECT')) END, t.published,"
    " CASE WHEN t.secured THEN (SELECT coalesce(json_agg(json_build_array(l.polpermissive,"
    "   pg_get_expr(l.polqual, l.polrelid)) ORDER BY l.polname), '[]') FROM pg_policy l"
    "  WHERE l.polrelid = t.oid AND l.polcmd IN ('r', '*') AND l.polqual IS NOT NULL"
    "  AND EXISTS (SELECT FROM unnest(l.polroles) AS p(role)"
    "   WHERE p.role = 0 OR pg_has_role(r.oid, p.role, 'USAGE'))) END,"
    " CASE WHEN t.secured THEN (SELECT json_agg(json_build_array(a.attname,"
    "   CASE WHEN l.collname IN ('C', 'POSIX', 'ucs_basic') THEN 1"
    "     WHEN a.attcollation IN (0, 100) THEN 0 WHEN l.collisdeterministic THEN 2 ELSE 3 END,"
    "   coalesce(b.typtype, y.typtype) = 'e')) FROM pg_attribute a"
    "  JOIN pg_type y ON y.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = y.typbasetype"
    "  LEFT JOIN pg_collation l ON l.oid = a.attcollation"
    "  WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped) END"
    " FROM pg_roles r LEFT JOIN LATERAL (SELECT n.nspname, c.relname, c.oid,"
    "  has_schema_privilege(r.oid, n.oid, 'USAGE') AS usage,"
    "  has_table_privilege(r.oid, c.oid, 'SELECT') AS selectable,"
    "  c.relrowsecurity AND NOT (r.rolsuper OR r.rolbypassrls)"
    "   AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE')) AS secured,"
    "  p.tablename IS NOT NULL AS published"
    "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    "  LEFT JOIN (SELECT DISTINCT schemaname, tablename FROM pg_publication_tables"
    "   WHERE pubname = $2::name) p ON p.schemaname = n.nspname AND p.tablename = c.relname"
    "  WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname !~ '^pg_'"
    "  AND n.nspname <> 'information_schema') t ON true"
    " WHERE r.rolname = $1::name"
    " ORDER BY t.nspname COLLATE \"C\", t.relname COLLATE \"C\" LIMIT " TEXT_OF(
        AUTH_TABLES_MAX) " + 1";

/* ---- Reading the answer ---- */

static bool value_is(const pg_result *result, size_t row, size_t column, char letter) {
    const char *value = pg_result_value(result, row, column);
    return value != NULL && value[0] == letter;
}

static bool name_unescape(core_arena *arena, core_slice raw, core_slice *name) {
    char bytes[AUTH_NAME_MAX * 6];
    core_buffer plain = core_buffer_over(bytes, sizeof bytes);
    if (!core_json_unescape(raw, &plain) || !core_buffer_ok(&plain))
        return false;
    *name = core_arena_copy(arena, core_buffer_slice(&plain));
    return name->data != NULL;
}

static size_t elements_count(core_slice json) {
    core_json_reader reader = core_json_reader_make(json);
    size_t count = 0;
    (void)core_json_next(&reader);
    while (core_json_next(&reader).kind == CORE_JSON_STRING)
        count++;
    return count;
}

/* A JSON array of the columns' names, sorted. */
static bool columns_read(core_arena *arena, const char *text, auth_table *table) {
    if (text == NULL)
        return true;
    core_slice json = core_slice_text(text);
    size_t count = elements_count(json);
    core_slice *columns = core_arena_array(arena, count, sizeof *columns);
    if (columns == NULL)
        return count == 0;
    core_json_reader reader = core_json_reader_make(json);
    (void)core_json_next(&reader);
    for (size_t i = 0; i < count; i++)
        if (!name_unescape(arena, core_json_next(&reader).raw, &columns[i]))
            return false;
    table->columns = columns;
    table->column_count = count;
    return true;
}

/* What cannot be read lets nothing pass. */
static bool policy_read(core_arena *arena, const char *text, const char *facts, auth_table *table) {
    core_buffer condition;
    core_buffer_init(&condition, POLICY_MAX_BYTES);
    bool ok = text != NULL && auth_policy_condition(core_slice_text(text), &condition);
    table->unread = text != NULL && !ok;
    table->policy =
        core_arena_copy(arena, ok ? core_buffer_slice(&condition) : core_slice_text("false"));
    core_buffer_fini(&condition);
    table->facts = core_arena_copy(arena, core_slice_text(facts != NULL ? facts : "[]"));
    return table->policy.data != NULL && table->facts.data != NULL;
}

static bool table_read(auth_grants *grants, const pg_result *result, size_t row) {
    auth_table *table = &grants->tables[grants->count];
    uint64_t oid = 0;
    const char *oid_text = pg_result_value(result, row, COLUMN_OID);
    *table = (auth_table){
        .schema = core_arena_copy(&grants->arena,
                                  core_slice_text(pg_result_value(result, row, COLUMN_SCHEMA))),
        .name = core_arena_copy(&grants->arena,
                                core_slice_text(pg_result_value(result, row, COLUMN_NAME))),
        .usage = value_is(result, row, COLUMN_USAGE, 't'),
        .select = value_is(result, row, COLUMN_SELECT, 't'),
        .row_security = !value_is(result, row, COLUMN_ROW_SECURITY, 'f'),
        .published = value_is(result, row, COLUMN_PUBLISHED, 't'),
    };
    if (table->schema.data == NULL || table->name.data == NULL ||
        !core_slice_to_u64(core_slice_text(oid_text), &oid) ||
        !columns_read(&grants->arena, pg_result_value(result, row, COLUMN_COLUMNS), table))
        return false;
    if (table->row_security &&
        !policy_read(&grants->arena, pg_result_value(result, row, COLUMN_POLICIES),
                     pg_result_value(result, row, COLUMN_FACTS), table))
        return false;
    table->oid = (uint32_t)oid;
    grants->secured |= table->row_security;
    grants->count++;
    return true;
}

static bool grants_read(auth_grants *grants, const pg_result *result) {
    size_t rows = pg_result_rows(result);
    grants->exists = rows > 0;
    if (rows == 0)
        return true;
    grants->bypass = value_is(result, 0, COLUMN_BYPASS, 't');
    if (pg_result_value(result, 0, COLUMN_SCHEMA) == NULL)
        return true;
    grants->truncated = rows > AUTH_TABLES_MAX;
    rows = grants->truncated ? AUTH_TABLES_MAX : rows;
    grants->tables = core_arena_array(&grants->arena, rows, sizeof *grants->tables);
    bool ok = grants->tables != NULL;
    for (size_t row = 0; ok && row < rows; row++)
        ok = table_read(grants, result, row);
    return ok;
}

static auth_grants *grants_new(void) {
    auth_grants *grants = calloc(1, sizeof *grants);
    if (grants == NULL)
        return NULL;
    grants->magic = AUTH_GRANTS_MAGIC;
    atomic_init(&grants->references, 1);
    core_arena_init(&grants->arena, 64 << 10, AUTH_GRANTS_MAX_BYTES);
    return grants;
}

auth_grants *auth_grants_query(pg_connection *connection, const char *name, const char *publication,
                               core_error *error) {
    const char *const parameters[] = {name, publication};
    pg_result *result = pg_query_kept(connection, grants_sql, parameters, 2, error);
    if (result == NULL) {
        (void)core_error_wrap(error, "asking what role \"%s\" may see", name);
        return NULL;
    }
    auth_grants *grants = grants_new();
    if (grants == NULL || !grants_read(grants, result)) {
        auth_grants_release(grants);
        grants = NULL;
        (void)core_error_set(error, CORE_ERROR_LIMIT,
                             "what role \"%s\" may see does not fit into %zu MiB, or memory is out",
                             name, AUTH_GRANTS_MAX_BYTES >> 20);
    }
    pg_result_free(result);
    if (grants != NULL && grants->secured &&
        !auth_policy_functions_query(connection, grants, name, error)) {
        auth_grants_release(grants);
        grants = NULL;
    }
    return grants;
}

auth_grants *auth_grants_retain(auth_grants *grants) {
    CORE_MAGIC_CHECK(grants, AUTH_GRANTS_MAGIC);
    (void)atomic_fetch_add_explicit(&grants->references, 1, memory_order_relaxed);
    return grants;
}

void auth_grants_release(auth_grants *grants) {
    if (grants == NULL)
        return;
    CORE_MAGIC_CHECK(grants, AUTH_GRANTS_MAGIC);
    if (atomic_fetch_sub_explicit(&grants->references, 1, memory_order_acq_rel) != 1)
        return;
    core_arena_fini(&grants->arena);
    grants->magic = 0;
    free(grants);
}

/* ---- Comparing and finding ---- */

static bool table_equal(const auth_table *a, const auth_table *b) {
    if (a->oid != b->oid || a->usage != b->usage || a->select != b->select ||
        a->row_security != b->row_security || a->published != b->published ||
        a->column_count != b->column_count || !core_slice_equal(a->policy, b->policy) ||
        !core_slice_equal(a->facts, b->facts) || !core_slice_equal(a->schema, b->schema) ||
        !core_slice_equal(a->name, b->name))
        return false;
    for (size_t i = 0; i < a->column_count; i++)
        if (!core_slice_equal(a->columns[i], b->columns[i]))
            return false;
    return true;
}

bool auth_grants_equal(const auth_grants *a, const auth_grants *b) {
    if (a->exists != b->exists || a->bypass != b->bypass || a->truncated != b->truncated ||
        a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!table_equal(&a->tables[i], &b->tables[i]))
            return false;
    return auth_policy_functions_equal(a, b);
}

static int table_compare(const void *left, const void *right) {
    const auth_table *a = left;
    const auth_table *b = right;
    int order = core_slice_compare(a->schema, b->schema);
    return order != 0 ? order : core_slice_compare(a->name, b->name);
}

const auth_table *auth_grants_find(const auth_grants *grants, core_slice schema, core_slice name) {
    auth_table wanted = {.schema = schema, .name = name};
    if (grants->count == 0)
        return NULL;
    return bsearch(&wanted, grants->tables, grants->count, sizeof wanted, table_compare);
}

const auth_table *auth_grants_unread(const auth_grants *grants) {
    for (size_t i = 0; grants->secured && i < grants->count; i++)
        if (grants->tables[i].unread)
            return &grants->tables[i];
    return NULL;
}

bool auth_grants_secured(const auth_grants *grants, core_slice schema, core_slice name) {
    if (!grants->secured)
        return false;
    if (schema.length > 0 && name.length > 0) {
        const auth_table *table = auth_grants_find(grants, schema, name);
        return table != NULL && table->row_security;
    }
    for (size_t i = 0; i < grants->count; i++) {
        const auth_table *table = &grants->tables[i];
        if (table->row_security &&
            (schema.length == 0 || core_slice_equal(table->schema, schema)) &&
            (name.length == 0 || core_slice_equal(table->name, name)))
            return true;
    }
    return false;
}

bool auth_table_published(const auth_table *table) {
    return table->published;
}

core_slice auth_table_policy(const auth_table *table) {
    return table->policy;
}

bool auth_table_all_columns(const auth_table *table) {
    return table->select;
}

static int column_compare(const void *left, const void *right) {
    return core_slice_compare(*(const core_slice *)left, *(const core_slice *)right);
}

bool auth_table_column(const auth_table *table, core_slice name) {
    if (table->select)
        return true;
    return table->column_count > 0 &&
           bsearch(&name, table->columns, table->column_count, sizeof name, column_compare) != NULL;
}

core_slice auth_table_hidden(const auth_table *table, const core_slice *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!auth_table_column(table, names[i]))
            return names[i];
    return core_slice_make(NULL, 0);
}

/* ---- Deciding ---- */

/* PostgreSQL's reserved words, and those for types and functions (kwlist.h), of 13 to 18. */
static const char *const reserved_words[] = {
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
};

static bool name_is_reserved(core_slice name) {
    for (size_t i = 0; i < CORE_COUNT_OF(reserved_words); i++)
        if (core_slice_is(name, reserved_words[i]))
            return true;
    return false;
}

/* As SQL would take it: quoted only where that is needed. */
static void name_append(core_buffer *out, core_slice name) {
    bool plain =
        name.length > 0 && (name.data[0] < '0' || name.data[0] > '9') && !name_is_reserved(name);
    for (size_t i = 0; i < name.length; i++)
        plain = plain && ((name.data[i] >= 'a' && name.data[i] <= 'z') || name.data[i] == '_' ||
                          (name.data[i] >= '0' && name.data[i] <= '9'));
    if (plain)
        core_buffer_slice_append(out, name);
    else
        pg_identifier_append(out, name);
}

static void table_append(core_buffer *out, const auth_table *table) {
    name_append(out, table->schema);
    core_buffer_u8(out, '.');
    name_append(out, table->name);
}

static auth_access_verdict refusal_end(core_buffer *text, char reason[AUTH_REASON_MAX]) {
    size_t length = text->length < AUTH_REASON_MAX ? text->length : AUTH_REASON_MAX - 1;
    memcpy(reason, text->data, length);
    reason[length] = '\0';
    return AUTH_ACCESS_REFUSED;
}

auth_access_verdict auth_grants_role_verdict(const auth_grants *grants, const char *role,
                                             char reason[AUTH_REASON_MAX]) {
    char memory[2 * AUTH_REASON_MAX];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    reason[0] = '\0';
    if (grants->exists)
        return AUTH_ACCESS_ALLOWED;
    core_buffer_format(&text, "role \"%s\" does not exist in the database; make it: CREATE ROLE ",
                       role);
    name_append(&text, core_slice_text(role));
    core_buffer_text(&text, " NOLOGIN (walcast setup --apply makes anon, authenticated and "
                            "service_role)");
    return refusal_end(&text, reason);
}

bool auth_grants_readable(const auth_table *table) {
    return table->usage && (table->select || table->column_count > 0);
}

auth_access_verdict auth_grants_table_verdict(const auth_table *table, const char *role,
                                              char reason[AUTH_REASON_MAX]) {
    char memory[2 * AUTH_REASON_MAX];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    reason[0] = '\0';
    if (auth_grants_readable(table))
        return table->row_security ? AUTH_ACCESS_FILTERED : AUTH_ACCESS_ALLOWED;
    core_buffer_format(&text, "role \"%s\" may not read ", role);
    table_append(&text, table);
    if (!table->usage) {
        core_buffer_text(&text, ": GRANT USAGE ON SCHEMA ");
        name_append(&text, table->schema);
        core_buffer_text(&text, " TO ");
        name_append(&text, core_slice_text(role));
    } else {
        core_buffer_text(&text, ": GRANT SELECT ON ");
        table_append(&text, table);
        core_buffer_text(&text, " TO ");
        name_append(&text, core_slice_text(role));
    }
    return refusal_end(&text, reason);
}
