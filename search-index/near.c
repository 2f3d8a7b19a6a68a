/* See near.h. */
#include "search-index/near.h"

#include "search-index/image.h"
#include "search-index/source.h"
#include "search-index/vector.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SQL_MAX    ((size_t)64 << 10)
#define VECTOR_MAX ((size_t)512 << 10) /* as text */
#define ID_MAX     1024                /* longer ones are in no index */
#define RETRY_MS   1000                /* a connection that broke sooner is made anew, once */
#define EF_MAX     1000                /* hnsw.ef_search's maximum */
#define EF_DEFAULT 40

typedef struct {
    core_slice id;
    double distance;
} neighbour;

typedef struct {
    search_call *call;
    const search_definition *definition;
    const search_request *request;
    uint32_t most;
    search_facts facts;
    pg_connection *connection;
    neighbour *found; /* of all tables; room for `most` of each */
    size_t count;
    bool is_all;
    bool has_column;                     /* one of the tables has it */
    char sqlstate[SEARCH_SQLSTATE_SIZE]; /* of a statement that failed */
} asking;

/* ---- The statement ---- */

static void statement_write(const asking *it, const search_table_facts *facts,
                            const search_vector_column *column, core_buffer *sql) {
    core_buffer_text(sql, "SELECT t.");
    pg_identifier_append(sql, it->definition->vector.column);
    core_buffer_format(sql, " %s $1::%s AS walcast_distance", column->operator, column->type);
    for (size_t i = 0; i < facts->key_count; i++) {
        core_buffer_text(sql, ", t.");
        pg_identifier_append(sql, facts->key[i]);
    }
    core_buffer_text(sql, " FROM ");
    search_source_place(facts, sql);
    core_buffer_text(sql, " AS t WHERE t.");
    pg_identifier_append(sql, it->definition->vector.column);
    core_buffer_text(sql, " IS NOT NULL ORDER BY t.");
    pg_identifier_append(sql, it->definition->vector.column);
    core_buffer_format(sql, " %s $1::%s LIMIT %u", column->operator, column->type, it->most);
    core_buffer_u8(sql, '\0');
}

/* How far pgvector's indexes are looked into: by default they give 40 rows, whatever is asked. */
static const char *settings_write(const asking *it, const search_vector_column *column, char *out,
                                  size_t size) {
    uint32_t ef = it->most < EF_DEFAULT ? EF_DEFAULT : it->most > EF_MAX ? EF_MAX : it->most;
    if (!column->has_scan_limit)
        return NULL;
    (void)snprintf(out, size, "SELECT pg_catalog.set_config('hnsw.ef_search', '%u', true)%s", ef,
                   column->scans_on
                       ? ", pg_catalog.set_config('hnsw.iterative_scan', 'strict_order', true),"
                         " pg_catalog.set_config('ivfflat.iterative_scan', 'relaxed_order', true)"
                       : "");
    return out;
}

/* ---- What comes ---- */

static bool id_make(const asking *it, const search_table_facts *facts, const pg_result *result,
                    size_t row, core_slice table, core_slice *id) {
    char memory[ID_MAX];
    core_buffer text = core_buffer_over(memory, sizeof memory);
    if (it->definition->table_count > 1) {
        core_buffer_slice_append(&text, table);
        core_buffer_u8(&text, ':');
    }
    for (size_t i = 0; i < facts->key_count; i++)
        search_key_part_append(core_slice_text(pg_result_value(result, row, 1 + i)), i,
                               facts->key_count, &text);
    if (!core_buffer_ok(&text)) {
        *id = (core_slice){.length = 0};
        return true;
    }
    *id = core_arena_copy(it->call->arena, core_buffer_slice(&text));
    return id->data != NULL;
}

/* A distance that is no number (of a vector without length, by cosine) is none. */
static bool rows_take(asking *it, const search_table_facts *facts, core_slice table,
                      const pg_result *result, core_error *error) {
    size_t rows = pg_result_rows(result);
    it->is_all = it->is_all && rows < it->most;
    for (size_t i = 0; i < rows; i++) {
        const char *text = pg_result_value(result, i, 0);
        neighbour *next = &it->found[it->count];
        next->distance = text != NULL ? strtod(text, NULL) : NAN;
        if (isnan(next->distance))
            continue;
        if (!id_make(it, facts, result, i, table, &next->id))
            return core_error_set(error, CORE_ERROR_LIMIT, "no memory for the neighbours");
        it->count += next->id.length > 0;
    }
    return true;
}

static bool dimensions_check(const asking *it, const search_vector_column *column) {
    return column->dimensions == 0 || column->dimensions == it->request->vector_count ||
           search_refuse(&it->call->refusal, SEARCH_CODE_INVALID_VECTOR_DIMENSIONS,
                         "Invalid vector dimensions: expected: `%u`, found: `%u`.",
                         column->dimensions, it->request->vector_count);
}

static pg_result *statement_ask(asking *it, const search_table_facts *facts,
                                const search_vector_column *column, core_error *error) {
    core_buffer sql, vector;
    char settings[300];
    pg_result *result = NULL;
    core_buffer_init(&sql, SQL_MAX);
    core_buffer_init(&vector, VECTOR_MAX);
    statement_write(it, facts, column, &sql);
    search_vector_write(column->kind, it->request->vector, it->request->vector_count, &vector);
    core_buffer_u8(&vector, '\0');
    const char *const parameters[] = {(const char *)vector.data};
    bool is_secured = it->definition->security == SEARCH_SECURITY_RLS;
    const search_source_question question = {
        .caller = is_secured ? &it->call->request->caller : NULL,
        .settings = settings_write(it, column, settings, sizeof settings),
        .sql = (const char *)sql.data,
        .parameters = parameters,
        .count = 1};
    if (core_buffer_ok(&sql) && core_buffer_ok(&vector))
        result = search_source_ask(it->connection, it->call->arena, &question, it->sqlstate, error);
    else
        (void)core_error_set(error, CORE_ERROR_LIMIT, "the question is too large");
    core_buffer_fini(&sql);
    core_buffer_fini(&vector);
    return result;
}

/* ---- Asking ---- */

/* False: refused, or the error is set. */
static bool table_ask(asking *it, size_t table, core_error *error) {
    const search_table_facts *facts = &it->facts.tables[table];
    search_vector_column column;
    core_buffer place;
    core_buffer_init(&place, 1024);
    search_source_place(facts, &place);
    core_buffer_u8(&place, '\0');
    bool ok = core_buffer_ok(&place) ||
              core_error_set(error, CORE_ERROR_LIMIT, "the table's name is too long");
    ok = ok && search_vector_look(it->connection, (const char *)place.data, &it->definition->vector,
                                  &column, error);
    core_buffer_fini(&place);
    if (!ok || !column.is_there || column.operator[0] == '\0')
        return ok;
    it->has_column = true;
    if (!dimensions_check(it, &column))
        return false;
    pg_result *result = statement_ask(it, facts, &column, error);
    ok = result != NULL && rows_take(it, facts, it->definition->tables[table].table, result, error);
    pg_result_free(result);
    return ok;
}

static bool tables_ask(asking *it, core_error *error) {
    it->count = 0;
    it->is_all = true;
    it->has_column = false;
    it->connection = search_worker_database(it->call->worker, error);
    if (it->connection == NULL)
        return false;
    for (size_t i = 0; i < it->definition->table_count; i++)
        if (!table_ask(it, i, error))
            return false;
    return it->has_column ||
           core_error_set(error, CORE_ERROR_INPUT, "column %.*s is gone, or of another type",
                          CORE_SLICE_ARGS(it->definition->vector.column));
}

/* The server may have been restarted since this thread asked it last. */
static bool connection_broke(const asking *it, const core_error *error, int64_t began_ns) {
    const core_clock *clock = it->call->host->spec.clock;
    return it->connection != NULL && error->code == CORE_ERROR_TRANSIENT &&
           !pg_connection_alive(it->connection) &&
           clock->monotonic_ns(clock) - began_ns < RETRY_MS * CORE_NS_PER_MS;
}

/* What the database says of the vector itself is the request's mistake. */
static bool failure_refuse(const asking *it, const core_error *error) {
    const char *state = it->sqlstate;
    search_code code = SEARCH_CODE_UNAVAILABLE;
    if (error->code == CORE_ERROR_DENIED)
        code = SEARCH_CODE_INVALID_API_KEY;
    else if (strcmp(state, "22000") == 0)
        code = SEARCH_CODE_INVALID_VECTOR_DIMENSIONS;
    else if (strncmp(state, "22", 2) == 0 || strcmp(state, "54000") == 0)
        code = SEARCH_CODE_INVALID_SEARCH_VECTOR;
    return search_refuse(&it->call->refusal, code,
                         "The nearest neighbours could not be asked of the database: %s",
                         error->text);
}

static int neighbour_order(const void *a, const void *b) {
    const neighbour *left = a, *right = b;
    if (left->distance != right->distance)
        return left->distance < right->distance ? -1 : 1;
    return core_slice_compare(left->id, right->id);
}

static bool nearest_keep(asking *it, search_near *near) {
    if (it->count > 1)
        qsort(it->found, it->count, sizeof *it->found, neighbour_order);
    near->count = it->count < it->most ? (uint32_t)it->count : it->most;
    near->is_all = it->is_all;
    core_slice *ids = core_arena_array(it->call->arena, near->count + 1, sizeof *ids);
    near->ids = ids;
    if (ids == NULL)
        return search_refuse(&it->call->refusal, SEARCH_CODE_INTERNAL,
                             "no memory for the neighbours");
    for (uint32_t i = 0; i < near->count; i++)
        ids[i] = it->found[i].id;
    return true;
}

bool search_near_ask(search_call *call, search_open *open, const search_definition *definition,
                     const search_request *request, uint32_t most, search_near *near) {
    asking it = {.call = call, .definition = definition, .request = request, .most = most};
    core_error error = {.text = ""};
    const core_clock *clock = call->host->spec.clock;
    it.found = core_arena_array(call->arena, most * definition->table_count + 1, sizeof *it.found);
    if (it.found == NULL)
        return search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the neighbours");
    if (!search_facts_read(search_open_entry(open)->facts, definition, call->arena, &it.facts,
                           &error))
        return search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
    call->refusal.code = SEARCH_CODE_NONE;
    int64_t began_ns = clock->monotonic_ns(clock);
    bool ok = tables_ask(&it, &error);
    if (!ok && call->refusal.code == SEARCH_CODE_NONE && connection_broke(&it, &error, began_ns))
        ok = tables_ask(&it, &error);
    if (!ok)
        return call->refusal.code != SEARCH_CODE_NONE ? false : failure_refuse(&it, &error);
    return nearest_keep(&it, near);
}
