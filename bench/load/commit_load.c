/* Commits single-row transactions at a steady rate and says when each was sent and committed.
 *
 *   bench_commit_load URL TABLE RATE COUNT CONNECTIONS
 *
 * TABLE has columns (id bigint, sent_at bigint, note text). The load is open: row i is due at
 * start + i / RATE whatever became of the rows before it, so a stall shows as latency and not as
 * fewer samples. Connection k commits rows k+1, k+1+CONNECTIONS, ... Prints `id sent_us
 * committed_us` lines: just before the INSERT goes out, and just after its commit was reported.
 * Any database error ends it with exit 1. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/load/samples.h"

#define CONNECTIONS_MAX 64
#define NOTE            "a note of about eighty bytes, so that the row is as wide as small rows usually are"

typedef struct {
    int64_t sent_us;
    int64_t committed_us;
} commit_sample;

typedef struct {
    const char *url;
    const char *table;
    int64_t rate;
    int64_t count;
    int64_t connections;
    int64_t start_us;
    commit_sample *samples; /* by id - 1; each written by one thread */
} commit_load;

typedef struct {
    const commit_load *load;
    int64_t first;
    PGconn *connection;
    pthread_t thread;
} commit_worker;

static void worker_connect(commit_worker *worker) {
    worker->connection = PQconnectdb(worker->load->url);
    if (PQstatus(worker->connection) != CONNECTION_OK)
        bench_fail("cannot connect: %s", PQerrorMessage(worker->connection));
    char sql[512];
    snprintf(sql, sizeof sql, "INSERT INTO %s (id, sent_at, note) VALUES ($1, $2, '%s')",
             worker->load->table, NOTE);
    PGresult *result = PQprepare(worker->connection, "commit", sql, 2, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        bench_fail("cannot prepare: %s", PQerrorMessage(worker->connection));
    PQclear(result);
}

static void sleep_until(int64_t due_us) {
    struct timespec due = {.tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &due, NULL) != 0)
        continue;
}

static void worker_commit(const commit_worker *worker, int64_t index) {
    commit_sample *sample = &worker->load->samples[index];
    char id[24], sent_at[24];
    const char *values[] = {id, sent_at};
    snprintf(id, sizeof id, "%lld", (long long)(index + 1));
    sample->sent_us = bench_now_us();
    snprintf(sent_at, sizeof sent_at, "%lld", (long long)sample->sent_us);
    PGresult *result = PQexecPrepared(worker->connection, "commit", 2, values, NULL, NULL, 0);
    sample->committed_us = bench_now_us();
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        bench_fail("insert of row %s: %s", id, PQerrorMessage(worker->connection));
    PQclear(result);
}

static void *worker_run(void *context) {
    const commit_worker *worker = context;
    const commit_load *load = worker->load;
    for (int64_t index = worker->first; index < load->count; index += load->connections) {
        sleep_until(load->start_us + index * 1000000 / load->rate);
        worker_commit(worker, index);
    }
    return NULL;
}

static void run_workers(commit_load *load) {
    commit_worker workers[CONNECTIONS_MAX];
    for (int64_t k = 0; k < load->connections; k++) {
        workers[k] = (commit_worker){.load = load, .first = k};
        worker_connect(&workers[k]);
    }
    load->start_us = bench_now_us() + 50000;
    for (int64_t k = 0; k < load->connections; k++)
        if (pthread_create(&workers[k].thread, NULL, worker_run, &workers[k]) != 0)
            bench_fail("cannot start thread %lld", (long long)k);
    for (int64_t k = 0; k < load->connections; k++) {
        pthread_join(workers[k].thread, NULL);
        PQfinish(workers[k].connection);
    }
}

int main(int argc, char **argv) {
    if (argc != 6)
        bench_fail("usage: bench_commit_load URL TABLE RATE COUNT CONNECTIONS");
    commit_load load = {.url = argv[1], .table = argv[2]};
    load.rate = bench_number("RATE", argv[3], 1, 1000000);
    load.count = bench_number("COUNT", argv[4], 1, 10000000);
    load.connections = bench_number("CONNECTIONS", argv[5], 1, CONNECTIONS_MAX);
    load.samples = calloc((size_t)load.count, sizeof load.samples[0]);
    if (load.samples == NULL)
        bench_fail("no memory for %lld samples", (long long)load.count);
    run_workers(&load);
    for (int64_t index = 0; index < load.count; index++)
        printf("%lld %lld %lld\n", (long long)(index + 1), (long long)load.samples[index].sent_us,
               (long long)load.samples[index].committed_us);
    free(load.samples);
    return 0;
}
