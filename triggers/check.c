/* See check.h. What is on something else than a table has a fixed shape (definition.h), which is
 * held against as a table would be, without the database. */
#include "triggers/check.h"

#include "net/net.h"
#include "triggers/check_private.h"
#include "triggers/facts.h"
#include "triggers/rule.h"
#include "triggers/shape.h"

#include <stdio.h>
#include <stdlib.h>

#define CHECK_MAGIC UINT32_C(0x5443484b) /* "TCHK" */

enum { TIMEOUT_MS = 10000 };

struct triggers_check {
    uint32_t magic;
    triggers_spec spec;
    core_tenants tenants;
    pg_connection *connection;
    net_guard *guard; /* made when a URL is there to ask it about */
};

triggers_check *triggers_check_new(const triggers_spec *spec, core_error *error) {
    triggers_check *check = calloc(1, sizeof *check);
    if (check == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for checks of triggers");
        return NULL;
    }
    *check = (triggers_check){
        .magic = CHECK_MAGIC, .spec = *spec, .tenants = core_tenants_of(spec->config)};
    return check;
}

void triggers_check_rest(triggers_check *check) {
    CORE_MAGIC_CHECK(check, CHECK_MAGIC);
    if (check->connection != NULL)
        pg_connection_free(check->connection);
    check->connection = NULL;
}

void triggers_check_free(triggers_check *check) {
    if (check == NULL)
        return;
    triggers_check_rest(check);
    net_guard_free(check->guard);
    check->magic = 0;
    free(check);
}

static bool check_connect(triggers_check *check, core_error *error) {
    const pg_connection_spec spec = {.url = core_config_text(check->spec.config, "postgres.url"),
                                     .application_name = "walcast-triggers",
                                     .timeout_ms = TIMEOUT_MS,
                                     .cancel_fd = -1};
    if (check->connection != NULL && !pg_connection_alive(check->connection))
        triggers_check_rest(check);
    if (check->connection == NULL)
        check->connection = pg_connection_new(&spec, error);
    return check->connection != NULL;
}

/* ---- The parts of a definition ---- */

/* All texts at and below the node. */
static void texts_check(const triggers_check_case *it, const core_node *node, triggers_use use) {
    if (node == NULL)
        return;
    if (node->kind == CORE_NODE_TEXT)
        (void)triggers_check_text(it, node, use);
    for (const core_node *child = node->first; child != NULL; child = child->next)
        texts_check(it, child, use);
}

/* What the matcher makes of it is the last word. */
static void rule_check(const triggers_check_case *it) {
    triggers_rule_problem problem;
    triggers_rule *rule =
        triggers_rule_new(it->definition, &it->table->relation, &it->table->facts, &problem);
    triggers_rule_free(rule);
    if (rule != NULL)
        return;
    const core_node *root = core_document_root(it->document);
    const core_node *node = core_node_find(root, problem.part);
    core_place place = node == NULL ? root->place
                       : problem.position > 0 && node->kind == CORE_NODE_TEXT
                           ? core_node_place_of(it->document, node, problem.position)
                           : node->place;
    (void)core_problem_tell(it->problems, place, "%s", problem.error.text);
}

static void parts_check(const triggers_check_case *it) {
    size_t errors = it->problems->errors;
    const core_node *root = core_document_root(it->document);
    const core_node *action = core_node_find(root, "do");
    const core_node *job = core_node_find(action, "job");
    const core_node *when = core_node_find(root, "when");
    if (when != NULL)
        triggers_check_condition(it, when);
    texts_check(it, core_node_find(root, "select"), TRIGGERS_USE_DATA);
    texts_check(it, core_node_find(root, "template"), TRIGGERS_USE_DATA);
    texts_check(it, core_node_find(root, "key"), TRIGGERS_USE_KEY);
    texts_check(it, core_node_find(core_node_find(action, "sql"), "parameters"), TRIGGERS_USE_DATA);
    texts_check(it, core_node_find(job, "unique"), TRIGGERS_USE_DATA);
    texts_check(it, core_node_find(job, "concurrency"), TRIGGERS_USE_DATA);
    texts_check(it, core_node_find(core_node_find(action, "workflow"), "run"), TRIGGERS_USE_DATA);
    if (it->problems->errors == errors)
        rule_check(it);
}

/* ---- On a table ---- */

static void published_check(const triggers_check_case *it, core_place place) {
    const core_relation *relation = &it->table->relation;
    if (it->table->parts_publication.length > 0)
        (void)core_problem_tell(
            it->problems, place,
            "on: changes of %.*s.%.*s come under the names of its partitions and none under its "
            "own; name a partition, or run: ALTER PUBLICATION \"%.*s\" SET "
            "(publish_via_partition_root = true);",
            CORE_SLICE_ARGS(relation->schema), CORE_SLICE_ARGS(relation->table),
            CORE_SLICE_ARGS(it->table->parts_publication));
    else if (!it->table->is_published)
        core_problem_warn(it->problems, place,
                          "on: %.*s.%.*s is not published now, so no change of it comes "
                          "(postgres.tables, postgres.publication)",
                          CORE_SLICE_ARGS(relation->schema), CORE_SLICE_ARGS(relation->table));
    else if (!it->table->has_identity &&
             (it->definition->ops & (TRIGGERS_OP_UPDATE | TRIGGERS_OP_DELETE)) != 0)
        core_problem_warn(
            it->problems, place,
            "on: PostgreSQL tells no UPDATE or DELETE of a table without a key; add a "
            "primary key, or run: %s",
            it->mending);
    if (it->table->facts.primary_key_count == 0 && it->definition->keyed_count == 0)
        core_problem_warn(it->problems, place,
                          "on: the table has no primary key, so all its deliveries are made one "
                          "after the other; key: names what may go side by side");
}

static void mending_write(const triggers_check_table *table, core_buffer *out) {
    core_buffer_text(out, "ALTER TABLE ");
    if (table->is_partitioned) /* its own identity counts for nothing */
        core_buffer_text(out, "PARTITION REPLICA IDENTITY FULL; with each PARTITION of ");
    core_identifier_append(out, table->relation.schema);
    core_buffer_text(out, ".");
    core_identifier_append(out, table->relation.table);
    if (!table->is_partitioned)
        core_buffer_text(out, " REPLICA IDENTITY FULL;");
    core_buffer_u8(out, 0);
}

static void table_check(const triggers_check *check, const triggers_definition *definition,
                        const core_document *document, const triggers_check_table *table,
                        core_place place, core_problems *problems) {
    char memory[512];
    core_buffer mending = core_buffer_over(memory, sizeof memory);
    const char *unchanged = core_config_text(check->spec.config, "cdc.toast");
    mending_write(table, &mending);
    const triggers_check_case it = {
        .definition = definition,
        .document = document,
        .table = table,
        .problems = problems,
        .mending = core_buffer_ok(&mending) ? memory : "ALTER TABLE ... REPLICA IDENTITY FULL;",
        .reads_unchanged = strcmp(unchanged, "read") == 0,
    };
    published_check(&it, place);
    parts_check(&it);
}

static void absent_tell(core_problems *problems, core_place place, triggers_table_result result,
                        const char *schema, const char *name, const char *nearest) {
    const char *mean = *nearest != '\0' ? "; did you mean " : "";
    const char *mark = *nearest != '\0' ? "?" : "";
    if (result == TRIGGERS_TABLE_NO_SCHEMA)
        (void)core_problem_tell(problems, place, "table: there is no schema %s%s%s%s", schema, mean,
                                nearest, mark);
    else if (result == TRIGGERS_TABLE_NONE)
        (void)core_problem_tell(problems, place, "table: there is no table %s.%s%s%s%s%s%s", schema,
                                name, mean, *nearest != '\0' ? schema : "",
                                *nearest != '\0' ? "." : "", nearest, mark);
    else
        (void)core_problem_tell(problems, place, "table: %s.%s is no table", schema, name);
}

/* The schema as the database knows it: of a tenant `public` is its home. False, told: it is not the
 * project's. */
static bool schema_of(const triggers_check *check, const triggers_definition *definition,
                      core_place place, char schema[CORE_TENANT_SCHEMA_SIZE],
                      core_problems *problems) {
    if (core_slice_is(definition->schema, CORE_TENANT_HOME) &&
        core_tenants_home(&check->tenants, definition->project, schema))
        return true;
    (void)snprintf(schema, CORE_TENANT_SCHEMA_SIZE, "%.*s", CORE_SLICE_ARGS(definition->schema));
    return core_tenants_owns(&check->tenants, definition->project, definition->schema) ||
           core_problem_tell(problems, place, "table: the schema %s is not project %.*s's", schema,
                             CORE_SLICE_ARGS(definition->project));
}

static triggers_table_result table_read(triggers_check *check,
                                        const triggers_definition *definition, const char *schema,
                                        triggers_check_table *table,
                                        char nearest[CORE_TENANT_SCHEMA_SIZE], core_error *error) {
    char name[TRIGGERS_IDENTIFIER_MAX + 1];
    *table = (triggers_check_table){.columns = NULL};
    if (!check_connect(check, error))
        return TRIGGERS_TABLE_FAILED;
    (void)snprintf(name, sizeof name, "%.*s", CORE_SLICE_ARGS(definition->table));
    return triggers_check_table_read(check->connection,
                                     core_config_text(check->spec.config, "postgres.publication"),
                                     schema, name, table, nearest, error);
}

static bool on_table_check(triggers_check *check, const triggers_definition *definition,
                           const core_document *document, core_problems *problems,
                           core_buffer *facts, core_error *error) {
    char schema[CORE_TENANT_SCHEMA_SIZE], name[TRIGGERS_IDENTIFIER_MAX + 1];
    char nearest[CORE_TENANT_SCHEMA_SIZE];
    triggers_check_table table;
    const core_node *on = core_node_find(core_document_root(document), "on");
    core_place place = core_node_find(on, "table")->place;
    if (!schema_of(check, definition, place, schema, problems))
        return true;
    (void)snprintf(name, sizeof name, "%.*s", CORE_SLICE_ARGS(definition->table));
    triggers_table_result result = table_read(check, definition, schema, &table, nearest, error);
    bool ok = result != TRIGGERS_TABLE_FAILED;
    if (result == TRIGGERS_TABLE_FOUND) {
        table_check(check, definition, document, &table, place, problems);
        triggers_facts_write(&table.relation, &table.facts, facts);
        ok = core_buffer_ok(facts) ||
             core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the table's facts");
    } else if (result != TRIGGERS_TABLE_FAILED)
        absent_tell(problems, place, result, schema, name, nearest);
    triggers_check_table_fini(&table);
    return ok;
}

bool triggers_check_shape(triggers_check *check, const triggers_definition *definition,
                          triggers_check_table *table, core_error *error) {
    char schema[CORE_TENANT_SCHEMA_SIZE], nearest[CORE_TENANT_SCHEMA_SIZE];
    const core_place nowhere = {0};
    CORE_MAGIC_CHECK(check, CHECK_MAGIC);
    *table = (triggers_check_table){.columns = NULL};
    if (!schema_of(check, definition, nowhere, schema, NULL))
        return core_error_set(error, CORE_ERROR_INPUT, "the schema %s is not project %.*s's",
                              schema, CORE_SLICE_ARGS(definition->project));
    triggers_table_result result = table_read(check, definition, schema, table, nearest, error);
    return result == TRIGGERS_TABLE_FOUND ||
           (result != TRIGGERS_TABLE_FAILED &&
            core_error_set(error, CORE_ERROR_INPUT, "there is no table %s.%.*s", schema,
                           CORE_SLICE_ARGS(definition->table)));
}

/* ---- On something else ---- */

#define SHAPE_COLUMNS_MAX 16

static void on_shape_check(const triggers_definition *definition, const core_document *document,
                           core_problems *problems) {
    triggers_check_column checked[SHAPE_COLUMNS_MAX];
    const core_relation *shape = triggers_shape(definition->on);
    assert(shape->column_count <= SHAPE_COLUMNS_MAX);
    for (size_t i = 0; i < shape->column_count; i++)
        checked[i] = (triggers_check_column){.in_identity = true};
    const triggers_check_table table = {
        .relation = *shape,
        .facts = {.columns = triggers_shape_facts()},
        .columns = checked,
        .has_identity = true,
        .is_published = true,
    };
    const triggers_check_case it = {
        .definition = definition, .document = document, .table = &table, .problems = problems};
    parts_check(&it);
}

/* ---- What hangs on the configuration ---- */

static bool is_tenants(const triggers_check *check, const triggers_definition *definition) {
    return !core_slice_is(definition->project, check->tenants.project);
}

/* The subject is `token`, or below it. */
static bool is_below(core_slice subject, core_slice token) {
    return core_slice_begins(subject, token) &&
           (subject.length == token.length || subject.data[token.length] == '.');
}

/* A message on a subject of Walcast's own would stand in its streams. The other subjects are the
 * operator's: a tenant has those below its name. */
static void subject_check(const triggers_check *check, const triggers_definition *definition,
                          const core_document *document, core_problems *problems) {
    char memory[CORE_SUBJECT_MAX];
    core_buffer own = core_buffer_over(memory, sizeof memory);
    const char *prefix = core_config_text(check->spec.config, "nats.prefix");
    core_slice subject = definition->nats.subject;
    const core_node *root = core_document_root(document);
    const core_node *nats = core_node_find(core_node_find(root, "do"), "nats");
    core_place place = core_node_find(nats, "subject")->place;
    core_subject_token_append(&own, definition->project);
    if (is_below(subject, core_slice_text(prefix)))
        (void)core_problem_tell(problems, place, "subject: %s.* is Walcast's own: choose another",
                                prefix);
    else if (is_tenants(check, definition) && !is_below(subject, core_buffer_slice(&own)))
        (void)core_problem_tell(problems, place,
                                "subject: a tenant's begins with its project: %.*s.*",
                                CORE_SLICE_ARGS(core_buffer_slice(&own)));
}

/* A warning, since the process that delivers may allow more than this one. What a secret is part of
 * is judged when it is sent. */
static void reach_check(triggers_check *check, const triggers_definition *definition,
                        const core_document *document, core_problems *problems) {
    char url[NET_URL_MAX_BYTES + 1];
    core_slice text = definition->webhook.url;
    const core_node *root = core_document_root(document);
    const core_node *webhook = core_node_find(core_node_find(root, "do"), "webhook");
    core_error error;
    if (memmem(text.data, text.length, "${", 2) != NULL)
        return;
    if (check->guard == NULL)
        check->guard = net_guard_for_config(check->spec.config, &error);
    if (check->guard != NULL && core_slice_to_text(text, url, sizeof url) &&
        net_guard_url_check(check->guard,
                            net_guard_project_allow(check->guard, definition->project), url,
                            &error) != NET_GUARD_PASS)
        core_problem_warn(problems, core_node_find(webhook, "url")->place,
                          "url: it will not be reached: %s", error.text);
}

static void workflow_warn(const core_document *document, core_problems *problems) {
    const core_node *action = core_node_find(core_document_root(document), "do");
    core_problem_warn(problems, core_node_find(action, "workflow")->place,
                      "workflow: this version runs no workflows; what it is asked for is kept in "
                      "the stream of runs (docs/TRIGGERS.md)");
}

static void project_check(const triggers_check *check, const triggers_definition *definition,
                          const core_document *document, core_problems *problems) {
    char project[AUTH_CLAIM_MAX], environment[AUTH_CLAIM_MAX];
    const core_node *node = core_node_find(core_document_root(document), "project");
    core_place place = node != NULL ? node->place : (core_place){.line = 1, .column = 1};
    if (!core_slice_to_text(definition->project, project, sizeof project) ||
        !core_slice_to_text(definition->environment, environment, sizeof environment) ||
        !core_tenants_hosts(&check->tenants, project, environment))
        (void)core_problem_tell(
            problems, place, "project: %.*s (%.*s) is not hosted by this source",
            CORE_SLICE_ARGS(definition->project), CORE_SLICE_ARGS(definition->environment));
}

bool triggers_check_definition(triggers_check *check, const triggers_definition *definition,
                               const core_document *document, core_problems *problems,
                               core_buffer *facts, core_error *error) {
    CORE_MAGIC_CHECK(check, CHECK_MAGIC);
    size_t errors = problems->errors;
    project_check(check, definition, document, problems);
    if (definition->action == TRIGGERS_DO_NATS)
        subject_check(check, definition, document, problems);
    if (definition->action == TRIGGERS_DO_WEBHOOK)
        reach_check(check, definition, document, problems);
    if (definition->action == TRIGGERS_DO_SQL)
        triggers_check_statement(check->spec.config, definition, document, problems);
    if (definition->action == TRIGGERS_DO_WORKFLOW)
        workflow_warn(document, problems);
    if (problems->errors > errors || definition->on == TRIGGERS_ON_QUEUE)
        return true;
    if (definition->on == TRIGGERS_ON_TABLE)
        return on_table_check(check, definition, document, problems, facts, error);
    if (definition->on == TRIGGERS_ON_CRON)
        triggers_check_schedule(definition, document, problems);
    on_shape_check(definition, document, problems);
    return true;
}
