/* See sender_sql.h.
 *
 * Happy path: a job of the database's pool begins a transaction with the logical message
 * `walcast.chain`, runs the statement with its parameters by the extended protocol (so it is one
 * statement, and a value is never part of its text), and commits. The statement's changes come to
 * triggers with the depth that the message says.
 *
 * Failure: the SQLSTATE says whether another attempt may help (sql_end.h). Whether a commit whose
 * answer was lost has happened nobody knows, so it is made again: at least once, as everything. */
#include "triggers/sender_sql.h"

#include "pg/pg.h"
#include "triggers/arguments.h"
#include "triggers/body_read.h"
#include "triggers/sql_end.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SQL_MAGIC UINT32_C(0x7473716c)

enum {
    QUEUE_MAX = TRIGGERS_PARTITIONS * TRIGGERS_ATTEMPTS_MAX, /* all attempts at once */
    WAIT_MS = 30 * 1000, /* for a connection that becomes free, and to connect */
    DATABASES_MAX = CORE_CONFIG_SOURCES_MAX,
    TEXTS_MAX = 64 * 1024 * 1024,
};

typedef struct {
    const core_config *config; /* whose database it is */
    pg_pool *pool;
} sql_database;

typedef struct {
    uint32_t magic;
    triggers_sender_spec spec;
    sql_database databases[DATABASES_MAX];
    size_t count;
} triggers_statements;

/* One attempt. */
typedef struct {
    pg_job job; /* first: the pool hands it back */
    triggers_delivery *delivery;
    char *statement;
    const char *parameters[TRIGGERS_PARAMETERS_MAX];
    size_t places[TRIGGERS_PARAMETERS_MAX]; /* of their texts, while those grow */
    size_t count;
    core_buffer texts; /* one behind the other, each with its NUL */
    int64_t began_ms;
    bool is_withdrawn;
    char sqlstate[8];
} sql_call;

/* ---- which database ---- */

static bool is_allowed(const core_config *config, const char *name) {
    for (size_t i = 0; i < core_config_list_count(config, "triggers.sql_databases"); i++)
        if (strcmp(core_config_list_item(config, "triggers.sql_databases", i), name) == 0)
            return true;
    return false;
}

const core_config *triggers_sql_database(const core_config *config,
                                         const triggers_definition *definition, const char **url,
                                         core_error *error) {
    char name[TRIGGERS_NAME_MAX + 1] = "";
    const core_config *found = config;
    if (!core_slice_is(definition->project, core_config_text(config, "project"))) {
        (void)core_error_set(error, CORE_ERROR_DENIED,
                             "a tenant's trigger may not run statements: they would run with the "
                             "rights of all");
        return NULL;
    }
    if (definition->sql.database.length > 0) {
        bool fits = core_slice_to_text(definition->sql.database, name, sizeof name);
        found = fits && is_allowed(config, name) ? core_config_named(config, name) : NULL;
    }
    if (found == NULL) {
        (void)core_error_set(error, CORE_ERROR_CONFIG,
                             "database: triggers.sql_databases does not name the source %s, or "
                             "there is none",
                             name);
        return NULL;
    }
    *url = core_config_text(found, "triggers.sql_url");
    if (*url == NULL)
        *url = core_config_text(found, "postgres.url");
    return found;
}

static pg_pool *pool_get(triggers_statements *statements, const triggers_definition *definition,
                         core_error *error) {
    const triggers_sender_spec *spec = &statements->spec;
    const char *url;
    const core_config *config = triggers_sql_database(spec->config, definition, &url, error);
    for (size_t i = 0; i < statements->count && config != NULL; i++)
        if (statements->databases[i].config == config)
            return statements->databases[i].pool;
    if (config == NULL)
        return NULL;
    assert(statements->count < DATABASES_MAX);
    const pg_pool_spec pool = {
        .url = url,
        .application_name = "walcast actions",
        .size = (size_t)core_config_integer(spec->config, "triggers.sql_connections"),
        .queue_max = QUEUE_MAX,
        .timeout_ms = WAIT_MS,
        .queue_key = "triggers",
        .timeout_key = "triggers.sql_connections",
        .keeps_search_path = true,
        .log = spec->log,
    };
    sql_database *database = &statements->databases[statements->count];
    *database = (sql_database){.config = config, .pool = pg_pool_new_of(&pool, error)};
    statements->count += database->pool != NULL;
    return database->pool;
}

/* ---- parameters ---- */

static bool text_add(sql_call *call, core_slice text) {
    call->places[call->count] = call->texts.length;
    core_buffer_slice_append(&call->texts, text);
    core_buffer_u8(&call->texts, '\0');
    return memchr(text.data, '\0', text.length) == NULL; /* PostgreSQL has no such text */
}

static bool string_add(sql_call *call, core_slice raw) {
    size_t place = call->texts.length;
    bool ok = core_json_unescape(raw, &call->texts);
    core_buffer_u8(&call->texts, '\0');
    call->places[call->count] = place;
    return ok;
}

static bool argument_add(sql_call *call, const triggers_argument *argument,
                         const triggers_body_parts *parts) {
    switch (argument->kind) {
    case TRIGGERS_ARGUMENT_NULL:
        call->places[call->count] = SIZE_MAX;
        return true;
    case TRIGGERS_ARGUMENT_TEXT:
        return text_add(call, argument->text);
    case TRIGGERS_ARGUMENT_DATA:
        return text_add(call, parts->data);
    case TRIGGERS_ARGUMENT_TYPE:
        return string_add(call, parts->type);
    case TRIGGERS_ARGUMENT_TIME:
        return string_add(call, parts->timestamp);
    case TRIGGERS_ARGUMENT_OFFSET:
        return string_add(call, parts->offset);
    case TRIGGERS_ARGUMENT_ID:
        return text_add(call, core_slice_text(call->delivery->id));
    }
    return false;
}

static bool parameters_make(sql_call *call, core_error *error) {
    const triggers_task *task = &call->delivery->task;
    core_cursor cursor = core_cursor_make(task->arguments);
    triggers_argument argument;
    triggers_body_parts parts;
    bool ok = triggers_body_read(task->body, &parts, error);
    if (!ok)
        return false;
    while (ok && call->count < TRIGGERS_PARAMETERS_MAX &&
           triggers_argument_read(&cursor, &argument)) {
        ok = argument_add(call, &argument, &parts);
        call->count++;
    }
    if (!ok || !core_cursor_done(&cursor) || !core_buffer_ok(&call->texts))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "the task's parameters are none, or too large");
    for (size_t i = 0; i < call->count; i++)
        if (call->places[i] != SIZE_MAX)
            call->parameters[i] = (const char *)call->texts.data + call->places[i];
    return true;
}

/* ---- an attempt, on a thread of the pool ---- */

static bool command(pg_connection *connection, const char *sql, core_error *error) {
    pg_result *result = pg_query(connection, sql, NULL, 0, error);
    pg_result_free(result);
    return result != NULL;
}

static bool call_begin(const sql_call *call, pg_connection *connection, core_error *error) {
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "BEGIN; SET LOCAL statement_timeout = %" PRId64
                   "; SELECT pg_catalog.pg_logical_emit_message(true, '" CORE_CHAIN_PREFIX "', "
                   "'%u')",
                   call->delivery->definition->sql.timeout_ms, call->delivery->task.depth + 1u);
    return command(connection, sql, error);
}

/* A process that slept in between takes back what it did. */
static bool call_end(sql_call *call, pg_connection *connection, core_error *error) {
    call->is_withdrawn = !triggers_delivery_may_begin(call->delivery);
    return command(connection, call->is_withdrawn ? "ROLLBACK" : "COMMIT", error);
}

static bool call_run(pg_job *job, pg_connection *connection, core_error *error) {
    sql_call *call = (sql_call *)(void *)job;
    core_error ignored;
    call->began_ms = core_clock_ms(core_clock_system());
    call->is_withdrawn = !triggers_delivery_may_begin(call->delivery);
    if (call->is_withdrawn)
        return true;
    pg_connection_limit(connection, call->delivery->definition->sql.timeout_ms);
    bool ok = call_begin(call, connection, error);
    if (ok) {
        pg_result *result =
            pg_query_one(connection, call->statement, call->parameters, call->count, error);
        ok = result != NULL;
        pg_result_free(result);
    }
    ok = ok && call_end(call, connection, error);
    (void)snprintf(call->sqlstate, sizeof call->sqlstate, "%s",
                   ok ? "" : pg_connection_sqlstate(connection));
    if (!ok && pg_connection_alive(connection) && !command(connection, "ROLLBACK", &ignored))
        return false; /* the pool gives the connection up */
    return ok;
}

static void call_done(pg_job *job, bool ok, const core_error *error) {
    sql_call *call = (sql_call *)(void *)job;
    triggers_delivery *delivery = call->delivery;
    triggers_sql_verdict verdict = {TRIGGERS_END_DELIVERED, NET_BREAKER_GOOD};
    if (call->is_withdrawn)
        verdict = (triggers_sql_verdict){TRIGGERS_END_WITHDRAWN, NET_BREAKER_SILENT};
    else if (!ok)
        verdict = triggers_sql_end(call->sqlstate);
    if (call->began_ms > 0)
        delivery->end.took_ms = (uint32_t)(core_clock_ms(core_clock_system()) - call->began_ms);
    delivery->word = verdict.word;
    triggers_delivery_end(delivery, verdict.kind, ok ? "" : error->text);
}

/* ---- the sender ---- */

static sql_call *call_new(triggers_delivery *delivery) {
    core_slice statement = delivery->definition->sql.statement;
    sql_call *call = calloc(1, sizeof *call);
    char *text = strndup((const char *)statement.data, statement.length);
    if (call == NULL || text == NULL)
        abort(); /* the log makes a new start whole */
    call->job = (pg_job){.run = call_run, .done = call_done, .kind = PG_JOB_SHORT};
    call->delivery = delivery;
    call->statement = text;
    core_buffer_init(&call->texts, TEXTS_MAX);
    delivery->made = call;
    return call;
}

static void statements_send(void *context, triggers_delivery *delivery,
                            triggers_endpoint *endpoint) {
    triggers_statements *statements = context;
    core_error error = {0};
    (void)endpoint;
    CORE_MAGIC_CHECK(statements, SQL_MAGIC);
    sql_call *call = call_new(delivery);
    if (!parameters_make(call, &error)) {
        triggers_delivery_end(delivery, TRIGGERS_END_REFUSED, error.text);
        return;
    }
    pg_pool *pool = pool_get(statements, delivery->definition, &error);
    if (pool == NULL)
        triggers_delivery_end(
            delivery, error.code == CORE_ERROR_DENIED ? TRIGGERS_END_REFUSED : TRIGGERS_END_FAILED,
            error.text);
    else if (!pg_pool_submit(pool, &call->job, &error))
        triggers_delivery_end(delivery, TRIGGERS_END_FAILED, error.text);
}

static void statements_done(void *context, triggers_delivery *delivery) {
    sql_call *call = delivery->made;
    (void)context;
    core_buffer_fini(&call->texts);
    free(call->statement);
    free(call);
    delivery->made = NULL;
}

static void statements_stop(void *context) {
    triggers_statements *statements = context;
    CORE_MAGIC_CHECK(statements, SQL_MAGIC);
    for (size_t i = 0; i < statements->count; i++)
        pg_pool_stop(statements->databases[i].pool);
}

static void statements_free(void *context) {
    triggers_statements *statements = context;
    CORE_MAGIC_CHECK(statements, SQL_MAGIC);
    for (size_t i = 0; i < statements->count; i++)
        pg_pool_free(statements->databases[i].pool);
    statements->magic = 0;
    free(statements);
}

bool triggers_sql_sender(const triggers_sender_spec *spec, triggers_sender *sender,
                         core_error *error) {
    triggers_statements *statements = calloc(1, sizeof *statements);
    if (statements == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for statements");
    statements->magic = SQL_MAGIC;
    statements->spec = *spec;
    *sender = (triggers_sender){.context = statements,
                                .send = statements_send,
                                .done = statements_done,
                                .stop = statements_stop,
                                .free = statements_free};
    return true;
}
