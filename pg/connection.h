/* A connection's inside, shared by the files of the pg room. */
#ifndef WALCAST_PG_CONNECTION_H
#define WALCAST_PG_CONNECTION_H

#include "pg/pg.h"

#include <libpq-fe.h>

#define PG_SQLSTATE_SIZE 6
#define PG_KEPT_MAX      8
#define PG_NOTES_MAX     8

struct pg_connection {
    PGconn *native;
    int64_t timeout_ms;
    int cancel_fd;
    bool replication;
    bool as_stored;
    bool keeps_search_path;
    char sqlstate[PG_SQLSTATE_SIZE];
    char *copy_row;                /* libpq's, the last one given out */
    size_t copy_bytes;             /* of rows that came without a wait */
    const char *kept[PG_KEPT_MAX]; /* the server's prepared statements, by their texts' addresses */
    size_t kept_count;
    const char *notes[PG_NOTES_MAX];
    size_t note_count;
};

typedef enum { PG_WAIT_READY, PG_WAIT_TIMEOUT, PG_WAIT_CANCELLED, PG_WAIT_FAILED } pg_wait_result;

/* Waits until the socket is readable (or writable, when `write` is set), the deadline passes or the
 * cancel descriptor becomes readable. `deadline_ms` is on the system's monotonic clock. */
CORE_MUST_CHECK pg_wait_result pg_connection_wait(const pg_connection *connection, bool read,
                                                  bool write, int64_t deadline_ms);

/* Sends a command; `count` parameters, none on a replication connection. */
CORE_MUST_CHECK bool pg_connection_query_send(pg_connection *connection, const char *sql,
                                              const char *const *parameters, size_t count,
                                              core_error *error);
/* Takes in what waits in the socket, which may be nothing. */
CORE_MUST_CHECK bool pg_connection_input_take(pg_connection *connection, core_error *error);
/* Waits for input and takes it in. */
CORE_MUST_CHECK bool pg_connection_input_wait(pg_connection *connection, int64_t deadline_ms,
                                              core_error *error);
/* Takes what is left of a command's results; false with the server's error. */
CORE_MUST_CHECK bool pg_connection_results_end(pg_connection *connection, int64_t deadline_ms,
                                               core_error *error);

/* libpq's message as one line: severity, SQLSTATE and further lines (DETAIL, LOCATION) cut off. Our
 * connections ask for PQERRORS_VERBOSE, so that it has the form "FATAL:  28P01: text"; the state
 * goes to `sqlstate`, "" when there is none. */
void pg_message_split(const char *message, char sqlstate[PG_SQLSTATE_SIZE], char *text,
                      size_t text_size);

/* How a caller should treat a SQLSTATE ("" when the server said none). */
core_error_code pg_sqlstate_class(const char *sqlstate);

#endif
