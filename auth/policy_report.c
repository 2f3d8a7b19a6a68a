/* `walcast check --policies`: for each role and table, where its policies are evaluated; see
 * auth.h.
 *
 * As the gateway will see it: the same grants, the same compiler. Only the columns come from the
 * catalog instead of from the stream. */
#include "auth/policy.h"

#include <stdio.h>
#include <stdlib.h>

enum { REPORT_COLUMNS_MAX = 1664 }; /* PostgreSQL's limit */

/* The roles that policies name, and those of tokens that are there. */
static const char roles_sql[] =
    "SELECT r.rolname FROM pg_roles r WHERE r.rolname IN ('anon', 'authenticated', 'service_role')"
    " OR EXISTS (SELECT FROM pg_policy p WHERE r.oid = ANY (p.polroles))"
    " ORDER BY r.rolname COLLATE \"C\" LIMIT 100";

static const char columns_sql[] =
    "WITH RECURSIVE base AS (SELECT a.attnum, a.attname, a.atttypid AS type_oid,"
    "  a.atttypid AS oid FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0"
    "  AND NOT a.attisdropped UNION ALL SELECT b.attnum, b.attname, b.type_oid,"
    "  t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')"
    " SELECT b.attname, y.typname, b.type_oid,"
    "  CASE WHEN b.oid <> b.type_oid THEN b.oid ELSE 0 END,"
    "  CASE WHEN t.oid >= 16384 AND t.typcategory = 'A' THEN t.typelem ELSE 0 END"
    " FROM base b JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd'"
    " JOIN pg_type y ON y.oid = b.type_oid ORDER BY b.attnum";

typedef struct {
    pg_connection *connection;
    const char *publication;
    FILE *report;
    size_t lines;
} policy_report;

static uint32_t oid_at(const pg_result *result, size_t row, size_t column) {
    uint64_t oid = 0;
    const char *text = pg_result_value(result, row, column);
    return text != NULL && core_slice_to_u64(core_slice_text(text), &oid) ? (uint32_t)oid : 0;
}

/* Slices point into the result. */
static void columns_read(const pg_result *result, core_column *columns) {
    for (size_t row = 0; row < pg_result_rows(result); row++)
        columns[row] = (core_column){
            .name = core_slice_text(pg_result_value(result, row, 0)),
            .type_name = core_slice_text(pg_result_value(result, row, 1)),
            .type_oid = oid_at(result, row, 2),
            .typmod = -1, /* no condition asks for it */
            .base_oid = oid_at(result, row, 3),
            .element_oid = oid_at(result, row, 4),
        };
}

static bool report_function(void *context, core_slice schema, core_slice name, size_t arguments,
                            expr_function *function) {
    return auth_grants_function(context, schema, name, arguments, function);
}

static void table_tell(policy_report *it, const char *role, auth_grants *grants,
                       const auth_table *table, const core_relation *relation,
                       expr_column_facts *facts) {
    expr_refusal refusal;
    it->lines++;
    if (table->unread) {
        (void)fprintf(it->report,
                      "%.*s.%.*s as %s: none of its rows is given out: its policies are longer "
                      "than 64 KiB (put them into functions)\n",
                      CORE_SLICE_ARGS(table->schema), CORE_SLICE_ARGS(table->name), role);
        return;
    }
    auth_table_facts(table, relation, facts);
    const expr_condition_spec spec = {.text = table->policy,
                                      .relation = relation,
                                      .facts = facts,
                                      .function = report_function,
                                      .context = grants};
    expr_condition *condition = expr_condition_new(&spec, &refusal);
    (void)fprintf(it->report, "%.*s.%.*s as %s: %s%s\n", CORE_SLICE_ARGS(table->schema),
                  CORE_SLICE_ARGS(table->name), role,
                  condition != NULL ? "in the engine" : "in SQL, ",
                  condition != NULL ? "" : refusal.error.text);
    (void)fprintf(it->report, "  %.*s\n", CORE_SLICE_ARGS(table->policy));
    expr_condition_release(condition);
}

static bool table_look(policy_report *it, const char *role, auth_grants *grants,
                       const auth_table *table, core_error *error) {
    char oid[16];
    const char *const parameters[] = {oid};
    (void)snprintf(oid, sizeof oid, "%u", (unsigned)table->oid);
    pg_result *result = pg_query_kept(it->connection, columns_sql, parameters, 1, error);
    if (result == NULL)
        return false;
    size_t count = pg_result_rows(result);
    core_column *columns = calloc(count + 1, sizeof *columns);
    expr_column_facts *facts = calloc(count + 1, sizeof *facts);
    bool ok = columns != NULL && facts != NULL && count <= REPORT_COLUMNS_MAX;
    if (ok) {
        columns_read(result, columns);
        const core_relation relation = {.oid = table->oid,
                                        .schema = table->schema,
                                        .table = table->name,
                                        .replica_identity = 'd',
                                        .column_count = (uint16_t)count,
                                        .columns = columns};
        table_tell(it, role, grants, table, &relation, facts);
    }
    free(columns);
    free(facts);
    pg_result_free(result);
    return ok || core_error_set(error, CORE_ERROR_INTERNAL, "out of memory");
}

static bool role_report(policy_report *it, const char *role, core_error *error) {
    auth_grants *grants = auth_grants_query(it->connection, role, it->publication, error);
    bool ok = grants != NULL;
    for (size_t i = 0; ok && i < grants->count; i++)
        if (grants->tables[i].row_security && grants->tables[i].published &&
            auth_grants_readable(&grants->tables[i]))
            ok = table_look(it, role, grants, &grants->tables[i], error);
    auth_grants_release(grants);
    return ok;
}

bool auth_policies_report(const core_config *config, FILE *report, core_error *error) {
    const pg_connection_spec spec = {
        .url = core_config_text(config, "postgres.url"),
        .application_name = "walcast check",
        .timeout_ms = core_config_integer(config, "postgres.query_timeout"),
        .cancel_fd = -1,
    };
    policy_report it = {.connection = pg_connection_new(&spec, error),
                        .publication = core_config_text(config, "postgres.publication"),
                        .report = report};
    pg_result *roles =
        it.connection != NULL ? pg_query(it.connection, roles_sql, NULL, 0, error) : NULL;
    bool ok = roles != NULL;
    for (size_t i = 0; ok && i < pg_result_rows(roles); i++)
        ok = role_report(&it, pg_result_value(roles, i, 0), error);
    if (ok && it.lines == 0)
        (void)fprintf(report, "no published table has row-level security that applies to a role\n");
    pg_result_free(roles);
    pg_connection_free(it.connection);
    return ok;
}
