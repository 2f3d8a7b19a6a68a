/* COPY ... TO STDOUT, row by row, waited for with poll(2).
 *
 * Happy path: the COPY is started; each call gives the next row in libpq's own buffer, until the
 * server says it is done. The server's word that it began waits in its buffer for the first rows
 * (8 KiB of them), so it may take as long as they do. Failure modes: a server's error in mid-COPY
 * ends it with its text and SQLSTATE, the connection stays good; silence beyond the limit, a cancel
 * or a lost socket leave a connection that is of no more use. */
#include "pg/connection.h"

#include <time.h>

enum {
    SILENCE_MAX_MS = 3600000, /* a condition that no row passes; a dead link TCP finds */
    SENT_AT_ONCE_BYTES = 8192,
    GATHER_US = 200,
};

static int64_t silence_end_ms(void) {
    return core_clock_ms(core_clock_system()) + SILENCE_MAX_MS;
}

static void row_free(pg_connection *connection) {
    PQfreemem(connection->copy_row);
    connection->copy_row = NULL;
}

/* Behind the last row: the command's own end, or the error that ended it. */
static pg_copy_result copy_ended(pg_connection *connection, int64_t deadline_ms,
                                 core_error *error) {
    bool ok = pg_connection_results_end(connection, deadline_ms, error);
    return ok ? PG_COPY_END : PG_COPY_FAILED;
}

bool pg_copy_begin(pg_connection *connection, const char *sql, core_error *error) {
    return pg_connection_query_send(connection, sql, NULL, 0, error) &&
           pg_connection_results_end(connection, silence_end_ms(), error);
}

/* No row is at hand. The server sends 8 KiB at a time, and a wake-up for each costs both sides more
 * than its rows do: where that much has come since the last wait, more is left to gather. */
static bool rows_wait(pg_connection *connection, bool *gathered, core_error *error) {
    static const struct timespec gather = {.tv_nsec =
                                               GATHER_US * (CORE_NS_PER_MS / CORE_US_PER_MS)};
    bool flows = connection->copy_bytes >= SENT_AT_ONCE_BYTES;
    if (!*gathered)
        *gathered = true; /* the socket may hold more than was read at once */
    else if (flows) {
        connection->copy_bytes = 0;
        (void)nanosleep(&gather, NULL);
    } else
        return pg_connection_input_wait(connection, silence_end_ms(), error);
    return pg_connection_input_take(connection, error);
}

pg_copy_result pg_copy_next(pg_connection *connection, uint8_t **row, size_t *length,
                            core_error *error) {
    bool gathered = false;
    row_free(connection);
    for (;;) {
        int got = PQgetCopyData(connection->native, &connection->copy_row, 1);
        if (got > 0) {
            *row = (uint8_t *)connection->copy_row;
            *length = (size_t)got;
            connection->copy_bytes += *length;
            return PG_COPY_ROW;
        }
        if (got < 0)
            return copy_ended(connection, silence_end_ms(), error);
        if (!rows_wait(connection, &gathered, error))
            return PG_COPY_FAILED;
    }
}

bool pg_copy_stop(pg_connection *connection, core_error *error) {
    char reason[256];
    PGcancel *cancel = PQgetCancel(connection->native);
    bool asked = cancel != NULL && PQcancel(cancel, reason, sizeof reason) == 1;
    PQfreeCancel(cancel);
    if (!asked)
        return core_error_set(error, CORE_ERROR_TRANSIENT, "the COPY could not be called off");
    uint8_t *row;
    size_t length;
    core_error ended = {0};
    pg_copy_result result;
    do
        result = pg_copy_next(connection, &row, &length, &ended);
    while (result == PG_COPY_ROW);
    bool called_off = result == PG_COPY_END || strcmp(connection->sqlstate, "57014") == 0;
    if (!called_off && error != NULL)
        *error = ended;
    return called_off;
}
