/* See check.h. */
#include "search-index/check.h"

#include "expr/expr.h"
#include "search-index/plan.h"
#include "search-index/table.h"
#include "search-index/vector.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK_MAGIC UINT32_C(0x5343484b) /* "SCHK" */
#define OID_JSON    114u
#define OID_JSONB   3802u

enum { TIMEOUT_MS = 10000, TABLES_MAX = SEARCH_TABLES_MAX + SEARCH_RELATED_MAX };

struct search_check {
    uint32_t magic;
    search_spec spec;
    core_tenants tenants;
    pg_connection *connection;
};

/* A definition at hand, and its tables as they were read. */
typedef struct {
    search_check *check;
    const search_definition *definition;
    const core_document *document;
    core_problems *problems;
    search_live_table tables[TABLES_MAX];
    size_t count;
    core_slice when[SEARCH_TABLES_MAX][CORE_COLUMNS_MAX]; /* columns that conditions read */
    size_t when_counts[SEARCH_TABLES_MAX];
} check_case;

search_check *search_check_new(const search_spec *spec, core_error *error) {
    search_check *check = calloc(1, sizeof *check);
    if (check == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for checks of indexes");
        return NULL;
    }
    *check = (search_check){
        .magic = CHECK_MAGIC, .spec = *spec, .tenants = core_tenants_of(spec->config)};
    return check;
}

void search_check_rest(search_check *check) {
    CORE_MAGIC_CHECK(check, CHECK_MAGIC);
    if (check->connection != NULL)
        pg_connection_free(check->connection);
    check->connection = NULL;
}

void search_check_free(search_check *check) {
    if (check == NULL)
        return;
    search_check_rest(check);
    check->magic = 0;
    free(check);
}

static bool check_connect(search_check *check, core_error *error) {
    const pg_connection_spec spec = {.url = core_config_text(check->spec.config, "postgres.url"),
                                     .application_name = "walcast-search",
                                     .timeout_ms = TIMEOUT_MS,
                                     .cancel_fd = -1};
    if (check->connection != NULL && !pg_connection_alive(check->connection)) {
        pg_connection_free(check->connection);
        check->connection = NULL;
    }
    if (check->connection == NULL)
        check->connection = pg_connection_new(&spec, error);
    return check->connection != NULL;
}

/* ---- Tables ---- */

static void mending_write(const search_live_table *table, const char *what, char *text,
                          size_t size) {
    core_buffer out = core_buffer_over(text, size);
    core_buffer_text(&out, "ALTER TABLE ");
    core_identifier_append(&out, table->relation.schema);
    core_buffer_u8(&out, '.');
    core_identifier_append(&out, table->relation.table);
    core_buffer_text(&out, what);
    core_buffer_u8(&out, 0);
    if (!core_buffer_ok(&out))
        text[0] = '\0';
}

/* The old row's id must come with every UPDATE and DELETE. */
static void key_check(const check_case *it, const search_live_table *table, core_place place) {
    char mending[256];
    if (table->key_count == 0) {
        mending_write(table, " ADD PRIMARY KEY (...);", mending, sizeof mending);
        (void)core_problem_tell(it->problems, place,
                                "table: %.*s.%.*s has no primary key, which documents are named "
                                "by: %s",
                                CORE_SLICE_ARGS(table->relation.schema),
                                CORE_SLICE_ARGS(table->relation.table), mending);
        return;
    }
    for (size_t i = 0; i < table->key_count; i++) {
        int column = search_table_column(table, table->key[i]);
        if (column >= 0 && table->relation.columns[column].key)
            continue;
        mending_write(table, " REPLICA IDENTITY DEFAULT;", mending, sizeof mending);
        (void)core_problem_tell(it->problems, place,
                                "table: changes of %.*s.%.*s do not tell its primary key: %s",
                                CORE_SLICE_ARGS(table->relation.schema),
                                CORE_SLICE_ARGS(table->relation.table), mending);
        return;
    }
    if (table->parts_publication.length > 0)
        (void)core_problem_tell(
            it->problems, place,
            "table: changes of %.*s.%.*s come under the names of its partitions and none under its "
            "own; name the partitions, or run: ALTER PUBLICATION \"%.*s\" SET "
            "(publish_via_partition_root = true);",
            CORE_SLICE_ARGS(table->relation.schema), CORE_SLICE_ARGS(table->relation.table),
            CORE_SLICE_ARGS(table->parts_publication));
    else if (!table->is_published)
        core_problem_warn(it->problems, place,
                          "table: %.*s.%.*s is not published now, so no change of it comes "
                          "(postgres.tables, postgres.publication)",
                          CORE_SLICE_ARGS(table->relation.schema),
                          CORE_SLICE_ARGS(table->relation.table));
}

/* Of a tenant `public` is its home. False, told: the schema is not the project's. */
static bool schema_of(const check_case *it, const search_table *table,
                      char schema[CORE_TENANT_SCHEMA_SIZE]) {
    const core_tenants *tenants = &it->check->tenants;
    core_slice project = it->definition->project;
    if (core_slice_is(table->schema, CORE_TENANT_HOME) &&
        core_tenants_home(tenants, project, schema))
        return true;
    (void)snprintf(schema, CORE_TENANT_SCHEMA_SIZE, "%.*s", CORE_SLICE_ARGS(table->schema));
    return core_tenants_owns(tenants, project, table->schema) ||
           core_problem_tell(it->problems, table->place,
                             "table: the schema %s is not project %.*s's", schema,
                             CORE_SLICE_ARGS(project));
}

/* False: the database could not be asked. */
static bool table_read(check_case *it, const search_table *table, core_error *error) {
    char schema[CORE_TENANT_SCHEMA_SIZE], name[SEARCH_IDENTIFIER_MAX + 1];
    char nearest[SEARCH_IDENTIFIER_MAX + 1];
    search_live_table *live = &it->tables[it->count++];
    *live = (search_live_table){.key_count = 0};
    if (!schema_of(it, table, schema))
        return true;
    (void)snprintf(name, sizeof name, "%.*s", CORE_SLICE_ARGS(table->table));
    search_table_result found = search_table_read(
        it->check->connection, core_config_text(it->check->spec.config, "postgres.publication"),
        schema, name, live, nearest, error);
    if (found == SEARCH_TABLE_FOUND)
        key_check(it, live, table->place);
    else if (found == SEARCH_TABLE_NONE)
        (void)core_problem_tell(it->problems, table->place, "table: there is no table %s.%s%s%s%s",
                                schema, name, *nearest != '\0' ? "; did you mean " : "", nearest,
                                *nearest != '\0' ? "?" : "");
    return found != SEARCH_TABLE_FAILED;
}

static bool tables_read(check_case *it, core_error *error) {
    const search_definition *definition = it->definition;
    if (!check_connect(it->check, error))
        return false;
    for (size_t i = 0; i < definition->table_count; i++)
        if (!table_read(it, &definition->tables[i], error))
            return false;
    for (size_t i = 0; i < definition->related_count; i++)
        if (!table_read(it, &definition->related[i].table, error))
            return false;
    return true;
}

/* ---- Columns ---- */

static bool column_absent(const check_case *it, const search_live_table *table, core_slice column,
                          core_place place, const char *key) {
    const char *nearest = search_table_nearest(table, column);
    return core_problem_tell(it->problems, place, "%s: %.*s.%.*s has no column %.*s%s%s%s", key,
                             CORE_SLICE_ARGS(table->relation.schema),
                             CORE_SLICE_ARGS(table->relation.table), CORE_SLICE_ARGS(column),
                             *nearest != '\0' ? "; did you mean " : "", nearest,
                             *nearest != '\0' ? "?" : "");
}

static void field_column(const check_case *it, const search_live_table *table,
                         const search_field *field) {
    int column = search_table_column(table, field->column);
    if (column < 0) {
        (void)column_absent(it, table, field->column, field->place, "fields");
        return;
    }
    uint32_t oid = core_column_base_oid(&table->relation.columns[column]);
    if (field->step_count > 0 && oid != OID_JSON && oid != OID_JSONB)
        (void)core_problem_tell(it->problems, field->place,
                                "fields: %.*s is no json or jsonb column, and nothing is in it",
                                CORE_SLICE_ARGS(field->column));
}

/* Of several tables it is enough that one has the column. */
static void field_check(const check_case *it, const search_field *field) {
    const search_definition *definition = it->definition;
    if (field->related >= 0) {
        field_column(it, &it->tables[definition->table_count + (size_t)field->related], field);
        return;
    }
    for (size_t i = 0; i < definition->table_count; i++)
        if (search_table_column(&it->tables[i], field->column) >= 0) {
            field_column(it, &it->tables[i], field);
            return;
        }
    (void)column_absent(it, &it->tables[0], field->column, field->place, "fields");
}

static void related_check(const check_case *it, size_t index) {
    const search_related *related = &it->definition->related[index];
    const search_live_table *other = &it->tables[it->definition->table_count + index];
    const search_live_table *own = &it->tables[0];
    const search_live_table *holder = related->is_child ? other : own;
    const search_live_table *named = related->is_child ? own : other;
    if (search_table_column(holder, related->key) < 0)
        (void)column_absent(it, holder, related->key, related->key_place, "key");
    if (named->key_count > 1)
        (void)core_problem_tell(it->problems, related->key_place,
                                "key: the primary key of %.*s.%.*s has %zu columns; joins go by "
                                "one",
                                CORE_SLICE_ARGS(named->relation.schema),
                                CORE_SLICE_ARGS(named->relation.table), named->key_count);
}

/* ---- The condition ---- */

static void when_reads(check_case *it, const core_node *node, size_t table) {
    const core_relation *relation = &it->tables[table].relation;
    bool reads[CORE_COLUMNS_MAX] = {false};
    expr_sql_columns(node->text, relation, reads);
    for (uint16_t i = 0; i < relation->column_count; i++)
        if (reads[i])
            it->when[table][it->when_counts[table]++] = relation->columns[i].name;
}

static void when_check(check_case *it, const core_node *node, size_t table) {
    expr_refusal refusal = {.kind = EXPR_REFUSED_NOT};
    expr_verdict verdict;
    const char *reason = NULL;
    const expr_condition_spec spec = {.text = node->text, .relation = &it->tables[table].relation};
    expr_condition *condition = expr_condition_new(&spec, &refusal);
    if (condition == NULL) {
        core_place place = refusal.position > 0
                               ? core_node_place_of(it->document, node, refusal.position)
                               : node->place;
        (void)core_problem_tell(it->problems, place, "when: %s", refusal.error.text);
        return;
    }
    when_reads(it, node, table);
    if (expr_condition_reads_settings(condition))
        (void)core_problem_tell(it->problems, node->place,
                                "when: asks who the user is (current_setting, current_user): an "
                                "index has none; security: rls asks the table's policies");
    else if (expr_condition_constant(condition, &verdict, &reason) && verdict != EXPR_VERDICT_TRUE)
        (void)core_problem_tell(it->problems, node->place,
                                "when: is %s for every row, so no row belongs",
                                expr_verdict_name(verdict));
    expr_condition_release(condition);
}

static void whens_check(check_case *it) {
    const core_node *root = core_document_root(it->document);
    const core_node *when = core_node_find(root, "when"), *tables = core_node_find(root, "tables");
    size_t table = 0;
    if (when != NULL)
        when_check(it, when, 0);
    for (const core_node *item = tables != NULL ? tables->first : NULL; item != NULL;
         item = item->next, table++) {
        when = item->kind == CORE_NODE_MAP ? core_node_find(item, "when") : NULL;
        if (when != NULL)
            when_check(it, when, table);
    }
}

/* A table's column: of a type that has neighbours, and the metric. False: the database could not be
 * asked. */
static bool vector_column_check(const check_case *it, size_t table, bool *is_there,
                                core_error *error) {
    const search_vector *vector = &it->definition->vector;
    const core_relation *relation = &it->tables[table].relation;
    search_vector_column column;
    char name[4 * SEARCH_IDENTIFIER_MAX + 8];
    bool is_indexed = false;
    core_buffer place = core_buffer_over(name, sizeof name);
    pg_identifier_append(&place, relation->schema);
    core_buffer_u8(&place, '.');
    pg_identifier_append(&place, relation->table);
    core_buffer_u8(&place, 0);
    if (!search_vector_look(it->check->connection, name, vector, &column, error))
        return false;
    *is_there = *is_there || column.is_there;
    if (!column.is_there)
        return true;
    if (column.kind == NULL) {
        (void)core_problem_tell(it->problems, vector->place,
                                "vector: %.*s is of type %s; expected pgvector's vector or "
                                "halfvec, or cube",
                                CORE_SLICE_ARGS(vector->column), column.type);
        return true;
    }
    if (column.operator[0] == '\0') {
        (void)core_problem_tell(it->problems, vector->place,
                                "vector: type %s has no operator for metric %s; give another one "
                                "of cosine, l2, inner, l1",
                                column.type, search_metric_name(vector->metric));
        return true;
    }
    if (!search_vector_indexed(it->check->connection, name, vector, &column, &is_indexed, error))
        return false;
    if (!is_indexed)
        core_problem_warn(it->problems, vector->place,
                          "vector: no index of %.*s.%.*s serves metric %s, so each query looks at "
                          "every row",
                          CORE_SLICE_ARGS(relation->schema), CORE_SLICE_ARGS(relation->table),
                          search_metric_name(vector->metric));
    return true;
}

/* Of several tables it is enough that one has the column. */
static bool vector_check(const check_case *it, core_error *error) {
    const search_vector *vector = &it->definition->vector;
    bool is_there = false;
    for (size_t i = 0; i < it->definition->table_count; i++)
        if (!vector_column_check(it, i, &is_there, error))
            return false;
    if (!is_there)
        (void)column_absent(it, &it->tables[0], vector->column, vector->place, "vector");
    return true;
}

/* ---- Facts ---- */

static void facts_write(const check_case *it, core_buffer *facts) {
    search_table_facts tables[TABLES_MAX];
    bool is_whole = it->definition->when.length > 0;
    const search_facts all = {.tables = tables,
                              .table_count = it->count,
                              .when = it->when[0],
                              .when_count = is_whole ? it->when_counts[0] : 0};
    for (size_t i = 0; i < it->count; i++)
        tables[i] = (search_table_facts){.schema = it->tables[i].relation.schema,
                                         .table = it->tables[i].relation.table,
                                         .key = it->tables[i].key,
                                         .key_count = it->tables[i].key_count};
    for (size_t i = 0; i < it->definition->table_count && !is_whole; i++) {
        tables[i].when = it->when[i];
        tables[i].when_count = it->when_counts[i];
    }
    search_facts_write(&all, facts);
}

/* What the engine makes of it is the last word. */
static void schema_check(const check_case *it, const core_buffer *facts) {
    core_error error;
    search_schema *schema = NULL;
    search_plan *plan = search_plan_new(it->definition, core_buffer_slice(facts), &error);
    if (plan != NULL)
        schema = search_plan_schema(plan, &error);
    if (schema == NULL)
        (void)core_problem_tell(it->problems, core_document_root(it->document)->place, "%s",
                                error.text);
    else
        search_schema_release(schema);
    search_plan_free(plan);
}

/* ---- All of it ---- */

static void project_check(const check_case *it) {
    char project[AUTH_CLAIM_MAX], environment[AUTH_CLAIM_MAX];
    const search_definition *definition = it->definition;
    const core_node *node = core_node_find(core_document_root(it->document), "project");
    core_place place = node != NULL ? node->place : (core_place){.line = 1, .column = 1};
    if (!core_slice_to_text(definition->project, project, sizeof project) ||
        !core_slice_to_text(definition->environment, environment, sizeof environment) ||
        !core_tenants_hosts(&it->check->tenants, project, environment))
        (void)core_problem_tell(
            it->problems, place, "project: %.*s (%.*s) is not hosted by this source",
            CORE_SLICE_ARGS(definition->project), CORE_SLICE_ARGS(definition->environment));
}

/* False: the database could not be asked. */
static bool parts_check(check_case *it, core_error *error) {
    for (size_t i = 0; i < it->definition->field_count; i++)
        field_check(it, &it->definition->fields[i]);
    for (size_t i = 0; i < it->definition->related_count; i++)
        related_check(it, i);
    whens_check(it);
    return it->definition->vector.column.length == 0 || vector_check(it, error);
}

bool search_check_definition(search_check *check, const search_definition *definition,
                             const core_document *document, core_problems *problems,
                             core_buffer *facts, core_error *error) {
    CORE_MAGIC_CHECK(check, CHECK_MAGIC);
    size_t errors = problems->errors;
    check_case *it = calloc(1, sizeof *it);
    if (it == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a check");
    it->check = check;
    it->definition = definition;
    it->document = document;
    it->problems = problems;
    project_check(it);
    bool ok = problems->errors > errors || tables_read(it, error);
    ok = ok && (problems->errors > errors || parts_check(it, error));
    if (ok && problems->errors == errors) {
        facts_write(it, facts);
        ok = core_buffer_ok(facts) ||
             core_error_set(error, CORE_ERROR_INTERNAL, "no memory for what was seen of tables");
        schema_check(it, facts);
    }
    for (size_t i = 0; i < it->count; i++)
        search_table_fini(&it->tables[i]);
    free(it);
    return ok;
}
