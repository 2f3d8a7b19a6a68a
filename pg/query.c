/* One query at a time on a connection, waited for with poll(2) up to the connection's time limit.
 *
 * Happy path: send, flush, read until the server says it is done; the last result counts. A command
 * that turns the connection into a COPY (START_REPLICATION) returns as soon as the COPY begins.
 * Failure modes: after a time-out or a cancel the query still runs on the server (until its
 * statement_timeout), so the connection is of no more use: free it. */
#include "pg/connection.h"

#include <stdio.h>
#include <stdlib.h>

struct pg_result {
    PGresult *native;
};

static bool connection_lost(pg_connection *connection, core_error *error) {
    char text[CORE_ERROR_TEXT_MAX / 2];
    pg_message_split(PQerrorMessage(connection->native), connection->sqlstate, text, sizeof text);
    return core_error_set(error, CORE_ERROR_TRANSIENT, "%s",
                          text[0] != '\0' ? text : "the connection was lost");
}

static bool wait_refused(pg_connection *connection, pg_wait_result result, core_error *error) {
    switch (result) {
    case PG_WAIT_READY:
        return true;
    case PG_WAIT_TIMEOUT:
        return core_error_set(error, CORE_ERROR_TRANSIENT, "no answer to a query within %lld ms",
                              (long long)connection->timeout_ms);
    case PG_WAIT_CANCELLED:
        return core_error_set(error, CORE_ERROR_TRANSIENT, "stopped while a query ran");
    case PG_WAIT_FAILED:
        break;
    }
    return connection_lost(connection, error);
}

bool pg_connection_query_send(pg_connection *connection, const char *sql,
                              const char *const *parameters, size_t count, core_error *error) {
    assert(count == 0 || !connection->replication);
    int sent = count == 0 ? PQsendQuery(connection->native, sql)
                          : PQsendQueryParams(connection->native, sql, (int)count, NULL, parameters,
                                              NULL, NULL, 0);
    return sent == 1 || connection_lost(connection, error);
}

bool pg_connection_input_take(pg_connection *connection, core_error *error) {
    return PQconsumeInput(connection->native) != 0 || connection_lost(connection, error);
}

bool pg_connection_input_wait(pg_connection *connection, int64_t deadline_ms, core_error *error) {
    pg_wait_result result = pg_connection_wait(connection, true, false, deadline_ms);
    if (result != PG_WAIT_READY)
        return wait_refused(connection, result, error);
    return pg_connection_input_take(connection, error);
}

/* Sends what is queued and reads until a result can be taken without blocking. */
static bool query_wait(pg_connection *connection, int64_t deadline_ms, core_error *error) {
    for (;;) {
        int unsent = PQflush(connection->native);
        if (unsent < 0)
            return connection_lost(connection, error);
        if (unsent == 0 && !PQisBusy(connection->native))
            return true;
        pg_wait_result result = pg_connection_wait(connection, true, unsent > 0, deadline_ms);
        if (result != PG_WAIT_READY)
            return wait_refused(connection, result, error);
        if (PQconsumeInput(connection->native) == 0)
            return connection_lost(connection, error);
    }
}

static void field_append(core_buffer *text, const char *name, const char *value) {
    if (value != NULL)
        core_buffer_format(text, "; %s: %s", name, value);
}

static bool result_refused(pg_connection *connection, const PGresult *result, core_error *error) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == NULL)
        return connection_lost(connection, error);
    if (!core_slice_to_text(core_slice_text(state), connection->sqlstate, PG_SQLSTATE_SIZE))
        return core_error_set(error, CORE_ERROR_INPUT, "the server's SQLSTATE is \"%s\"", state);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    core_buffer text;
    core_buffer_init(&text, CORE_ERROR_TEXT_MAX);
    core_buffer_text(&text, primary != NULL ? primary : "unknown error");
    core_buffer_format(&text, " (SQLSTATE %s)", state);
    field_append(&text, "detail", PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
    field_append(&text, "hint", PQresultErrorField(result, PG_DIAG_MESSAGE_HINT));
    for (size_t i = 0; i < text.length; i++)
        text.data[i] = text.data[i] == '\n' ? ' ' : text.data[i];
    (void)core_error_set(error, pg_sqlstate_class(state), "%.*s", (int)text.length, text.data);
    core_buffer_fini(&text);
    return false;
}

static bool status_is_copy(ExecStatusType status) {
    return status == PGRES_COPY_BOTH || status == PGRES_COPY_OUT || status == PGRES_COPY_IN;
}

static bool status_is_good(ExecStatusType status) {
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY ||
           status_is_copy(status);
}

/* Takes results until the server is done; the first error counts, else the last result. */
static PGresult *query_collect(pg_connection *connection, int64_t deadline_ms, core_error *error) {
    PGresult *last = NULL;
    bool failed = false;
    for (;;) {
        if (!query_wait(connection, deadline_ms, error)) {
            PQclear(last);
            return NULL;
        }
        PGresult *next = PQgetResult(connection->native);
        if (next == NULL)
            break;
        if (!failed && !status_is_good(PQresultStatus(next)))
            failed = !result_refused(connection, next, error);
        PQclear(last);
        last = next;
        if (status_is_copy(PQresultStatus(next)))
            break;
    }
    if (!failed && last == NULL)
        failed = !connection_lost(connection, error);
    if (failed) {
        PQclear(last);
        return NULL;
    }
    return last;
}

bool pg_connection_results_end(pg_connection *connection, int64_t deadline_ms, core_error *error) {
    connection->sqlstate[0] = '\0';
    PGresult *last = query_collect(connection, deadline_ms, error);
    PQclear(last);
    return last != NULL;
}

/* The server ends a query that takes too long by itself; the grace lets its word arrive. */
static int64_t query_end_ms(const pg_connection *connection) {
    const int64_t grace_ms = 2000;
    return core_clock_ms(core_clock_system()) + connection->timeout_ms + grace_ms;
}

static pg_result *result_take(pg_connection *connection, core_error *error) {
    PGresult *native = query_collect(connection, query_end_ms(connection), error);
    if (native == NULL)
        return NULL;
    pg_result *result = malloc(sizeof *result);
    if (result == NULL) {
        PQclear(native);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a query's result");
        return NULL;
    }
    result->native = native;
    return result;
}

pg_result *pg_query(pg_connection *connection, const char *sql, const char *const *parameters,
                    size_t count, core_error *error) {
    connection->sqlstate[0] = '\0';
    if (!pg_connection_query_send(connection, sql, parameters, count, error))
        return NULL;
    return result_take(connection, error);
}

/* The extended protocol takes one statement only. */
pg_result *pg_query_one(pg_connection *connection, const char *sql, const char *const *parameters,
                        size_t count, core_error *error) {
    connection->sqlstate[0] = '\0';
    if (PQsendQueryParams(connection->native, sql, (int)count, NULL, parameters, NULL, NULL, 0) !=
        1) {
        (void)connection_lost(connection, error);
        return NULL;
    }
    return result_take(connection, error);
}

bool pg_statement_check(pg_connection *connection, const char *sql, size_t *parameters,
                        core_error *error) {
    connection->sqlstate[0] = '\0';
    if (PQsendPrepare(connection->native, "", sql, 0, NULL) != 1)
        return connection_lost(connection, error);
    if (!pg_connection_results_end(connection, query_end_ms(connection), error))
        return false;
    if (PQsendDescribePrepared(connection->native, "") != 1)
        return connection_lost(connection, error);
    pg_result *result = result_take(connection, error);
    if (result == NULL)
        return false;
    *parameters = (size_t)PQnparams(result->native);
    pg_result_free(result);
    return true;
}

/* ---- Kept statements ---- */

static bool statement_find(const pg_connection *connection, const char *sql, size_t *at) {
    for (*at = 0; *at < connection->kept_count; ++*at)
        if (connection->kept[*at] == sql)
            return true;
    return false;
}

static bool statement_keep(pg_connection *connection, const char *sql, const char *name,
                           size_t count, core_error *error) {
    if (PQsendPrepare(connection->native, name, sql, (int)count, NULL) != 1)
        return connection_lost(connection, error);
    if (!pg_connection_results_end(connection, query_end_ms(connection), error))
        return false;
    connection->kept[connection->kept_count++] = sql;
    return true;
}

pg_result *pg_query_kept(pg_connection *connection, const char *sql, const char *const *parameters,
                         size_t count, core_error *error) {
    char name[32];
    size_t at;
    bool found = statement_find(connection, sql, &at);
    if (!found && at == PG_KEPT_MAX)
        return pg_query(connection, sql, parameters, count, error);
    (void)snprintf(name, sizeof name, "walcast_%zu", at);
    connection->sqlstate[0] = '\0';
    if (!found && !statement_keep(connection, sql, name, count, error))
        return NULL;
    if (PQsendQueryPrepared(connection->native, name, (int)count, parameters, NULL, NULL, 0) != 1) {
        (void)connection_lost(connection, error);
        return NULL;
    }
    return result_take(connection, error);
}

/* ---- Results ---- */

void pg_result_free(pg_result *result) {
    if (result == NULL)
        return;
    PQclear(result->native);
    free(result);
}

size_t pg_result_rows(const pg_result *result) {
    return (size_t)PQntuples(result->native);
}

const char *pg_result_value(const pg_result *result, size_t row, size_t column) {
    assert(row < (size_t)PQntuples(result->native) && column < (size_t)PQnfields(result->native));
    if (PQgetisnull(result->native, (int)row, (int)column))
        return NULL;
    return PQgetvalue(result->native, (int)row, (int)column);
}
