/* See lookup.h. Happy path: the connection is opened, the question is one statement, its answer is
 * copied (types) or held until the next one (values). Failure modes: a lost connection is dropped
 * and TRANSIENT; a statement that the server refuses leaves values unchanged and is told once a
 * minute; a lock that is waited for too long makes reads rest a while, so that the slot goes on. */
#include "cdc/lookup.h"

#include "cdc/lookup_sql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOOKUP_MAGIC UINT32_C(0x77616c6c)

enum {
    SQL_MAX_BYTES = 4 << 20,
    ARENA_CHUNK_BYTES = 4096,
    ARENA_MAX_BYTES = 64 << 20, /* a row's key as parameters */
    REST_MS = 10000,
    TELL_AGAIN_MS = 60000,
    VISIBLE_TRIES = 20,
    VISIBLE_WAIT_MS = 10,
};

typedef struct {
    cdc_lookup base; /* first: the interface points here */
    uint32_t magic;
    const core_config *config;
    core_log *log;
    int cancel_fd;
    pg_connection *connection;
    pg_result *row; /* that the values given out last point into */
    core_arena arena;
    core_buffer sql;
    int64_t rest_until_ms;
    int64_t told_at_ms;
} database_lookup;

static database_lookup *lookup_of(cdc_lookup *base) {
    database_lookup *lookup = (database_lookup *)base;
    CORE_MAGIC_CHECK(lookup, LOOKUP_MAGIC);
    return lookup;
}

/* ---- Connection ---- */

static void connection_drop(database_lookup *lookup) {
    pg_connection_free(lookup->connection);
    lookup->connection = NULL;
}

/* Reading a row runs nobody's policies: where they would apply it is refused. */
static bool session_limit(database_lookup *lookup, core_error *error) {
    pg_result *result = pg_query(lookup->connection,
                                 "SET row_security = off; SET lock_timeout = '1s'; "
                                 "SET default_transaction_read_only = on",
                                 NULL, 0, error);
    pg_result_free(result);
    return result != NULL;
}

static bool connection_open(database_lookup *lookup, core_error *error) {
    if (lookup->connection != NULL && pg_connection_alive(lookup->connection))
        return true;
    connection_drop(lookup);
    pg_connection_spec spec = {
        .url = core_config_text(lookup->config, "postgres.url"),
        .application_name = "walcast lookup",
        .timeout_ms = core_config_integer(lookup->config, "postgres.connect_timeout"),
        .cancel_fd = lookup->cancel_fd,
    };
    lookup->connection = pg_connection_new(&spec, error);
    return lookup->connection != NULL && session_limit(lookup, error);
}

/* Whatever it was, it is worth another try: the database is needed here as the slot is. */
static bool unavailable(database_lookup *lookup, core_error *error) {
    connection_drop(lookup);
    error->code = CORE_ERROR_TRANSIENT;
    return core_error_wrap(error, "looking up beside the slot");
}

/* ---- Types ---- */

static bool oids_write(const cdc_type_facts *types, size_t count, core_buffer *out) {
    core_buffer_reset(out);
    core_buffer_u8(out, '{');
    for (size_t i = 0; i < count; i++)
        core_buffer_format(out, "%s%u", i > 0 ? "," : "", types[i].oid);
    core_buffer_text(out, "}");
    core_buffer_u8(out, '\0');
    return core_buffer_ok(out);
}

static uint32_t oid_value(const pg_result *result, size_t row, size_t column) {
    const char *text = pg_result_value(result, row, column);
    uint64_t oid = 0;
    bool ok = text != NULL && core_slice_to_u64(core_slice_text(text), &oid) && oid <= UINT32_MAX;
    return ok ? (uint32_t)oid : 0;
}

/* Only what a reader of the stream does not know by itself. */
static void facts_set(cdc_type_facts *type, const pg_result *result, size_t row) {
    uint32_t base_oid = oid_value(result, row, 1);
    const char *delimiter = pg_result_value(result, row, 3);
    type->base_oid = base_oid != type->oid ? base_oid : 0;
    if (core_type_element(base_oid) != 0)
        return;
    type->element_oid = oid_value(result, row, 2);
    if (type->element_oid != 0 && delimiter != NULL && delimiter[0] != ',')
        type->delimiter = delimiter[0];
}

static bool lookup_types(cdc_lookup *base, cdc_type_facts *types, size_t count, core_error *error) {
    database_lookup *lookup = lookup_of(base);
    if (!connection_open(lookup, error))
        return unavailable(lookup, error);
    if (!oids_write(types, count, &lookup->sql))
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for %zu types", count);
    const char *const parameters[] = {(const char *)lookup->sql.data};
    pg_result *result = pg_query(lookup->connection, cdc_lookup_types_sql, parameters, 1, error);
    if (result == NULL)
        return unavailable(lookup, error);
    for (size_t row = 0; row < pg_result_rows(result); row++)
        for (size_t i = 0; i < count; i++)
            if (types[i].oid == oid_value(result, row, 0))
                facts_set(&types[i], result, row);
    pg_result_free(result);
    return true;
}

/* ---- Values ---- */

/* The statement was refused; the row's values stay unchanged. */
static void refusal_tell(database_lookup *lookup, const core_change *change,
                         const core_error *error) {
    int64_t now_ms = core_clock_ms(core_clock_system());
    const char *state = pg_connection_sqlstate(lookup->connection);
    bool waited = strcmp(state, "55P03") == 0 || strcmp(state, "57014") == 0;
    if (waited)
        lookup->rest_until_ms = now_ms + REST_MS;
    if (lookup->told_at_ms != 0 && now_ms - lookup->told_at_ms < TELL_AGAIN_MS)
        return;
    lookup->told_at_ms = now_ms;
    char table[256];
    (void)snprintf(table, sizeof table, "%.*s.%.*s", CORE_SLICE_ARGS(change->relation->schema),
                   CORE_SLICE_ARGS(change->relation->table));
    CORE_LOG(lookup->log, WARN, "cdc",
             waited ? "unchanged values cannot be read now; for 10 s they stay absent"
                    : "unchanged values cannot be read; they stay absent",
             CORE_LOG_TEXT("table", table), CORE_LOG_TEXT("error", error->text));
}

static void wait_a_little(void) {
    struct timespec wait = {.tv_nsec = VISIBLE_WAIT_MS * 1000000L};
    while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
        continue;
}

/* A commit that waits for a synchronous standby is decoded before others see it: what they see is
 * older than the change, so it is waited for. `row` stays NULL when there is none to be had. */
static bool row_read(database_lookup *lookup, const core_change *change,
                     const cdc_row_question *question, core_error *error) {
    for (unsigned i = 0; i < VISIBLE_TRIES; i++) {
        lookup->row = pg_query(lookup->connection, question->sql, question->parameters,
                               question->parameter_count, error);
        bool refused = lookup->row == NULL && pg_connection_alive(lookup->connection) &&
                       pg_connection_sqlstate(lookup->connection)[0] != '\0';
        if (lookup->row == NULL && !refused)
            return unavailable(lookup, error);
        if (refused) {
            refusal_tell(lookup, change, error);
            return true;
        }
        if (pg_result_value(lookup->row, 0, 0)[0] == 't')
            return true;
        pg_result_free(lookup->row);
        lookup->row = NULL;
        wait_a_little();
    }
    return true;
}

/* Columns after the first: for each value asked for its length, NULL in a row that is not there,
 * then the value, NULL also when it is longer than may be. */
static void values_take(const pg_result *row, core_change *change, size_t max_bytes) {
    size_t column = 1;
    for (size_t i = 0; i < change->new_tuple.count; i++) {
        core_value *value = &change->new_tuple.values[i];
        if (!cdc_lookup_wants(change, i))
            continue;
        const char *state = pg_result_value(row, 0, column);
        const char *text = pg_result_value(row, 0, column + 1);
        column += 2;
        size_t length = text != NULL ? strlen(text) : 0;
        if (state == NULL || length > max_bytes || (text == NULL && state[0] != 'n'))
            continue;
        max_bytes -= length;
        *value = (core_value){.kind = text != NULL ? CORE_VALUE_TEXT : CORE_VALUE_NULL,
                              .read_later = true,
                              .bytes = core_slice_make(text, length)};
    }
}

static bool lookup_values(cdc_lookup *base, core_change *change, size_t max_bytes,
                          core_error *error) {
    database_lookup *lookup = lookup_of(base);
    cdc_row_question question;
    pg_result_free(lookup->row);
    lookup->row = NULL;
    core_arena_reset(&lookup->arena);
    if (core_clock_ms(core_clock_system()) < lookup->rest_until_ms ||
        !cdc_lookup_row_ask(change, max_bytes, &lookup->sql, &lookup->arena, &question))
        return true;
    if (!connection_open(lookup, error))
        return unavailable(lookup, error);
    if (!row_read(lookup, change, &question, error))
        return false;
    if (lookup->row != NULL)
        values_take(lookup->row, change, max_bytes);
    return true;
}

/* ---- Life ---- */

static void lookup_free(cdc_lookup *base) {
    database_lookup *lookup = lookup_of(base);
    pg_result_free(lookup->row);
    connection_drop(lookup);
    core_arena_fini(&lookup->arena);
    core_buffer_fini(&lookup->sql);
    lookup->magic = 0;
    free(lookup);
}

cdc_lookup *cdc_lookup_new(const core_config *config, core_log *log, int cancel_fd) {
    database_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return NULL;
    *lookup = (database_lookup){
        .base = {.types = lookup_types, .values = lookup_values, .free = lookup_free},
        .magic = LOOKUP_MAGIC,
        .config = config,
        .log = log,
        .cancel_fd = cancel_fd,
    };
    core_arena_init(&lookup->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    core_buffer_init(&lookup->sql, SQL_MAX_BYTES);
    return &lookup->base;
}
