/* The outbound client against a small server of this test's, which answers by path as good, odd
 * and hostile servers do. */
#include "net/net.h"

#include "../lib/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MAX_BYTES 4096

/* Of a path that is never answered. */
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t asked;
    bool is_asked;
} never;

static void say_many(int fd, const char *text, size_t count) {
    for (size_t i = 0; i < count; i++)
        test_server_say(fd, text);
}

static void answer(test_server *server, int fd, const char *path) {
    if (strncmp(path, "/good", 5) == 0)
        test_server_say(fd, "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=300\r\n"
                            "Content-Length: 4\r\n\r\nbody");
    else if (strcmp(path, "/gone") == 0)
        test_server_say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
    else if (strcmp(path, "/declared") == 0)
        test_server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
    else if (strcmp(path, "/hop") == 0)
        test_server_say(fd, "HTTP/1.1 302 Found\r\nCache-Control: max-age=1\r\nLocation: /gone\r\n"
                            "Content-Length: 0\r\n\r\n");
    else if (strcmp(path, "/loop") == 0)
        test_server_say(fd, "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
    else if (strcmp(path, "/file") == 0)
        test_server_say(
            fd, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    else if (strncmp(path, "/cut", 4) == 0)
        test_server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    else if (strcmp(path, "/noise") == 0)
        test_server_say(fd, "SSH-2.0-OpenSSH\r\n");
    else if (strcmp(path, "/endless") == 0) {
        test_server_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        say_many(fd, "0123456789abcdef", 10000);
    } else if (strcmp(path, "/headers") == 0) {
        test_server_say(fd, "HTTP/1.1 200 OK\r\n");
        say_many(fd, "X-More: 0123456789abcdef\r\n", 10000);
    } else {
        never *it = server->context;
        (void)pthread_mutex_lock(&it->mutex);
        it->is_asked = true;
        (void)pthread_cond_signal(&it->asked);
        (void)pthread_mutex_unlock(&it->mutex);
        test_server_hang(fd);
    }
}

static int server_start(void **state) {
    static never unanswered = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                               .asked = PTHREAD_COND_INITIALIZER};
    static test_server it = {.answer = answer, .context = &unanswered};
    (void)unsetenv("http_proxy");
    *state = &it;
    return test_server_start(&it);
}

static int server_stop(void **state) {
    return test_server_stop(*state);
}

/* The answer's status, or minus its error's code. */
static int get(const char *url, int redirects, net_response *response, core_error *error) {
    net_client *client = net_client_new(error);
    assert_non_null(client);
    const net_request request = {.url = url,
                                 .connect_timeout_ms = 5000,
                                 .timeout_ms = strstr(url, "/slow") != NULL ? 200 : 30000,
                                 .max_bytes = MAX_BYTES,
                                 .max_redirects = redirects};
    bool done = net_client_get(client, &request, response, error);
    net_client_free(client);
    return done ? (int)response->status : -(int)error->code;
}

static int get_path(test_server *it, const char *path, int redirects, net_response *response,
                    core_error *error) {
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", it->port, path);
    return get(url, redirects, response, error);
}

static void an_answer_is_taken_as_it_is(void **state) {
    net_response response;
    core_error error;
    assert_int_equal(get_path(*state, "/good", 0, &response, &error), 200);
    assert_true(core_slice_is(core_buffer_slice(&response.body), "body"));
    assert_int_equal(response.max_age_s, 300);
    net_response_fini(&response);
    assert_int_equal(get_path(*state, "/gone", 0, &response, &error), 404);
    assert_int_equal(response.max_age_s, -1);
    net_response_fini(&response);
    assert_int_equal(get_path(*state, "/hop", 0, &response, &error), 302);
    net_response_fini(&response);
    assert_int_equal(get_path(*state, "/hop", 1, &response, &error), 404);
    assert_int_equal(response.max_age_s, -1); /* the last one's */
    net_response_fini(&response);
}

static void every_answer_ends(void **state) {
    static const struct {
        const char *path;
        core_error_code code;
    } cases[] = {
        {"/declared", CORE_ERROR_LIMIT}, {"/endless", CORE_ERROR_LIMIT},
        {"/headers", CORE_ERROR_LIMIT},  {"/loop", CORE_ERROR_LIMIT},
        {"/file", CORE_ERROR_CONFIG},    {"/cut", CORE_ERROR_TRANSIENT},
        {"/noise", CORE_ERROR_CONFIG},   {"/slow", CORE_ERROR_TRANSIENT},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        net_response response;
        core_error error = {.code = CORE_ERROR_NONE};
        int result = get_path(*state, cases[i].path, 3, &response, &error);
        if (result != -(int)cases[i].code)
            fail_msg("%s: %d %s", cases[i].path, result, error.text);
        assert_true(response.body.length <= MAX_BYTES);
        net_response_fini(&response);
    }
}

static void only_http_is_spoken(void **state) {
    (void)state;
    static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://a", ""};
    for (size_t i = 0; i < CORE_COUNT_OF(urls); i++) {
        net_response response;
        core_error error;
        assert_int_equal(get(urls[i], 0, &response, &error), -(int)CORE_ERROR_CONFIG);
        net_response_fini(&response);
    }
}

static void an_error_tells_no_secret(void **state) {
    test_server *it = *state;
    char url[256];
    net_response response;
    core_error error;
    snprintf(url, sizeof url, "http://ann:hidden1@127.0.0.1:%u/cut?key=hidden2#hidden3", it->port);
    assert_int_equal(get(url, 0, &response, &error), -(int)CORE_ERROR_TRANSIENT);
    net_response_fini(&response);
    assert_null(strstr(error.text, "hidden"));
    assert_non_null(strstr(error.text, "GET http://127.0.0.1:"));
    assert_non_null(strstr(error.text, "/cut"));
    assert_int_equal(get("http://ann:hidden1@hidden2@127.0.0.1/", 0, &response, &error),
                     -(int)CORE_ERROR_CONFIG);
    net_response_fini(&response);
    assert_null(strstr(error.text, "hidden"));
    assert_non_null(strstr(error.text, "GET http://127.0.0.1/"));
}

static void *stop_when_asked(void *context) {
    void **both = context;
    never *it = both[0];
    (void)pthread_mutex_lock(&it->mutex);
    while (!it->is_asked)
        (void)pthread_cond_wait(&it->asked, &it->mutex);
    (void)pthread_mutex_unlock(&it->mutex);
    net_client_stop(both[1]);
    return NULL;
}

static void a_stop_ends_what_is_under_way_and_all_that_comes(void **state) {
    test_server *it = *state;
    never *unanswered = it->context;
    core_error error;
    net_response response;
    pthread_t thread;
    char url[64];
    net_client *client = net_client_new(&error);
    void *both[] = {unanswered, client};
    unanswered->is_asked = false;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/never", it->port);
    const net_request request = {
        .url = url, .connect_timeout_ms = 600000, .timeout_ms = 600000, .max_bytes = MAX_BYTES};
    assert_int_equal(pthread_create(&thread, NULL, stop_when_asked, both), 0);
    for (int i = 0; i < 2; i++) {
        assert_false(net_client_get(client, &request, &response, &error));
        assert_non_null(strstr(error.text, "stopped"));
        net_response_fini(&response);
    }
    (void)pthread_join(thread, NULL);
    net_client_free(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_as_it_is),
        cmocka_unit_test(every_answer_ends),
        cmocka_unit_test(only_http_is_spoken),
        cmocka_unit_test(an_error_tells_no_secret),
        cmocka_unit_test(a_stop_ends_what_is_under_way_and_all_that_comes),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
