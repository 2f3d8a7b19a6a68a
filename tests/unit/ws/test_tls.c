/* TLS over a link in memory, against a client of OpenSSL's own: bytes both ways through sockets
 * that take parts, queues that change while a record waits, ends, and handshakes that come to
 * nothing. */
#include "tests/unit/ws/fake_link.h"
#include "ws/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH_SIZE  512
#define SENT_MAX   ((size_t)64 << 20)
#define FRAME_SIZE 12

static char certificates[256];

/* The socket: takes up to `room` bytes a call, `budget` in all. */
typedef struct {
    core_buffer sent;
    size_t room, budget, taken; /* of sent, by the client */
    bool wants_writable, half_closed, killed, gone;
} pipe_socket;

typedef struct {
    ws_service service;
    pipe_socket socket;
    ws_connection *connection;
    ws_tls *tls;
    core_buffer got; /* by the handler */
    SSL_CTX *client_context;
    SSL *client;
    core_buffer heard; /* by the client */
} fixture;

static bool pipe_write(void *socket, const uint8_t *bytes, size_t length, size_t *taken) {
    pipe_socket *to = socket;
    *taken = length < to->room ? length : to->room;
    *taken = *taken < to->budget ? *taken : to->budget;
    assert_true(length <= WS_SEND_BYTES);
    to->budget -= *taken;
    core_buffer_append(&to->sent, bytes, *taken);
    return !to->gone;
}

static void pipe_want_writable(void *socket) {
    ((pipe_socket *)socket)->wants_writable = true;
}

static void pipe_read(void *socket, bool on) {
    (void)socket;
    (void)on;
}

static void pipe_half_close(void *socket) {
    ((pipe_socket *)socket)->half_closed = true;
}

static void pipe_kill(void *socket) {
    ((pipe_socket *)socket)->killed = true;
}

static const ws_link pipe_link = {.write = pipe_write,
                                  .want_writable = pipe_want_writable,
                                  .read = pipe_read,
                                  .half_close = pipe_half_close,
                                  .kill = pipe_kill};

/* ---- The handler keeps what it gets ---- */

static size_t keep_bytes(ws_connection *connection, uint8_t *bytes, size_t length) {
    core_buffer_append(connection->handler_state, bytes, length);
    return length;
}

static void no_gone(ws_connection *connection) {
    (void)connection;
}

static void no_deadline(ws_connection *connection, int64_t now_ms) {
    (void)now_ms;
    ws_connection_finish(connection);
}

static const ws_handler keeper = {
    .on_bytes = keep_bytes, .on_deadline = no_deadline, .on_gone = no_gone};

/* ---- The fixture ---- */

static const char *path_of(const char *name, char path[PATH_SIZE]) {
    (void)snprintf(path, PATH_SIZE, "%s/%s", certificates, name);
    return path;
}

static ws_tls_context *context_of(const char *certificate, const char *key, core_error *error) {
    char first[PATH_SIZE], second[PATH_SIZE];
    return ws_tls_context_new(path_of(certificate, first), path_of(key, second), error);
}

static int setup(void **state) {
    core_error error;
    fixture *f = calloc(1, sizeof *f);
    fake_service_init(&f->service, 1 << 20);
    f->service.metrics = core_metrics_new();
    f->service.tls = (ws_service_tls){.context = context_of("server.pem", "server-key.pem", &error),
                                      .room = malloc(WS_READ_BYTES)};
    assert_non_null(f->service.tls.context);
    core_buffer_init(&f->got, SENT_MAX);
    core_buffer_init(&f->heard, SENT_MAX);
    core_buffer_init(&f->socket.sent, SENT_MAX);
    f->socket.room = f->socket.budget = SIZE_MAX;
    f->tls = ws_tls_new(&f->service, &pipe_link, &f->socket);
    assert_non_null(f->tls);
    f->connection = ws_connection_new(&f->service, &ws_tls_link, f->tls, &keeper, &f->got);
    f->client_context = SSL_CTX_new(TLS_client_method());
    f->client = SSL_new(f->client_context);
    SSL_set_bio(f->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(f->client);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ws_connection_gone(f->connection);
    ws_tls_free(f->tls);
    ws_tls_context_release(f->service.tls.context);
    free(f->service.tls.room);
    core_metrics_free(f->service.metrics);
    f->service.metrics = NULL;
    fake_service_fini(&f->service);
    SSL_free(f->client);
    SSL_CTX_free(f->client_context);
    core_buffer_fini(&f->socket.sent);
    core_buffer_fini(&f->got);
    core_buffer_fini(&f->heard);
    free(f);
    return 0;
}

/* ---- Between both ---- */

/* What the server sent goes to the client. */
static void client_hears(fixture *f) {
    size_t length = f->socket.sent.length - f->socket.taken;
    if (length > 0)
        assert_int_equal(
            BIO_write(SSL_get_rbio(f->client), f->socket.sent.data + f->socket.taken, (int)length),
            (int)length);
    f->socket.taken = f->socket.sent.length;
    uint8_t *room;
    int got;
    do {
        room = core_buffer_reserve(&f->heard, 16384);
        got = SSL_read(f->client, room, 16384);
        if (got > 0)
            core_buffer_commit(&f->heard, (size_t)got);
    } while (got > 0);
}

/* What the client wrote goes to the server, `part` bytes at a time. */
static void client_sends(fixture *f, size_t part) {
    uint8_t bytes[4096];
    int length;
    while ((length = BIO_read(SSL_get_wbio(f->client), bytes,
                              (int)(part < sizeof bytes ? part : sizeof bytes))) > 0)
        ws_tls_bytes(f->connection, bytes, (size_t)length);
}

static void shake_hands(fixture *f, size_t part) {
    for (int i = 0; i < 10 && SSL_do_handshake(f->client) != 1; i++) {
        client_sends(f, part);
        client_hears(f);
    }
    client_sends(f, part);
    client_hears(f);
    assert_true(SSL_is_init_finished(f->client));
}

static int64_t metric(const fixture *f, core_metric id) {
    return core_metrics_get(f->service.metrics, id);
}

/* ---- Tests ---- */

static void test_bytes_both_ways(void **state) {
    fixture *f = *state;
    shake_hands(f, 7);
    assert_string_equal(SSL_get_version(f->client), "TLSv1.3");
    assert_int_equal(metric(f, CORE_METRIC_WS_TLS_HANDSHAKES), 1);
    assert_int_equal(metric(f, CORE_METRIC_WS_TLS_HANDSHAKING), 0);
    enum { SIZE = 300000 };
    core_block *block = core_block_new(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        block->bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t sent = 0; sent < SIZE;) { /* records of all sizes, brought in pieces */
        size_t part = 1 + sent * 31 % 20000;
        part = part < SIZE - sent ? part : SIZE - sent;
        assert_int_equal(SSL_write(f->client, block->bytes + sent, (int)part), (int)part);
        sent += part;
        client_sends(f, 1 + sent % 3000);
    }
    assert_int_equal(f->got.length, SIZE);
    assert_memory_equal(f->got.data, block->bytes, SIZE);
    assert_true(ws_connection_send(f->connection, block));
    ws_service_flush(&f->service);
    client_hears(f);
    assert_int_equal(f->heard.length, SIZE);
    assert_memory_equal(f->heard.data, block->bytes, SIZE);
    core_block_release(block);
}

static void send_frame(fixture *f, unsigned key, unsigned number) {
    char text[FRAME_SIZE + 1], name[8];
    (void)snprintf(text, sizeof text, "<%03u:%06u>", key % 1000, number % 1000000);
    (void)snprintf(name, sizeof name, "%u", key);
    ws_row *row =
        ws_row_new(&(ws_row_parts){.table = core_slice_text("t"), .key = core_slice_text(name)});
    core_block *block = core_block_copy(core_slice_make(text, FRAME_SIZE));
    assert_true(ws_connection_send_row(f->connection, block, row, 0));
    core_block_release(block);
    ws_row_release(row);
}

/* Whole frames, each row's numbers rising, its last one there. */
static void assert_frames(const fixture *f, const unsigned *last, size_t keys) {
    unsigned heard[64] = {0};
    assert_int_equal(f->heard.length % FRAME_SIZE, 0);
    for (size_t at = 0; at < f->heard.length; at += FRAME_SIZE) {
        unsigned key, number;
        char text[FRAME_SIZE + 1] = "";
        memcpy(text, f->heard.data + at, FRAME_SIZE);
        assert_int_equal(sscanf(text, "<%3u:%6u>", &key, &number), 2);
        assert_true(text[FRAME_SIZE - 1] == '>' && key < keys && number > heard[key]);
        heard[key] = number;
    }
    assert_memory_equal(heard, last, keys * sizeof *last);
}

/* A socket that takes little: what was encrypted is sent whatever is replaced meanwhile. */
static void test_replaced_while_a_record_waits(void **state) {
    fixture *f = *state;
    enum { KEYS = 20, ROUNDS = 60000 };
    unsigned last[KEYS] = {0};
    f->service.limits.queue_bytes = 1600; /* replaces from 400 on */
    shake_hands(f, SIZE_MAX);
    srand(1);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        unsigned key = (unsigned)rand() % KEYS;
        send_frame(f, key, i);
        last[key] = i;
        f->socket.budget = (unsigned)rand() % 4 == 0 ? (size_t)rand() % 40 : 0;
        if (rand() % 3 == 0)
            ws_tls_writable(f->connection);
        ws_service_flush(&f->service);
        if (i % 1000 == 0) { /* the client catches up */
            f->socket.budget = SIZE_MAX;
            ws_tls_writable(f->connection);
            assert_true(ws_queue_empty(&f->connection->queue));
            client_hears(f);
        }
        assert_false(f->socket.killed);
    }
    assert_true(metric(f, CORE_METRIC_WS_CONFLATED) > ROUNDS / 10);
    assert_frames(f, last, KEYS);
    assert_int_equal(atomic_load(&f->service.shared->held_bytes), 0);
}

/* Small frames share records. */
static void test_many_frames_make_few_records(void **state) {
    fixture *f = *state;
    shake_hands(f, SIZE_MAX);
    core_block *block =
        core_block_copy(core_slice_text("a frame of forty bytes, one of a thousand"));
    for (int i = 0; i < 1000; i++)
        assert_true(ws_connection_send(f->connection, block));
    size_t before = f->socket.sent.length;
    ws_service_flush(&f->service);
    size_t plain = 1000 * block->length;
    assert_in_range(f->socket.sent.length - before, plain, plain + 4 * 32);
    client_hears(f);
    assert_int_equal(f->heard.length, plain);
    core_block_release(block);
}

/* The connection is full until the socket has everything, and ends only then. */
static void test_an_end_waits_for_the_socket(void **state) {
    fixture *f = *state;
    shake_hands(f, SIZE_MAX);
    core_block *block = core_block_new(10000);
    memset(block->bytes, 'x', block->length);
    f->socket.budget = 100;
    assert_true(ws_connection_send(f->connection, block));
    ws_connection_finish(f->connection);
    ws_service_flush(&f->service);
    assert_true(f->connection->blocked && f->socket.wants_writable);
    assert_int_equal(ws_connection_open(f->connection), false);
    assert_false(f->socket.half_closed);
    assert_int_equal(f->connection->queue.bytes, 1);
    assert_true(atomic_load(&f->service.shared->held_bytes) >= 9900);
    f->socket.budget = 5000;
    ws_tls_writable(f->connection);
    assert_false(f->socket.half_closed);
    f->socket.budget = 5200; /* all of it, but not the word of the end */
    ws_tls_writable(f->connection);
    f->socket.budget = SIZE_MAX;
    ws_tls_writable(f->connection);
    assert_true(f->socket.half_closed);
    client_hears(f);
    assert_int_equal(f->heard.length, 10000);
    assert_int_equal(SSL_get_shutdown(f->client), SSL_RECEIVED_SHUTDOWN);
    core_block_release(block);
}

static void test_the_peer_ends(void **state) {
    fixture *f = *state;
    shake_hands(f, SIZE_MAX);
    (void)SSL_shutdown(f->client);
    client_sends(f, SIZE_MAX);
    assert_true(f->socket.killed);
}

static void test_a_broken_record(void **state) {
    fixture *f = *state;
    shake_hands(f, SIZE_MAX);
    uint8_t record[64];
    assert_int_equal(SSL_write(f->client, "hello", 5), 5);
    int length = BIO_read(SSL_get_wbio(f->client), record, sizeof record);
    record[length - 1] ^= 1;
    ws_tls_bytes(f->connection, record, (size_t)length);
    assert_true(f->socket.killed);
    assert_int_equal(f->got.length, 0);
    ws_tls_bytes(f->connection, record, (size_t)length); /* on its way already */
    assert_int_equal(f->got.length, 0);
}

/* New keys in the middle, asked for by the client: the answer goes between the frames. */
static void test_new_keys(void **state) {
    fixture *f = *state;
    shake_hands(f, SIZE_MAX);
    core_block *block = core_block_copy(core_slice_text("before and after"));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(SSL_key_update(f->client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(f->client, "word", 4), 4);
        f->socket.budget = i % 2 == 0 ? 10 : SIZE_MAX; /* the answer waits */
        client_sends(f, 5);
        assert_true(ws_connection_send(f->connection, block));
        ws_service_flush(&f->service);
        f->socket.budget = SIZE_MAX;
        ws_tls_writable(f->connection);
        client_hears(f);
    }
    assert_int_equal(f->got.length, 5 * 4);
    assert_int_equal(f->heard.length, 5 * block->length);
    core_block_release(block);
}

/* A peer that asks for answers and never reads is cut, not remembered for ever. */
static void test_unread_answers_are_bounded(void **state) {
    fixture *f = *state;
    shake_hands(f, SIZE_MAX);
    f->socket.budget = 0;
    for (int i = 0; i < 20000 && !f->socket.killed; i++) {
        assert_int_equal(SSL_key_update(f->client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(f->client, "word", 4), 4);
        client_sends(f, SIZE_MAX);
        assert_true(atomic_load(&f->service.shared->held_bytes) <= WS_TLS_UNSENT_MAX);
    }
}

/* ---- Handshakes ---- */

static void test_a_handshake_that_stands_still(void **state) {
    fixture *f = *state;
    (void)SSL_do_handshake(f->client);
    uint8_t hello[1024];
    int length = BIO_read(SSL_get_wbio(f->client), hello, sizeof hello);
    ws_tls_bytes(f->connection, hello, (size_t)length / 2);
    assert_int_equal(metric(f, CORE_METRIC_WS_TLS_HANDSHAKING), 1);
    core_block *block = core_block_copy(core_slice_text("too early"));
    assert_true(ws_connection_send(f->connection, block)); /* waits, without asking the socket */
    core_block_release(block);
    ws_service_flush(&f->service);
    assert_false(f->socket.wants_writable);
    assert_int_equal(f->socket.sent.length, 0);
    ws_queue_drop_unsent(&f->connection->queue);
    f->connection->blocked = false;
    ws_connection_expired(f->connection, f->service.now_ms);
    ws_service_flush(&f->service);
    assert_true(f->socket.killed);
}

static void test_what_is_said_early_is_sent_after(void **state) {
    fixture *f = *state;
    core_block *block = core_block_copy(core_slice_text("early"));
    assert_true(ws_connection_send(f->connection, block));
    core_block_release(block);
    ws_service_flush(&f->service);
    shake_hands(f, 50);
    assert_int_equal(f->heard.length, 5);
}

static void test_plain_http(void **state) {
    fixture *f = *state;
    static const uint8_t request[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    ws_tls_bytes(f->connection, request, sizeof request - 1);
    assert_true(f->socket.killed && f->socket.half_closed);
    core_buffer_u8(&f->socket.sent, 0);
    const char *answer = (const char *)f->socket.sent.data;
    assert_int_equal(strncmp(answer, "HTTP/1.1 400 ", 13), 0);
    const char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    assert_non_null(strstr(answer, "Content-Length: 46\r\n"));
    assert_int_equal(strlen(body + 4), 46);
}

static void test_noise(void **state) {
    fixture *f = *state;
    uint8_t noise[600];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 77 + 3);
    ws_tls_bytes(f->connection, noise, sizeof noise);
    assert_true(f->socket.killed);
    assert_int_equal(f->got.length, 0);
}

static void test_other_protocols(void **state) {
    fixture *f = *state;
    static const unsigned char h2_only[] = "\x02h2";
    SSL_set_alpn_protos(f->client, h2_only, sizeof h2_only - 1);
    (void)SSL_do_handshake(f->client);
    client_sends(f, SIZE_MAX);
    assert_true(f->socket.killed);
}

static void test_http_1_1_is_chosen(void **state) {
    fixture *f = *state;
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    const unsigned char *chosen;
    unsigned length;
    SSL_set_alpn_protos(f->client, both, sizeof both - 1);
    SSL_set_max_proto_version(f->client, TLS1_2_VERSION);
    shake_hands(f, 100);
    SSL_get0_alpn_selected(f->client, &chosen, &length);
    assert_int_equal(length, 8);
    assert_memory_equal(chosen, "http/1.1", 8);
    assert_string_equal(SSL_get_version(f->client), "TLSv1.2");
    core_block *block = core_block_copy(core_slice_text("by 1.2"));
    assert_true(ws_connection_send(f->connection, block));
    ws_service_flush(&f->service);
    client_hears(f);
    assert_int_equal(f->heard.length, block->length);
    core_block_release(block);
}

static void test_tls_1_1(void **state) {
    fixture *f = *state;
    SSL_set_security_level(f->client, 0);
    SSL_set_min_proto_version(f->client, TLS1_1_VERSION);
    SSL_set_max_proto_version(f->client, TLS1_1_VERSION);
    (void)SSL_do_handshake(f->client);
    client_sends(f, SIZE_MAX);
    assert_true(f->socket.killed);
}

/* ---- Pairs of files ---- */

static void test_pairs(void **state) {
    (void)state;
    static const struct {
        const char *certificate, *key, *error; /* what it must name; NULL: it is fine */
    } rows[] = {
        {"server.pem", "server-key.pem", NULL},
        {"chained.pem", "chained-key.pem", NULL},
        {"expired.pem", "expired-key.pem", NULL},
        {"absent.pem", "server-key.pem", "http.tls_cert: cannot read"},
        {"server.pem", "absent.pem", "http.tls_key: cannot read"},
        {"server.pem", "second-key.pem",
         "is not the key of the certificate of /CN=Walcast test server"},
        {"server-key.pem", "server-key.pem", "holds no certificate in PEM"},
        {"server.pem", "server.pem", "holds no private key in PEM"},
        {"server.pem", "locked-key.pem", "without a passphrase"},
        {"broken.pem", "server-key.pem", "a certificate of the chain is broken"},
        {"empty.pem", "server-key.pem", "holds no certificate in PEM"},
        {".", "server-key.pem", "http.tls_cert: cannot read"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        core_error error = {.text = ""};
        ws_tls_context *context = context_of(rows[i].certificate, rows[i].key, &error);
        if ((context == NULL) != (rows[i].error != NULL) ||
            (context == NULL &&
             (strstr(error.text, rows[i].error) == NULL || error.code != CORE_ERROR_CONFIG)))
            fail_msg("%s, %s: %s", rows[i].certificate, rows[i].key, error.text);
        ws_tls_context_release(context);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void test_validity(void **state) {
    (void)state;
    core_error error;
    ws_tls_context *context = context_of("server.pem", "server-key.pem", &error);
    int64_t end_s = ws_tls_context_expires_s(context);
    int64_t now_s = core_clock_wall_us(core_clock_system()) / 1000000;
    assert_in_range(end_s, now_s + 86400, now_s + 2 * 86400);
    assert_true(ws_tls_context_valid(context, end_s - 1, &error));
    assert_false(ws_tls_context_valid(context, end_s, &error));
    assert_non_null(strstr(error.text, "expired at"));
    assert_false(ws_tls_context_valid(context, now_s - 86400, &error));
    assert_non_null(strstr(error.text, "is not valid before"));
    ws_tls_context_release(context);
}

static int run(const char *format) {
    char command[2 * PATH_SIZE];
    (void)snprintf(command, sizeof command, format, certificates);
    return system(command);
}

static int make_certificates(void **state) {
    (void)state;
    /* The pid: what has none is swept away as left behind (tests/lib/scratch.mjs). */
    (void)snprintf(certificates, sizeof certificates, "/tmp/walcast-test-%d-tls-XXXXXX",
                   (int)getpid());
    if (mkdtemp(certificates) == NULL)
        return -1;
    return run(WALCAST_SOURCE_DIR "/tests/lib/make-certificates %s") |
           run("cd %s; touch empty.pem; (cat server.pem; sed s/M/N/ between.pem) > broken.pem");
}

static int remove_certificates(void **state) {
    (void)state;
    return run("rm -rf %s");
}

#define WITH_CLIENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(test_bytes_both_ways),
        WITH_CLIENT(test_replaced_while_a_record_waits),
        WITH_CLIENT(test_many_frames_make_few_records),
        WITH_CLIENT(test_an_end_waits_for_the_socket),
        WITH_CLIENT(test_the_peer_ends),
        WITH_CLIENT(test_a_broken_record),
        WITH_CLIENT(test_new_keys),
        WITH_CLIENT(test_unread_answers_are_bounded),
        WITH_CLIENT(test_a_handshake_that_stands_still),
        WITH_CLIENT(test_what_is_said_early_is_sent_after),
        WITH_CLIENT(test_plain_http),
        WITH_CLIENT(test_noise),
        WITH_CLIENT(test_other_protocols),
        WITH_CLIENT(test_http_1_1_is_chosen),
        WITH_CLIENT(test_tls_1_1),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_validity),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
