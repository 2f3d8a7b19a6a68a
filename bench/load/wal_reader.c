/* The floor of WAL latency: a bare logical-replication client that only stamps what it reads.
 *
 *   bench_wal_reader REPLICATION_URL SLOT PUBLICATION COUNT
 *
 * REPLICATION_URL carries replication=database. Prints `ready` once the slot streams, reads until
 * rows 1 to COUNT have come, then prints `id received_us` lines. Takes from each pgoutput Insert
 * (protocol 1, docs/protocol-logicalrep-message-formats) its first column, the id, as text. Replies
 * to keepalives that ask for it and confirms nothing. Fails after TIMEOUT_S without a message. */
#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "bench/load/samples.h"

#define TIMEOUT_S      30
#define XLOG_HEADER    25 /* 'w', start, end, clock */
#define KEEPALIVE_SIZE 18 /* 'k', end, clock, reply asked */
#define STATUS_SIZE    34

static void slot_start(PGconn *connection, const char *slot, const char *publication) {
    char command[512];
    snprintf(command, sizeof command,
             "START_REPLICATION SLOT \"%s\" LOGICAL 0/0 (proto_version '1', "
             "publication_names '\"%s\"')",
             slot, publication);
    PGresult *result = PQexec(connection, command);
    if (PQresultStatus(result) != PGRES_COPY_BOTH)
        bench_fail("cannot start slot %s: %s", slot, PQerrorMessage(connection));
    PQclear(result);
    printf("ready\n");
    fflush(stdout);
}

/* A status update that confirms nothing: all positions are 0. */
static void status_send(PGconn *connection) {
    char status[STATUS_SIZE] = {'r'};
    if (PQputCopyData(connection, status, sizeof status) != 1 || PQflush(connection) != 0)
        bench_fail("cannot reply: %s", PQerrorMessage(connection));
}

/* Insert: 'I', relation OID, 'N', column count (2), then 't', length (4) and text of the id. */
static int insert_id(const char *message, int size, int64_t *id) {
    const int value_at = 1 + 4 + 1 + 2 + 1 + 4;
    if (size <= value_at || message[0] != 'I' || message[8] != 't')
        return 0;
    return bench_number_after(message + value_at, (size_t)(size - value_at), "", id);
}

static void input_wait(PGconn *connection) {
    struct pollfd input = {.fd = PQsocket(connection), .events = POLLIN};
    if (poll(&input, 1, TIMEOUT_S * 1000) != 1)
        bench_fail("nothing from the slot for %d s", TIMEOUT_S);
    if (PQconsumeInput(connection) != 1)
        bench_fail("the slot broke: %s", PQerrorMessage(connection));
}

static void slot_read(PGconn *connection, bench_arrivals *arrivals) {
    size_t missing = arrivals->capacity;
    while (missing > 0) {
        char *data = NULL;
        int size = PQgetCopyData(connection, &data, 1);
        int64_t now_us = bench_now_us(), id;
        if (size == -1 || size == -2)
            bench_fail("the slot ended: %s", PQerrorMessage(connection));
        if (size == 0)
            input_wait(connection);
        else if (data[0] == 'k' && size >= KEEPALIVE_SIZE && data[KEEPALIVE_SIZE - 1] != 0)
            status_send(connection);
        else if (data[0] == 'w' && size > XLOG_HEADER &&
                 insert_id(data + XLOG_HEADER, size - XLOG_HEADER, &id))
            missing = bench_arrivals_add(arrivals, id, now_us);
        PQfreemem(data);
    }
}

int main(int argc, char **argv) {
    if (argc != 5)
        bench_fail("usage: bench_wal_reader REPLICATION_URL SLOT PUBLICATION COUNT");
    bench_arrivals arrivals;
    bench_arrivals_init(&arrivals, (size_t)bench_number("COUNT", argv[4], 1, 10000000));
    PGconn *connection = PQconnectdb(argv[1]);
    if (PQstatus(connection) != CONNECTION_OK)
        bench_fail("cannot connect: %s", PQerrorMessage(connection));
    slot_start(connection, argv[2], argv[3]);
    slot_read(connection, &arrivals);
    PQfinish(connection);
    bench_arrivals_finish(&arrivals, 1);
    return 0;
}
