/* Connections that cannot be made: told apart, in time, and never with the password. */
#include "pg/pg.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static core_error refused(const char *url, int cancel_fd) {
    core_error error = {0};
    pg_connection_spec spec = {
        .url = url, .application_name = "test", .timeout_ms = 300, .cancel_fd = cancel_fd};
    assert_null(pg_connection_new(&spec, &error));
    assert_null(strstr(error.text, "s3cret"));
    assert_null(strchr(error.text, '\n'));
    return error;
}

/* A socket that takes connections and never answers. Gives its port. */
static int silent_server(int *port) {
    int server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_int_equal(bind(server, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(server, 8), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return server;
}

static void a_malformed_url_is_configuration(void **state) {
    (void)state;
    static const char *const urls[] = {
        "postgres://walcast:s3cret@127.0.0.1:port/db",
        "postgres://walcast:s3cret@[::1/db",
        "postgres://walcast:s3cret@h/db?no_such_option=1",
        "postgres://walcast:s3cret%zz@h/db",
        "password=s3cret host",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(urls); i++)
        assert_int_equal(refused(urls[i], -1).code,
                         i == 0 ? CORE_ERROR_TRANSIENT : CORE_ERROR_CONFIG);
}

static void a_server_that_is_away_is_transient(void **state) {
    (void)state;
    int port = 0;
    int server = silent_server(&port);
    close(server); /* its port is free now: nobody listens */
    char url[128];
    (void)snprintf(url, sizeof url, "postgres://walcast:s3cret@127.0.0.1:%d/db", port);
    assert_int_equal(refused(url, -1).code, CORE_ERROR_TRANSIENT);
}

static void a_silent_server_is_given_up_in_time(void **state) {
    (void)state;
    int port = 0;
    int server = silent_server(&port);
    char url[128];
    (void)snprintf(url, sizeof url, "postgres://walcast:s3cret@127.0.0.1:%d/db?sslmode=disable",
                   port);
    int64_t before_ms = core_clock_ms(core_clock_system());
    core_error error = refused(url, -1);
    assert_int_equal(error.code, CORE_ERROR_TRANSIENT);
    assert_non_null(strstr(error.text, "300 ms"));
    assert_true(core_clock_ms(core_clock_system()) - before_ms >= 300);
    close(server);
}

static void a_stop_request_calls_it_off(void **state) {
    (void)state;
    int port = 0;
    int server = silent_server(&port);
    int stop = eventfd(1, 0);
    char url[128];
    (void)snprintf(url, sizeof url, "postgres://walcast:s3cret@127.0.0.1:%d/db?sslmode=disable",
                   port);
    core_error error = refused(url, stop);
    assert_non_null(strstr(error.text, "stopped"));
    close(stop);
    close(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_malformed_url_is_configuration),
        cmocka_unit_test(a_server_that_is_away_is_transient),
        cmocka_unit_test(a_silent_server_is_given_up_in_time),
        cmocka_unit_test(a_stop_request_calls_it_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
