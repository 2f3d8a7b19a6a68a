/* Connections to PostgreSQL that never hang: libpq's asynchronous interface, poll(2), a deadline
 * and a descriptor that calls the attempt off.
 *
 * Happy path: the URL is parsed (so that a malformed one is told without its password), then
 * PQconnectPoll is driven to the end and the session is given fixed output settings. Failure modes:
 * a malformed URL and refused credentials are CONFIG, a server that is away or starting is
 * TRANSIENT. Only name resolution, which libpq does inside PQconnectStart, can block longer. */
#include "pg/connection.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

pg_wait_result pg_connection_wait(const pg_connection *connection, bool read, bool write,
                                  int64_t deadline_ms) {
    for (;;) {
        int64_t left_ms = deadline_ms - core_clock_ms(core_clock_system());
        if (left_ms <= 0)
            return PG_WAIT_TIMEOUT;
        short events = (short)((read ? POLLIN : 0) | (write ? POLLOUT : 0));
        struct pollfd fds[2] = {
            {.fd = PQsocket(connection->native), .events = events},
            {.fd = connection->cancel_fd, .events = POLLIN},
        };
        if (fds[0].fd < 0)
            return PG_WAIT_FAILED;
        int ready = poll(fds, 2, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
        if (ready < 0 && errno != EINTR)
            return PG_WAIT_FAILED;
        if (ready > 0 && fds[1].revents != 0)
            return PG_WAIT_CANCELLED;
        if (ready > 0 && fds[0].revents != 0)
            return PG_WAIT_READY;
    }
}

void pg_message_split(const char *message, char sqlstate[PG_SQLSTATE_SIZE], char *text,
                      size_t text_size) {
    sqlstate[0] = '\0';
    const char *line = message;
    for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        const char *state = at + 3;
        size_t length = 0;
        while (length < 5 &&
               (isdigit((unsigned char)state[length]) || isupper((unsigned char)state[length])))
            length++;
        if (length == 5 && state[5] == ':') {
            memcpy(sqlstate, state, 5);
            sqlstate[5] = '\0';
            line = state + 7;
            break;
        }
    }
    size_t length = strcspn(line, "\n");
    if (length >= text_size)
        length = text_size - 1;
    memcpy(text, line, length);
    text[length] = '\0';
}

static bool connect_failed(pg_connection *connection, core_error *error) {
    char text[CORE_ERROR_TEXT_MAX / 2];
    const char *message = PQerrorMessage(connection->native);
    pg_message_split(message, connection->sqlstate, text, sizeof text);
    if (connection->sqlstate[0] == '\0')
        return core_error_set(error, CORE_ERROR_TRANSIENT, "%s",
                              text[0] != '\0' ? text : "the connection was lost");
    core_error_code code = pg_sqlstate_class(connection->sqlstate);
    return core_error_set(error, code, "%s (SQLSTATE %s)", text, connection->sqlstate);
}

bool pg_url_check(const char *url, core_error *error) {
    char *reason = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &reason);
    bool ok = options != NULL;
    PQconninfoFree(options);
    PQfreemem(reason); /* may quote the URL with its password: never shown */
    if (ok)
        return true;
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "not a PostgreSQL connection URL; expected "
                          "postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE with special "
                          "characters percent-encoded");
}

/* What stands before "dbname" the URL may override, what stands behind it not. TCP's keepalives
 * find a link that was cut without a sign within half a minute. */
static PGconn *connect_start(const pg_connection_spec *spec) {
    const char *const keywords[] = {"keepalives_idle",
                                    "keepalives_interval",
                                    "keepalives_count",
                                    "tcp_user_timeout",
                                    "dbname",
                                    "fallback_application_name",
                                    "client_encoding",
                                    "replication",
                                    NULL};
    const char *const values[] = {"10",      "5",
                                  "3",       "30000",
                                  spec->url, spec->application_name,
                                  "UTF8",    spec->replication ? "database" : "false",
                                  NULL};
    PGconn *native = PQconnectStartParams(keywords, values, 1);
    if (native != NULL)
        (void)PQsetErrorVerbosity(native, PQERRORS_VERBOSE); /* brings the SQLSTATE */
    return native;
}

static bool connect_drive(pg_connection *connection, int64_t deadline_ms, core_error *error) {
    if (PQstatus(connection->native) == CONNECTION_BAD)
        return connect_failed(connection, error);
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK) {
        bool write = status == PGRES_POLLING_WRITING;
        switch (pg_connection_wait(connection, !write, write, deadline_ms)) {
        case PG_WAIT_READY:
            break;
        case PG_WAIT_CANCELLED:
            return core_error_set(error, CORE_ERROR_TRANSIENT, "stopped while connecting");
        case PG_WAIT_TIMEOUT:
            return core_error_set(error, CORE_ERROR_TRANSIENT, "no answer within %lld ms",
                                  (long long)connection->timeout_ms);
        case PG_WAIT_FAILED:
            return connect_failed(connection, error);
        }
        status = PQconnectPoll(connection->native);
        if (status == PGRES_POLLING_FAILED)
            return connect_failed(connection, error);
    }
    return true;
}

/* Text comes as UTF-8. What a SQL_ASCII database holds is of no known encoding and need not be
 * valid in any: asked for as UTF-8 the server would refuse to send it at all. */
static const char *text_encoding(const pg_connection *connection) {
    bool is_any = strcmp(pg_connection_server_encoding(connection), "SQL_ASCII") == 0;
    return is_any || connection->as_stored ? "SQL_ASCII" : "UTF8";
}

/* What a value looks like as text depends on the session: fixed here, so that the stream's bytes do
 * not change with a role's or database's settings. The empty search path makes every name that a
 * value holds (regclass, say) a qualified one. */
static bool session_fix(pg_connection *connection, core_error *error) {
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "SET client_encoding = '%s'; %sSET DateStyle = 'ISO'; SET "
                   "IntervalStyle = 'postgres'; "
                   "SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex'; "
                   "SET statement_timeout = %lld; SET idle_in_transaction_session_timeout = 0",
                   text_encoding(connection),
                   connection->keeps_search_path ? "" : "SET search_path = ''; ",
                   connection->replication ? 0LL : (long long)connection->timeout_ms);
    pg_result *result = pg_query(connection, sql, NULL, 0, error);
    pg_result_free(result);
    return result != NULL;
}

pg_connection *pg_connection_new(const pg_connection_spec *spec, core_error *error) {
    if (!pg_url_check(spec->url, error))
        return NULL;
    pg_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a connection");
        return NULL;
    }
    connection->timeout_ms = spec->timeout_ms;
    connection->cancel_fd = spec->cancel_fd;
    connection->replication = spec->replication;
    connection->as_stored = spec->as_stored;
    connection->keeps_search_path = spec->keeps_search_path;
    connection->native = connect_start(spec);
    int64_t deadline_ms = core_clock_ms(core_clock_system()) + spec->timeout_ms;
    bool ok = connection->native != NULL;
    if (!ok)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a connection");
    ok = ok && connect_drive(connection, deadline_ms, error);
    if (ok && PQsetnonblocking(connection->native, 1) != 0)
        ok = connect_failed(connection, error);
    ok = ok && session_fix(connection, error);
    if (!ok) {
        pg_connection_free(connection);
        return NULL;
    }
    return connection;
}

void pg_connection_free(pg_connection *connection) {
    if (connection == NULL)
        return;
    PQfreemem(connection->copy_row);
    PQfinish(connection->native);
    free(connection);
}

int pg_connection_server_version(const pg_connection *connection) {
    return PQserverVersion(connection->native);
}

const char *pg_connection_server_encoding(const pg_connection *connection) {
    const char *encoding = PQparameterStatus(connection->native, "server_encoding");
    return encoding != NULL ? encoding : "";
}

void *pg_connection_native(pg_connection *connection) {
    return connection->native;
}

const char *pg_connection_sqlstate(const pg_connection *connection) {
    return connection->sqlstate;
}

void pg_connection_limit(pg_connection *connection, int64_t timeout_ms) {
    connection->timeout_ms = timeout_ms;
}

bool pg_connection_noted(const pg_connection *connection, const char *key) {
    for (size_t i = 0; i < connection->note_count; i++)
        if (connection->notes[i] == key)
            return true;
    return false;
}

void pg_connection_note(pg_connection *connection, const char *key) {
    if (!pg_connection_noted(connection, key) && connection->note_count < PG_NOTES_MAX)
        connection->notes[connection->note_count++] = key;
}

bool pg_connection_alive(const pg_connection *connection) {
    return PQstatus(connection->native) == CONNECTION_OK;
}
