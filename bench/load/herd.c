/* Clients whose gateway dies, and who all come back to another at once, with `since`.
 *
 *   bench_herd PORT TOKEN TABLE CONNECTIONS ROWS
 *
 * Each of CONNECTIONS joins one channel for the INSERTs of public.TABLE (vsn 2.0.0, as supabase-js
 * does). Prints `ready SECONDS` when changes flow to all of them, and `closed` when the gateway has
 * closed each. Then it waits for a line with the port of another, goes there with the offset that
 * each client has, OPENING at a time, and prints `resumed SECONDS` when changes flow to all again,
 * and `done SECONDS` when each has had rows 1 to ROWS. It fails on a row that comes twice to a
 * client, on a refused handshake or join, and after TIMEOUT_MS of silence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/clients.h"
#include "bench/load/samples.h"
#include "bench/load/ws_wire.h"

#define TIMEOUT_MS  60000
#define OPENING     16384 /* connections that are not ready yet: all at once */
#define TARGET_MAX  8192
#define JOIN_MAX    16384
#define OFFSET_SIZE 64

typedef struct {
    char offset[OFFSET_SIZE]; /* of what it had last; "": nothing yet */
    uint8_t *had;             /* a bit a row */
    bool live;
} herd_client;

typedef struct {
    const char *token;
    const char *table;
    bench_clients clients;
    herd_client *all;
    size_t rows;
    size_t live, closed, missing;
} herd;

static bool holds(const char *text, size_t size, const char *part) {
    return memmem(text, size, part, strlen(part)) != NULL;
}

static void on_upgraded(bench_clients *clients, size_t index) {
    const herd *load = clients->context;
    const char *offset = load->all[index].offset;
    char text[JOIN_MAX];
    int length = snprintf(text, sizeof text,
                          "[\"1\",\"1\",\"realtime:herd\",\"phx_join\",{\"config\":{%s%s%s"
                          "\"postgres_changes\":[{\"event\":\"INSERT\",\"schema\":\"public\","
                          "\"table\":\"%s\"}]},\"access_token\":\"%s\"}]",
                          offset[0] != '\0' ? "\"since\":\"" : "", offset,
                          offset[0] != '\0' ? "\"," : "", load->table, load->token);
    if (length < 0 || (size_t)length >= sizeof text)
        bench_fail("the join does not fit");
    bench_clients_send(clients, index, BENCH_WS_TEXT, text, (size_t)length);
}

/* The offset is the last member of its object, so the last one named is the frame's own. False:
 * there is none, as in the word that changes flow while the stream is empty. */
static bool keep_offset(herd_client *client, const char *text, size_t size) {
    static const char name[] = "\"offset\":\"";
    const char *at = NULL, *from = text;
    while ((from = memmem(from, size - (size_t)(from - text), name, sizeof name - 1)) != NULL)
        at = from += sizeof name - 1;
    const char *end = at != NULL ? memchr(at, '"', size - (size_t)(at - text)) : NULL;
    if (end == NULL || end - at >= OFFSET_SIZE)
        return false;
    memcpy(client->offset, at, (size_t)(end - at));
    client->offset[end - at] = '\0';
    return true;
}

static void on_change(herd *load, size_t index, const char *text, size_t size) {
    herd_client *client = &load->all[index];
    int64_t id;
    if (!bench_number_after(text, size, "\"record\":{\"id\":", &id) || id < 1 ||
        id > (int64_t)load->rows)
        bench_fail("unexpected frame: %.*s", (int)size, text);
    uint8_t *byte = &client->had[(id - 1) / 8], bit = (uint8_t)(1u << (id - 1) % 8);
    if (*byte & bit)
        bench_fail("row %lld came twice to client %zu, behind %s", (long long)id, index,
                   client->offset);
    *byte |= bit;
    load->missing--;
    if (!keep_offset(client, text, size))
        bench_fail("no offset in %.*s", (int)size, text);
}

static void on_frame(bench_clients *clients, size_t index, unsigned kind, char *text, size_t size) {
    herd *load = clients->context;
    if (kind != BENCH_WS_TEXT || holds(text, size, "\"status\":\"error\""))
        bench_fail("client %zu: unexpected frame of kind %#x: %.*s", index, kind, (int)size, text);
    if (holds(text, size < 256 ? size : 256, "\"postgres_changes\",{\"ids\":")) {
        on_change(load, index, text, size);
    } else if (holds(text, size, "Subscribed to Postgre") && !load->all[index].live) {
        load->all[index].live = true;
        load->live++;
        (void)keep_offset(&load->all[index], text, size);
    }
}

static void on_closed(bench_clients *clients, size_t index) {
    herd *load = clients->context;
    load->all[index].live = false;
    load->closed++;
}

static const bench_clients_handler herd_handler = {
    .upgraded = on_upgraded, .frame = on_frame, .closed = on_closed};

/* ---- The run ---- */

static void herd_wait(herd *load, const char *what) {
    if (!bench_clients_wait(&load->clients, TIMEOUT_MS))
        bench_fail("%s: %zu are live, %zu closed, %zu rows missing, and nothing came for %d s",
                   what, load->live, load->closed, load->missing, TIMEOUT_MS / 1000);
}

static void herd_say(const char *what, int64_t since_us) {
    printf("%s %.6f\n", what, (double)(bench_now_us() - since_us) / 1e6);
    fflush(stdout);
}

static void herd_join(herd *load, const char *what, int64_t start_us) {
    bench_clients *clients = &load->clients;
    char target[TARGET_MAX];
    if (snprintf(target, sizeof target, "/realtime/v1/websocket?apikey=%s&vsn=2.0.0",
                 load->token) >= (int)sizeof target)
        bench_fail("the token does not fit");
    load->live = 0;
    while (load->live < clients->count) {
        while (clients->opened < clients->count && clients->opened - load->live < OPENING)
            bench_clients_open_next(clients, target);
        herd_wait(load, what);
    }
    herd_say(what, start_us);
}

static void herd_init(herd *load, size_t connections, int port) {
    bench_clients_init(&load->clients, connections, port, &herd_handler, load);
    load->all = calloc(connections, sizeof load->all[0]);
    for (size_t i = 0; load->all != NULL && i < connections; i++) {
        load->all[i].had = calloc(load->rows / 8 + 1, 1);
        if (load->all[i].had == NULL)
            bench_fail("no memory for %zu clients", connections);
    }
    load->missing = load->rows * connections;
}

static void herd_run(herd *load) {
    char line[32];
    herd_join(load, "ready", bench_now_us());
    while (load->closed < load->clients.count)
        herd_wait(load, "closed");
    printf("closed\n");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        bench_fail("expected a line with the port of another gateway");
    line[strcspn(line, "\n")] = '\0';
    int64_t start_us = bench_now_us();
    load->clients.port = (int)bench_number("PORT", line, 1, 65535);
    load->clients.opened = 0;
    herd_join(load, "resumed", start_us);
    while (load->missing > 0)
        herd_wait(load, "done");
    herd_say("done", start_us);
}

int main(int argc, char **argv) {
    static herd load;
    if (argc != 6)
        bench_fail("usage: bench_herd PORT TOKEN TABLE CONNECTIONS ROWS");
    size_t connections = (size_t)bench_number("CONNECTIONS", argv[4], 1, 1000000);
    load.token = argv[2];
    load.table = argv[3];
    load.rows = (size_t)bench_number("ROWS", argv[5], 1, 10000000);
    herd_init(&load, connections, (int)bench_number("PORT", argv[1], 1, 65535));
    herd_run(&load);
    bench_clients_fini(&load.clients);
    for (size_t i = 0; i < connections; i++)
        free(load.all[i].had);
    free(load.all);
    return 0;
}
