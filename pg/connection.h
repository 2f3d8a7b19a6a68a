/* A connection's inside, shared by the files of the pg room. */
#ifndef WALCAST_PG_CONNECTION_H
#define WALCAST_PG_CONNECTION_H

#include "pg/pg.h"

#include <libpq-fe.h>

#define PG_SQLSTATE_SIZE 6

struct pg_connection {
    PGconn *native;
    int64_t timeout_ms;
    int cancel_fd;
    bool replication;
    char sqlstate[PG_SQLSTATE_SIZE];
};

typedef enum { PG_WAIT_READY, PG_WAIT_TIMEOUT, PG_WAIT_CANCELLED, PG_WAIT_FAILED } pg_wait_result;

/* Waits until the socket is readable (or writable, when `write` is set), the deadline passes or the
 * cancel descriptor becomes readable. `deadline_ms` is on the system's monotonic clock. */
CORE_MUST_CHECK pg_wait_result pg_connection_wait(const pg_connection *connection, bool read,
                                                  bool write, int64_t deadline_ms);

/* How a caller should treat a SQLSTATE ("" when the server said none). */
core_error_code pg_sqlstate_class(const char *sqlstate);

#endif
