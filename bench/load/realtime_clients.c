/* Realtime clients that join as supabase-js does (vsn 2.0.0, text frames) and note when changes
 * come.
 *
 *   bench_realtime_clients PORT TOKEN TABLE COLUMN CONNECTIONS CHANNELS BINDINGS ROWS [OWNERS]
 *
 * TOKEN is everybody's, or `@FILE` with one a line, each connection's own in turn.
 * Each of CONNECTIONS joins CHANNELS channels with BINDINGS postgres_changes bindings each (0:
 * none), for the INSERTs of public.TABLE. COLUMN `-` binds without a filter, so that every
 * connection is told of every row; else every binding is `COLUMN=eq.N` with an N of its own,
 * counted from 0 over all of them, and each row must come once. Topics are a connection's own where
 * it has no bindings.
 *
 * With OWNERS row N belongs to owner N * OWNER_STEP % OWNERS, and connection i is of owner i %
 * OWNERS: each row must come once to each connection of its owner and to no other. COLUMN then
 * binds to the owner's UUID (OWNER_UUID with its number); with `-` it is the server that must know,
 * from the connection's token, which rows to show. When all have come it prints `done SECONDS`, the
 * processor time since it was ready, and holds the connections until its input ends, so that what
 * the server has spent by then can be read.
 *
 * Prints `ready SECONDS` when all channels are joined, and where they have bindings the server has
 * said that changes flow. It then reads until rows 1 to ROWS have come everywhere and prints a line
 * for each, `id received_us [received_us ...]`; with 0 ROWS it holds the connections until its
 * input ends. All frames that one recv() brought have its time. The id is the record's first
 * column. Fails after TIMEOUT_MS of silence, on a refused handshake or join, on a row that comes
 * twice, and on any frame that it does not expect. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/load/clients.h"
#include "bench/load/samples.h"
#include "bench/load/ws_wire.h"

#define TIMEOUT_MS   60000
#define OPENING      256  /* connections that are not ready yet */
#define JOINING      4096 /* channels of theirs */
#define TARGET_MAX   8192
#define JOIN_MAX     32768
#define BINDINGS_MAX 100
#define OWNER_STEP   7919 /* a prime: from one row to the next the owner is elsewhere */
#define OWNER_UUID   "00000000-0000-4000-8000-%012zx"

typedef struct {
    char **tokens; /* connection i has that of i modulo their number */
    size_t token_count;
    const char *table;
    const char *column; /* NULL: no filter */
    bench_clients clients;
    size_t channels; /* a connection */
    size_t bindings; /* a channel */
    size_t *joined;  /* channels, by connection */
    size_t ready;    /* connections */
    size_t owners;   /* 0: rows belong to nobody */
    size_t copies;   /* of each row: one, or one a connection, or one for each of its owner's */
    bench_arrivals *arrivals;
    size_t missing;
} realtime;

static bool holds(const char *text, size_t size, const char *part) {
    return memmem(text, size, part, strlen(part)) != NULL;
}

/* ---- Tokens ---- */

static void tokens_read(realtime *load, const char *path) {
    FILE *file = fopen(path, "r");
    size_t capacity = 0;
    char *line = NULL;
    if (file == NULL)
        bench_fail("%s cannot be read", path);
    while (getline(&line, &capacity, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char **tokens = realloc(load->tokens, (load->token_count + 1) * sizeof *tokens);
        if (tokens == NULL)
            bench_fail("no memory for %zu tokens", load->token_count);
        load->tokens = tokens;
        load->tokens[load->token_count++] = line;
        line = NULL;
        capacity = 0;
    }
    free(line);
    (void)fclose(file);
    if (load->token_count == 0)
        bench_fail("%s has no tokens", path);
}

static void tokens_take(realtime *load, const char *argument) {
    if (argument[0] == '@') {
        tokens_read(load, argument + 1);
        return;
    }
    load->tokens = malloc(sizeof *load->tokens);
    if (load->tokens == NULL || (load->tokens[0] = strdup(argument)) == NULL)
        bench_fail("no memory for a token");
    load->token_count = 1;
}

static const char *token_of(const realtime *load, size_t index) {
    return load->tokens[index % load->token_count];
}

/* ---- Joining ---- */

static size_t join_bindings(const realtime *load, size_t first, char *out, size_t room) {
    size_t at = 0;
    for (size_t i = 0; i < load->bindings; i++) {
        int length = snprintf(out + at, room - at,
                              "%s{\"event\":\"INSERT\",\"schema\":\"public\",\"table\":\"%s\"",
                              i > 0 ? "," : "", load->table);
        at += (size_t)length;
        if (load->column != NULL && at < room)
            at +=
                (size_t)snprintf(out + at, room - at,
                                 load->owners > 0 ? ",\"filter\":\"%s=eq." OWNER_UUID "\""
                                                  : ",\"filter\":\"%s=eq.%zu\"",
                                 load->column, load->owners > 0 ? first % load->owners : first + i);
        if (at + 2 >= room)
            bench_fail("the join does not fit");
        out[at++] = '}';
    }
    out[at] = '\0';
    return at;
}

static void channel_join(bench_clients *clients, size_t index, size_t channel) {
    const realtime *load = clients->context;
    char bindings[JOIN_MAX], text[2 * JOIN_MAX], topic[64];
    (void)join_bindings(load, (index * load->channels + channel) * load->bindings, bindings,
                        sizeof bindings);
    if (load->bindings > 0)
        snprintf(topic, sizeof topic, "realtime:bench-%zu", channel);
    else
        snprintf(topic, sizeof topic, "realtime:bench-%zu-%zu", index, channel);
    int length = snprintf(text, sizeof text,
                          "[\"1\",\"1\",\"%s\",\"phx_join\",{\"config\":{\"broadcast\":{\"ack\":"
                          "false,\"self\":false},"
                          "\"presence\":{\"key\":\"\",\"enabled\":false},\"postgres_changes\":[%s],"
                          "\"private\":false},\"access_token\":\"%s\"}]",
                          topic, bindings, token_of(load, index));
    if (length < 0 || (size_t)length >= sizeof text)
        bench_fail("the join does not fit");
    bench_clients_send(clients, index, BENCH_WS_TEXT, text, (size_t)length);
}

static void on_upgraded(bench_clients *clients, size_t index) {
    const realtime *load = clients->context;
    for (size_t channel = 0; channel < load->channels; channel++)
        channel_join(clients, index, channel);
}

/* A reply to a join, or that changes flow. Whatever else is said before is of no interest. */
static void on_answer(realtime *load, size_t index, const char *text, size_t size) {
    if (holds(text, size, "\"status\":\"error\""))
        bench_fail("connection %zu was refused: %.*s", index, (int)size, text);
    bool joined = load->bindings > 0 ? holds(text, size, "\"system\"") &&
                                           holds(text, size, "Subscribed to Postgre")
                                     : holds(text, size, "\"phx_reply\"");
    if (!joined)
        return;
    if (++load->joined[index] == load->channels)
        load->ready++;
}

/* ---- Changes ---- */

static size_t copy_of(const realtime *load, size_t index) {
    if (load->owners > 0)
        return index / load->owners;
    return load->copies > 1 ? index : 0;
}

static void on_change(realtime *load, size_t index, const char *text, size_t size) {
    bench_arrivals *arrivals = &load->arrivals[copy_of(load, index)];
    int64_t id;
    if (arrivals->capacity == 0 || !bench_number_after(text, size, "\"record\":{\"id\":", &id))
        bench_fail("unexpected frame: %.*s", (int)size, text);
    if (load->owners > 0 && (size_t)id * OWNER_STEP % load->owners != index % load->owners)
        bench_fail("connection %zu got row %lld, which is another's", index, (long long)id);
    (void)bench_arrivals_add(arrivals, id, load->clients.received_us);
    load->missing--;
}

static void on_frame(bench_clients *clients, size_t index, unsigned kind, char *text, size_t size) {
    static const char change[] = "[null,null,\"";
    realtime *load = clients->context;
    if (kind != BENCH_WS_TEXT)
        bench_fail("connection %zu: a frame of kind %#x, expected whole text frames: %.*s", index,
                   kind, (int)size, text);
    if (size > sizeof change && memcmp(text, change, sizeof change - 1) == 0 &&
        holds(text, size < 256 ? size : 256, "\"postgres_changes\",{\"ids\":"))
        on_change(load, index, text, size);
    else
        on_answer(load, index, text, size);
}

static const bench_clients_handler realtime_handler = {.upgraded = on_upgraded, .frame = on_frame};

/* ---- The run ---- */

static void realtime_init(realtime *load, size_t connections, int port, size_t rows) {
    bench_clients_init(&load->clients, connections, port, &realtime_handler, load);
    load->copies = load->owners > 0       ? connections / load->owners
                   : load->column == NULL ? connections
                                          : 1;
    load->joined = calloc(connections, sizeof load->joined[0]);
    load->arrivals = calloc(load->copies, sizeof load->arrivals[0]);
    if (load->joined == NULL || load->arrivals == NULL)
        bench_fail("no memory for %zu connections", connections);
    for (size_t copy = 0; rows > 0 && copy < load->copies; copy++)
        bench_arrivals_init(&load->arrivals[copy], rows);
    load->missing = rows * load->copies;
}

static void client_open(const realtime *load, bench_clients *clients) {
    char target[TARGET_MAX];
    if (snprintf(target, sizeof target, "/realtime/v1/websocket?apikey=%s&vsn=2.0.0",
                 token_of(load, clients->opened)) >= (int)sizeof target)
        bench_fail("the token does not fit");
    bench_clients_open_next(clients, target);
}

static void realtime_join(realtime *load) {
    bench_clients *clients = &load->clients;
    size_t most = JOINING / load->channels;
    most = most < 1 ? 1 : most < OPENING ? most : OPENING;
    int64_t start_us = bench_now_us();
    while (load->ready < clients->count) {
        while (clients->opened < clients->count && clients->opened - load->ready < most)
            client_open(load, clients);
        if (!bench_clients_wait(clients, TIMEOUT_MS))
            bench_fail("%zu of %zu connections joined, then nothing", load->ready, clients->count);
    }
    printf("ready %.6f\n", (double)(bench_now_us() - start_us) / 1e6);
    fflush(stdout);
}

static void realtime_read(realtime *load) {
    while (load->missing > 0)
        if (!bench_clients_wait(&load->clients, TIMEOUT_MS))
            bench_fail("%zu rows are missing and nothing came for %d s", load->missing,
                       TIMEOUT_MS / 1000);
}

static void realtime_hold(realtime *load) {
    struct pollfd inputs[] = {{.fd = 0, .events = POLLIN},
                              {.fd = load->clients.epoll, .events = POLLIN}};
    while (poll(inputs, 2, -1) > 0 && inputs[0].revents == 0)
        (void)bench_clients_wait(&load->clients, 0);
}

static void owners_take(realtime *load, const char *argument, size_t connections) {
    load->owners = (size_t)bench_number("OWNERS", argument, 1, (int64_t)connections);
    if (connections % load->owners != 0 || load->channels != 1 || load->bindings != 1)
        bench_fail("owners have the same number of connections each, of one channel with one "
                   "binding");
}

int main(int argc, char **argv) {
    static realtime load;
    if (argc != 9 && argc != 10)
        bench_fail("usage: bench_realtime_clients PORT TOKEN TABLE COLUMN CONNECTIONS CHANNELS "
                   "BINDINGS ROWS [OWNERS]");
    int port = (int)bench_number("PORT", argv[1], 1, 65535);
    size_t connections = (size_t)bench_number("CONNECTIONS", argv[5], 1, 1000000);
    size_t rows = (size_t)bench_number("ROWS", argv[8], 0, 10000000);
    tokens_take(&load, argv[2]);
    load.table = argv[3];
    load.column = strcmp(argv[4], "-") == 0 ? NULL : argv[4];
    load.channels = (size_t)bench_number("CHANNELS", argv[6], 1, 10000);
    load.bindings = (size_t)bench_number("BINDINGS", argv[7], 0, BINDINGS_MAX);
    if (argc == 10)
        owners_take(&load, argv[9], connections);
    if (load.column == NULL && rows > 0 && (load.channels > 1 || load.bindings > 1))
        bench_fail("without a filter each connection has one channel with one binding");
    realtime_init(&load, connections, port, rows);
    realtime_join(&load);
    clock_t ready = clock();
    if (rows > 0)
        realtime_read(&load);
    if (rows > 0 && load.owners > 0)
        printf("done %.6f\n", (double)(clock() - ready) / CLOCKS_PER_SEC);
    fflush(stdout);
    if (rows == 0 || load.owners > 0)
        realtime_hold(&load);
    bench_clients_fini(&load.clients);
    if (rows > 0)
        bench_arrivals_finish(load.arrivals, load.copies);
    for (size_t i = 0; i < load.token_count; i++)
        free(load.tokens[i]);
    free(load.tokens);
    free(load.arrivals);
    free(load.joined);
    return 0;
}
