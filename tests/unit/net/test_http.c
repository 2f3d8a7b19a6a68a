/* The client of many requests against a small server of this test's: what an answer is, what none
 * is, and that every request ends exactly once. Real receivers are tests/integration/net's. */
#include "exchange.h"

#include "../lib/http_server.h"

typedef struct {
    test_server server;
    net_guard *guard;
    net_http *http;
} house;

static void say_many(int fd, const char *text, size_t count) {
    for (size_t i = 0; i < count; i++)
        test_server_say(fd, text);
}

static void answer(test_server *server, int fd, const char *path) {
    (void)server;
    if (strcmp(path, "/good") == 0)
        test_server_say(fd, "HTTP/1.1 200 OK\r\nRetry-After: 7\r\nX-Twice: a\r\nX-Twice: b\r\n"
                            "Content-Length: 4\r\n\r\nbody");
    else if (strcmp(path, "/gone") == 0)
        test_server_say(fd, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    else if (strcmp(path, "/hop") == 0)
        test_server_say(fd, "HTTP/1.1 302 Found\r\nLocation: /good\r\nContent-Length: 0\r\n\r\n");
    else if (strcmp(path, "/cut") == 0)
        test_server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    else if (strcmp(path, "/noise") == 0)
        test_server_say(fd, "SSH-2.0-OpenSSH\r\n");
    else if (strcmp(path, "/endless") == 0) {
        test_server_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        say_many(fd, "0123456789abcdef", 100000);
    } else if (strcmp(path, "/headers") == 0) {
        test_server_say(fd, "HTTP/1.1 200 OK\r\n");
        say_many(fd, "X-More: 0123456789abcdef\r\n", 10000);
    } else if (strcmp(path, "/early") == 0)
        say_many(fd, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 10000);
    else if (strcmp(path, "/hang") == 0)
        test_server_hang(fd);
}

static int house_open(void **state) {
    static house it;
    it = (house){.server.answer = answer};
    (void)setenv("http_proxy", "http://127.0.0.1:9", 1); /* it must not be looked at */
    (void)setenv("all_proxy", "http://127.0.0.1:9", 1);
    it.guard = exchange_guard("127.0.0.1");
    it.http = exchange_http(it.guard);
    *state = &it;
    return test_server_start(&it.server);
}

static int house_close(void **state) {
    house *it = *state;
    net_http_free(it->http);
    net_guard_free(it->guard);
    return test_server_stop(&it->server);
}

static net_http_outcome ask(house *it, const char *path, exchange *asked) {
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", it->server.port, path);
    exchange_init(asked, url);
    asked->request.timeout_ms = strcmp(path, "/hang") == 0 ? 200 : 30000;
    return exchange_run(asked, it->http);
}

static void an_answer_is_taken_as_it_is(void **state) {
    exchange it;
    assert_int_equal(ask(*state, "/good", &it), NET_HTTP_ANSWERED);
    assert_int_equal(it.result.status, 200);
    assert_int_equal(it.result.version, 11);
    assert_string_equal(it.body, "body");
    assert_false(it.result.body_is_cut);
    assert_int_equal(it.result.retry_after_ms, 7000);
    assert_string_equal(it.result.address, "127.0.0.1");
    assert_string_equal(it.reason, "");
    assert_true(it.result.total_us > 0 && it.result.first_byte_us <= it.result.total_us);
    assert_int_equal(ask(*state, "/gone", &it), NET_HTTP_ANSWERED);
    assert_int_equal(it.result.status, 410);
    assert_int_equal(it.result.retry_after_ms, -1);
    assert_int_equal(ask(*state, "/hop", &it), NET_HTTP_ANSWERED); /* not followed */
    assert_int_equal(it.result.status, 302);
}

static void a_body_without_end_is_an_answer(void **state) {
    exchange it;
    assert_int_equal(ask(*state, "/endless", &it), NET_HTTP_ANSWERED);
    assert_int_equal(it.result.status, 200);
    assert_true(it.result.body_is_cut);
    assert_int_equal(it.body_length, 64);
    assert_int_equal(strncmp(it.body, "0123456789abcdef0123", 20), 0);
}

static bool may_not_begin(const net_http_request *request) {
    return request->url == NULL;
}
static bool may_begin(const net_http_request *request) {
    return request->url != NULL;
}

static void what_is_withdrawn_is_not_sent(void **state) {
    house *home = *state;
    test_server server = {.answer = answer, .keeps = true};
    char url[64];
    assert_int_equal(test_server_start(&server), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/good", server.port);
    for (unsigned round = 0; round < 2; round++) { /* anew, and over a kept connection */
        exchange it;
        exchange_init(&it, url);
        it.request.may_begin = may_not_begin;
        assert_int_equal(exchange_run(&it, home->http), NET_HTTP_WITHDRAWN);
        assert_int_equal(it.result.status, 0);
        assert_string_not_equal(it.reason, "");
        assert_int_equal(atomic_load(&server.requests), round);
        exchange_init(&it, url);
        it.request.may_begin = may_begin;
        assert_int_equal(exchange_run(&it, home->http), NET_HTTP_ANSWERED);
        assert_int_equal(atomic_load(&server.requests), round + 1);
    }
    assert_int_equal(test_server_stop(&server), 0);
}

static void every_request_ends(void **state) {
    static const struct {
        const char *path;
        net_http_outcome outcome;
    } cases[] = {
        {"/headers", NET_HTTP_TOO_LARGE}, {"/early", NET_HTTP_TOO_LARGE},
        {"/cut", NET_HTTP_BROKEN},        {"/noise", NET_HTTP_BROKEN},
        {"/nothing", NET_HTTP_BROKEN},    {"/hang", NET_HTTP_TIMED_OUT},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        exchange it;
        net_http_outcome outcome = ask(*state, cases[i].path, &it);
        if (outcome != cases[i].outcome || it.reason[0] == '\0')
            fail_msg("%s: %s (%s)", cases[i].path, net_http_outcome_name(outcome), it.reason);
    }
}

static void what_cannot_be_reached_is_told_apart(void **state) {
    (void)state;
    exchange it;
    net_guard *guard = exchange_guard("127.0.0.0/8");
    net_http *http = exchange_http(guard);
    exchange_init(&it, "http://127.0.0.3:9090/"); /* nobody listens there */
    assert_int_equal(exchange_run(&it, http), NET_HTTP_UNREACHABLE);
    exchange_init(&it, "http://name.invalid/");
    assert_int_equal(exchange_run(&it, http), NET_HTTP_UNRESOLVED);
    net_http_free(http);
    net_guard_free(guard);
}

static void a_request_that_would_mislead_is_not_sent(void **state) {
    house *home = *state;
    static const net_http_header bad[] = {
        {"X-A", "a\r\nX-B: b"},
        {"X-A\r\nX-B", "b"},
        {"X A", "a"},
        {"", "a"},
        {"Host", "other"},
        {"content-length", "1"},
        {"Transfer-Encoding", "chunked"},
        {"Connection", "close"},
        {"Proxy-Authorization", "a"},
        {"X-A", "a\x7f"},
    };
    char url[64];
    unsigned before = atomic_load(&home->server.requests);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/good", home->server.port);
    for (size_t i = 0; i < CORE_COUNT_OF(bad); i++) {
        exchange it;
        exchange_init(&it, url);
        it.request.headers = &bad[i];
        it.request.header_count = 1;
        assert_int_equal(exchange_run(&it, home->http), NET_HTTP_REFUSED);
        assert_non_null(strstr(it.reason, "header"));
    }
    exchange it;
    exchange_init(&it, url);
    it.request.method = "GET /other HTTP/1.1\r\nX: y";
    assert_int_equal(exchange_run(&it, home->http), NET_HTTP_REFUSED);
    assert_int_equal(atomic_load(&home->server.requests), before);
}

static void a_stop_ends_all(void **state) {
    house *home = *state;
    core_error error;
    char url[64];
    const net_http_spec spec = {.guard = home->guard, .in_flight_max = 4, .queue_max = 28};
    net_http *http = net_http_new(&spec, &error);
    assert_non_null(http);
    static exchange all[64];
    size_t sent = 0;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/hang", home->server.port);
    for (; sent < CORE_COUNT_OF(all); sent++) {
        exchange_init(&all[sent], url);
        all[sent].request.timeout_ms = 600000;
        if (!net_http_send(http, &all[sent].request, &error))
            break;
    }
    assert_in_range(sent, 28, 32); /* the queue's, and those under way */
    assert_int_equal(error.code, CORE_ERROR_FULL);
    net_http_stop(http);
    for (size_t i = 0; i < sent; i++) {
        exchange_wait(&all[i]);
        assert_int_equal(all[i].result.outcome, NET_HTTP_STOPPED);
        assert_int_equal(all[i].completions, 1);
    }
    exchange_init(&all[0], url);
    assert_false(net_http_send(http, &all[0].request, &error));
    assert_non_null(strstr(error.text, "stopped"));
    net_http_free(http);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_as_it_is),
        cmocka_unit_test(a_body_without_end_is_an_answer),
        cmocka_unit_test(what_is_withdrawn_is_not_sent),
        cmocka_unit_test(every_request_ends),
        cmocka_unit_test(what_cannot_be_reached_is_told_apart),
        cmocka_unit_test(a_request_that_would_mislead_is_not_sent),
        cmocka_unit_test(a_stop_ends_all),
    };
    return cmocka_run_group_tests(tests, house_open, house_close);
}
