/* Connections against real nats-servers: TLS, passwords, credentials, and what is said when they
 * are wrong. No message may show a password. */
#include "tests/integration/fanout/house.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 256, TEXT_SIZE = 32768 };

static char certificates[PATH_SIZE];

static void certificate(const char *name, char path[PATH_SIZE]) {
    (void)snprintf(path, PATH_SIZE, "%s/%s", certificates, name);
}

static int make_certificates(void **state) {
    char command[2 * PATH_SIZE];
    (void)state;
    (void)snprintf(certificates, sizeof certificates, "/tmp/walcast-test-%d-tls-XXXXXX",
                   (int)getpid());
    if (mkdtemp(certificates) == NULL)
        return -1;
    (void)snprintf(command, sizeof command, "%s/tests/lib/make-certificates %s", WALCAST_SOURCE_DIR,
                   certificates);
    return system(command);
}

static int remove_certificates(void **state) {
    char command[2 * PATH_SIZE];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", certificates);
    return system(command);
}

static void server_with_tls(fanout_house *house, bool verify) {
    char extra[4 * PATH_SIZE];
    (void)snprintf(extra, sizeof extra,
                   "tls { cert_file: \"%s/server.pem\", key_file: \"%s/server-key.pem\", "
                   "ca_file: \"%s/ca.pem\", verify: %s }",
                   certificates, certificates, certificates, verify ? "true" : "false");
    house_open(house, extra);
}

static void set_certificate(fanout_house *house, const char *key, const char *name) {
    char path[PATH_SIZE];
    certificate(name, path);
    house_set(house, key, path);
}

/* Publishes over the publisher's own connection, and reads back over an ordinary one. */
static void publish_from(fanout_house *house, uint64_t first, uint64_t count) {
    core_error error = {0};
    uint64_t sequence = 0, acked = 0;
    char text[32];
    fanout_publisher *publisher = house_publisher(house);
    (void)house_reopen(publisher);
    for (uint64_t n = first; n <= count; n++)
        if (!house_send(publisher, HOUSE_SUBJECT, house_number(text, n), &sequence, &error))
            fail_msg("%s", error.text);
    if (!house_settle(publisher, &acked, &error))
        fail_msg("%s", error.text);
    assert_int_equal(acked, count);
    assert_int_equal(house_stored(fanout_publisher_connection(publisher), count), count);
    fanout_publisher_free(publisher);
}

static void publish_some(fanout_house *house, uint64_t count) {
    publish_from(house, 1, count);
}

/* Both kinds of connection are refused with this code and a text that holds `word`. */
static void assert_refused(fanout_house *house, core_error_code code, const char *word) {
    core_error error = {0};
    const fanout_tail *tail = NULL;
    assert_null(fanout_connection_new(house->config, "test", house->log, NULL, &error));
    if (error.code != code || strstr(error.text, word) == NULL)
        fail_msg("expected %s with '%s', got %s: %s", core_error_code_name(code), word,
                 core_error_code_name(error.code), error.text);
    fanout_publisher *publisher = house_publisher(house);
    assert_false(fanout_publisher_open(publisher, &tail, &error));
    assert_int_equal(error.code, code);
    fanout_publisher_free(publisher);
    assert_null(strstr(error.text, "s3cret"));
    assert_non_null(strstr(error.text, "nats."));
}

static void test_tls(void **state) {
    fanout_house house;
    (void)state;
    server_with_tls(&house, false);
    set_certificate(&house, "nats.tls_ca", "ca.pem");
    publish_some(&house, 20000);
    house_close(&house);
}

static void test_tls_with_a_client_certificate(void **state) {
    fanout_house house;
    (void)state;
    server_with_tls(&house, true);
    set_certificate(&house, "nats.tls_ca", "ca.pem");
    set_certificate(&house, "nats.tls_cert", "client.pem");
    assert_refused(&house, CORE_ERROR_CONFIG, "nats.tls_key is missing");
    set_certificate(&house, "nats.tls_key", "client-key.pem");
    publish_some(&house, 100);
    house_close(&house);
}

static void test_server_signed_by_another_ca_is_refused(void **state) {
    fanout_house house;
    (void)state;
    server_with_tls(&house, false);
    assert_refused(&house, CORE_ERROR_CONFIG, "nats.tls_ca"); /* the system's CAs */
    set_certificate(&house, "nats.tls_ca", "other.pem");
    assert_refused(&house, CORE_ERROR_CONFIG, "nats.tls_ca");
    house_set(&house, "nats.tls_ca", "/nonexistent/ca.pem");
    assert_refused(&house, CORE_ERROR_CONFIG, "/nonexistent/ca.pem");
    house_close(&house);
}

static void test_server_without_tls_is_refused_when_tls_is_asked_for(void **state) {
    fanout_house house;
    char url[64];
    (void)state;
    house_open(&house, NULL);
    house_set(&house, "nats.tls_required", "true");
    assert_refused(&house, CORE_ERROR_CONFIG, "offers no TLS");
    house_set(&house, "nats.tls_required", "false");
    (void)snprintf(url, sizeof url, "tls://127.0.0.1:%d", house.server.port);
    house_set(&house, "nats.url", url);
    assert_refused(&house, CORE_ERROR_CONFIG, "offers no TLS");
    house_close(&house);
}

static void test_user_and_password(void **state) {
    fanout_house house;
    char url[128];
    (void)state;
    house_open(&house, "authorization { user: walcast, password: s3cret }");
    assert_refused(&house, CORE_ERROR_CONFIG, "nats.url");
    (void)snprintf(url, sizeof url, "nats://walcast:s3cret-wrong@127.0.0.1:%d", house.server.port);
    house_set(&house, "nats.url", url);
    assert_refused(&house, CORE_ERROR_CONFIG, "password in nats.url");
    (void)snprintf(url, sizeof url, "nats://walcast:s3cret@127.0.0.1:%d", house.server.port);
    house_set(&house, "nats.url", url);
    publish_some(&house, 100);
    house_close(&house);
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_credentials_file(void **state) {
    static char extra[TEXT_SIZE];
    fanout_house house;
    char path[PATH_SIZE];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/server.conf", WALCAST_CREDENTIALS_DIR);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    extra[fread(extra, 1, sizeof extra - 1, file)] = '\0';
    (void)fclose(file);
    house_open(&house, extra);
    assert_refused(&house, CORE_ERROR_CONFIG, "nats.creds");
    (void)snprintf(path, sizeof path, "%s/user.creds", WALCAST_CREDENTIALS_DIR);
    house_set(&house, "nats.creds", path);
    publish_some(&house, 100);
    /* nats.c alone signs wrongly once in 250 times. */
    for (int i = 0; i < 1000; i++) {
        core_error error = {0};
        fanout_connection *connection =
            fanout_connection_new(house.config, "test", house.log, NULL, &error);
        if (connection == NULL)
            fail_msg("connection %d: %s", i, error.text);
        fanout_connection_free(connection);
    }
    certificate("garbage.creds", path);
    write_file(path, "no credentials here\n");
    house_set(&house, "nats.creds", path);
    assert_refused(&house, CORE_ERROR_CONFIG, "garbage.creds");
    house_set(&house, "nats.creds", "/nonexistent/user.creds");
    assert_refused(&house, CORE_ERROR_CONFIG, "/nonexistent/user.creds");
    house_close(&house);
}

static void test_no_server_is_transient(void **state) {
    fanout_house house;
    char url[128];
    (void)state;
    house_open(&house, NULL);
    nats_server_kill(&house.server);
    (void)snprintf(url, sizeof url, "nats://walcast:s3cret@127.0.0.1:%d", house.server.port);
    house_set(&house, "nats.url", url);
    assert_refused(&house, CORE_ERROR_TRANSIENT, "is nats-server running");
    house_close(&house);
}

static void test_second_of_several_servers_is_taken(void **state) {
    fanout_house house;
    char urls[128];
    (void)state;
    house_open(&house, NULL);
    (void)snprintf(urls, sizeof urls, "nats://127.0.0.1:1,%s", house.server.url);
    house_set(&house, "nats.url", urls);
    publish_some(&house, 10);
    house_close(&house);
}

static void test_server_without_jetstream(void **state) {
    fanout_house house;
    core_error error = {0};
    const fanout_tail *tail = NULL;
    char text[256];
    (void)state;
    house_open(&house, NULL);
    (void)snprintf(text, sizeof text, "%s/nats.conf", house.server.directory);
    char configuration[64];
    (void)snprintf(configuration, sizeof configuration, "listen: \"127.0.0.1:%d\"\n",
                   house.server.port);
    write_file(text, configuration);
    nats_server_restart(&house.server);
    fanout_publisher *publisher = house_publisher(&house);
    assert_false(fanout_publisher_open(publisher, &tail, &error));
    assert_non_null(strstr(error.text, "jetstream {}"));
    fanout_publisher_free(publisher);
    house_close(&house);
}

static void count_message(void *context, const fanout_message *message) {
    atomic_uint *count = context;
    assert_int_equal(message->sequence, atomic_load(count) + 1);
    atomic_fetch_add(count, 1);
}

static void wait_count(atomic_uint *count, unsigned expected) {
    static const struct timespec step = {.tv_nsec = 5 * CORE_NS_PER_MS};
    for (int64_t deadline = house_now_ms() + 30000; atomic_load(count) < expected;) {
        if (house_now_ms() > deadline)
            fail_msg("consumed %u of %u", atomic_load(count), expected);
        (void)nanosleep(&step, NULL);
    }
}

/* Until the connection is up or, as `alive` says, down. */
static void wait_alive(const fanout_connection *connection, bool alive) {
    static const struct timespec step = {.tv_nsec = 5 * CORE_NS_PER_MS};
    for (int64_t deadline = house_now_ms() + 30000; fanout_connection_alive(connection) != alive;) {
        if (house_now_ms() > deadline)
            fail_msg("connection does not become %s", alive ? "alive" : "dead");
        (void)nanosleep(&step, NULL);
    }
}

/* nats.c gives a connection up when the server refuses it twice; consumers go on all the same. */
static void test_goes_on_after_a_server_refused_it_for_a_while(void **state) {
    static const char good[] = "authorization { user: walcast, password: s3cret }";
    static const char bad[] = "authorization { user: walcast, password: other }";
    static const struct timespec refused = {.tv_sec = 2}; /* several reconnects */
    fanout_house house;
    core_error error = {0};
    char url[128];
    atomic_uint count = 0;
    (void)state;
    house_open(&house, good);
    (void)snprintf(url, sizeof url, "nats://walcast:s3cret@127.0.0.1:%d", house.server.port);
    house_set(&house, "nats.url", url);
    publish_some(&house, 10);
    fanout_connection *connection =
        fanout_connection_new(house.config, "test", house.log, NULL, &error);
    assert_non_null(connection);
    fanout_ordered_spec spec = {.stream = "WALCAST",
                                .filter = "atlasdb.default.dev.*.*",
                                .from = FANOUT_FROM_FIRST,
                                .on_message = count_message,
                                .context = &count};
    fanout_ordered *consumer = fanout_ordered_new(connection, &spec, house.log, &error);
    assert_non_null(consumer);
    fanout_durable_spec durable_spec = {.stream = "WALCAST",
                                        .name = "worker",
                                        .filter = "atlasdb.default.dev.*.*",
                                        .from = FANOUT_FROM_NEW,
                                        .ack_wait_ms = 1000,
                                        .max_ack_pending = 100};
    fanout_durable *durable = fanout_durable_new(connection, &durable_spec, house.log, &error);
    assert_non_null(durable);
    wait_count(&count, 10);
    nats_server_configure(&house.server, bad);
    nats_server_restart(&house.server);
    wait_alive(connection, false);
    (void)nanosleep(&refused, NULL);
    assert_false(fanout_connection_alive(connection));
    nats_server_configure(&house.server, good);
    nats_server_restart(&house.server);
    wait_alive(connection, true);
    publish_from(&house, 11, 11);
    wait_count(&count, 11);
    fanout_message message;
    size_t fetched = 0;
    assert_true(fanout_durable_fetch(durable, &message, 1, 5000, &fetched, &error));
    assert_int_equal(fetched, 1);
    assert_true(fanout_durable_ack(durable, 0, &error));
    fanout_durable_free(durable);
    fanout_ordered_free(consumer);
    fanout_connection_free(connection);
    house_close(&house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_with_a_client_certificate),
        cmocka_unit_test(test_server_signed_by_another_ca_is_refused),
        cmocka_unit_test(test_server_without_tls_is_refused_when_tls_is_asked_for),
        cmocka_unit_test(test_user_and_password),
        cmocka_unit_test(test_credentials_file),
        cmocka_unit_test(test_no_server_is_transient),
        cmocka_unit_test(test_second_of_several_servers_is_taken),
        cmocka_unit_test(test_server_without_jetstream),
        cmocka_unit_test(test_goes_on_after_a_server_refused_it_for_a_while),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
