/* Answers that come later, over a real server: other threads complete them, clients pipeline, go
 * away, wait too long; a drain waits for them. */
#include "ws/http_reply.h"
#include "ws/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_MAX  65536
#define WAIT_MS   20000
#define MANY      400
#define COMPLETER 4

/* The system's clock, moved ahead by the test. */
typedef struct {
    core_clock clock;
    atomic_llong ahead_ns;
} moved_clock;

static int64_t moved_monotonic_ns(const core_clock *clock) {
    const core_clock *system = core_clock_system();
    return system->monotonic_ns(system) + atomic_load(&((const moved_clock *)clock)->ahead_ns);
}

static int64_t moved_wall_us(const core_clock *clock) {
    (void)clock;
    return core_clock_wall_us(core_clock_system());
}

typedef struct {
    core_config *config;
    core_metrics *metrics;
    core_route_table routes;
    moved_clock clock;
    auth_verifier *verifier;
    ws_server *server;
    /* Replies that the route was handed and the test did not take yet. */
    pthread_mutex_t mutex;
    pthread_cond_t came;
    core_route_reply *replies[WS_HTTP_WAITING_MAX];
    size_t first, count;
} fixture;

static void pause_shortly(void) {
    struct timespec pause = {.tv_nsec = CORE_NS_PER_MS};
    (void)nanosleep(&pause, NULL);
}

/* The room: keeps the reply until the test wants it. */
static void room_defer(void *context, core_route_reply *reply) {
    fixture *f = context;
    (void)pthread_mutex_lock(&f->mutex);
    f->replies[(f->first + f->count++) % CORE_COUNT_OF(f->replies)] = reply;
    (void)pthread_cond_signal(&f->came);
    (void)pthread_mutex_unlock(&f->mutex);
}

static void room_at_once(void *context, const core_route_request *request,
                         core_route_response *response) {
    (void)context;
    (void)request;
    core_buffer_text(&response->body, "at once");
}

static core_route_reply *take_reply(fixture *f) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / CORE_MS_PER_S;
    (void)pthread_mutex_lock(&f->mutex);
    while (f->count == 0)
        assert_int_equal(pthread_cond_timedwait(&f->came, &f->mutex, &until), 0);
    core_route_reply *reply = f->replies[f->first];
    f->first = (f->first + 1) % CORE_COUNT_OF(f->replies);
    f->count--;
    (void)pthread_mutex_unlock(&f->mutex);
    return reply;
}

static void send_reply(core_route_reply *reply, const char *body) {
    core_buffer_text(&reply->response.body, body);
    core_route_reply_send(reply);
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    core_error error = {.text = ""};
    (void)setenv("WALCAST_HTTP_LISTEN", "127.0.0.1:0", 1);
    (void)setenv("WALCAST_AUTH_JWT_SECRET", "a-secret-for-tests-only-of-more-than-32-bytes", 1);
    f->config = core_config_load(NULL, stderr);
    f->metrics = core_metrics_new();
    f->clock.clock = (core_clock){moved_monotonic_ns, moved_wall_us};
    (void)pthread_mutex_init(&f->mutex, NULL);
    (void)pthread_cond_init(&f->came, NULL);
    bool ok = core_route_add_deferred(&f->routes, "GET", "/later/*", 0, room_defer, f, &error) &&
              core_route_add_deferred(&f->routes, "POST", "/later/*", 0, room_defer, f, &error) &&
              core_route_add_deferred(&f->routes, "GET", "/scoped/later", CORE_SCOPE_JOBS,
                                      room_defer, f, &error) &&
              core_route_add(&f->routes, "GET", "/scoped", CORE_SCOPE_TRIGGERS, room_at_once, f,
                             &error) &&
              core_route_add(&f->routes, "GET", "/now", 0, room_at_once, f, &error);
    const auth_verifier_spec verifier = {.config = f->config, .clock = &f->clock.clock};
    f->verifier = auth_verifier_new(&verifier, &error);
    const ws_server_spec spec = {.config = f->config,
                                 .metrics = f->metrics,
                                 .clock = &f->clock.clock,
                                 .routes = &f->routes,
                                 .verifier = f->verifier};
    f->server = ok ? ws_server_new(&spec, &error) : NULL;
    if (f->server == NULL)
        (void)fprintf(stderr, "%s\n", error.text);
    *state = f;
    return f->server == NULL;
}

static int teardown(void **state) {
    fixture *f = *state;
    ws_server_free(f->server);
    auth_verifier_free(f->verifier);
    core_metrics_free(f->metrics);
    core_config_free(f->config);
    (void)pthread_mutex_destroy(&f->mutex);
    (void)pthread_cond_destroy(&f->came);
    bool ok = f->count == 0;
    free(f);
    return !ok;
}

/* ---- A client ---- */

static int client_connect(const fixture *f) {
    const char *colon = strrchr(ws_server_address(f->server), ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval timeout = {.tv_sec = WAIT_MS / CORE_MS_PER_S};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    (void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    return client;
}

static void client_say(int client, const char *text) {
    assert_int_equal(send(client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void client_get(int client, const char *path) {
    char text[512];
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: id-of%s\r\n\r\n",
                   path, path);
    client_say(client, text);
}

/* One answer, head and body. */
static void client_hear(int client, char text[TEXT_MAX]) {
    size_t length = 0, whole = TEXT_MAX - 1;
    text[0] = '\0';
    while (length < whole) {
        ssize_t got = recv(client, text + length, 1, 0);
        if (got != 1)
            fail_msg("the answer is not whole: \"%s\"", text);
        text[++length] = '\0';
        if (length >= 4 && strcmp(text + length - 4, "\r\n\r\n") == 0) {
            const char *said = strstr(text, "Content-Length: ");
            assert_non_null(said);
            whole = length + strtoul(said + strlen("Content-Length: "), NULL, 10);
            assert_true(whole < TEXT_MAX);
        }
    }
}

static void assert_hears(int client, const char *first_line, const char *body) {
    static char text[TEXT_MAX];
    client_hear(client, text);
    assert_memory_equal(text, first_line, strlen(first_line));
    assert_string_equal(strstr(text, "\r\n\r\n") + 4, body);
}

static bool client_is_closed(int client) {
    char byte;
    return recv(client, &byte, 1, 0) == 0;
}

/* ---- The tests ---- */

static void the_answer_comes_from_another_thread(void **state) {
    fixture *f = *state;
    int client = client_connect(f);
    client_say(client, "POST /later/a%2Fb?q=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer T\r\n"
                       "X-Request-Id: mine\r\nContent-Length: 5\r\n\r\n");
    client_say(client, "hello");
    core_route_reply *reply = take_reply(f);
    assert_true(core_slice_is(reply->request.method, "POST"));
    assert_true(core_slice_is(reply->request.path, "/later/a%2Fb"));
    assert_true(core_slice_is(reply->request.query, "q=1"));
    assert_true(core_slice_is(reply->request.body, "hello"));
    assert_int_equal(reply->request.caller.role.length, 0);
    assert_false(core_route_reply_abandoned(reply));
    reply->response.status = 201;
    reply->response.content_type = "text/x-test";
    reply->response.extra_header = "X-Extra: yes";
    send_reply(reply, "done");
    char text[TEXT_MAX];
    client_hear(client, text);
    assert_memory_equal(text, "HTTP/1.1 201 Created\r\n", 22);
    assert_non_null(strstr(text, "\r\nX-Request-Id: mine\r\n"));
    assert_non_null(strstr(text, "\r\nX-Extra: yes\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Type: text/x-test\r\n"));
    assert_non_null(strstr(text, "\r\n\r\ndone"));
    client_get(client, "/now");
    assert_hears(client, "HTTP/1.1 200 OK\r\n", "at once");
    (void)close(client);
}

static void head_gets_the_length_alone(void **state) {
    fixture *f = *state;
    int client = client_connect(f);
    client_say(client, "HEAD /later/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    send_reply(take_reply(f), "unseen");
    char text[TEXT_MAX] = "";
    assert_true(recv(client, text, sizeof text - 1, MSG_WAITALL) > 0);
    assert_non_null(strstr(text, "\r\nContent-Length: 6\r\n"));
    assert_null(strstr(text, "unseen"));
    (void)close(client);
}

static void pipelined_requests_wait_their_turn(void **state) {
    fixture *f = *state;
    int client = client_connect(f);
    client_say(client, "GET /later/1 HTTP/1.1\r\nHost: x\r\n\r\n"
                       "GET /now HTTP/1.1\r\nHost: x\r\n\r\n"
                       "GET /later/2 HTTP/1.1\r\nHost: x\r\n\r\n"
                       "GET /later/3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    send_reply(take_reply(f), "one");
    assert_hears(client, "HTTP/1.1 200 OK\r\n", "one");
    assert_hears(client, "HTTP/1.1 200 OK\r\n", "at once");
    core_route_reply *second = take_reply(f);
    assert_true(core_slice_is(second->request.path, "/later/2"));
    assert_int_equal(f->count, 0);
    send_reply(second, "two");
    assert_hears(client, "HTTP/1.1 200 OK\r\n", "two");
    send_reply(take_reply(f), "three");
    assert_hears(client, "HTTP/1.1 200 OK\r\n", "three");
    assert_true(client_is_closed(client));
    (void)close(client);
}

static void too_much_behind_a_request_ends_the_connection_after_it(void **state) {
    fixture *f = *state;
    int client = client_connect(f);
    client_get(client, "/later/1");
    core_route_reply *reply = take_reply(f);
    static char text[TEXT_MAX];
    memset(text, 'x', 2 * WS_HTTP_PIPELINED_MAX);
    client_say(client, text);
    /* A second client's answer tells that the thread has seen those bytes. */
    int other = client_connect(f);
    client_get(other, "/now");
    assert_hears(other, "HTTP/1.1 200 OK\r\n", "at once");
    send_reply(reply, "one");
    client_hear(client, text);
    assert_non_null(strstr(text, "\r\n\r\none"));
    assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
    assert_true(client_is_closed(client));
    (void)close(other);
    (void)close(client);
}

static void wait_until_nobody_waits(const fixture *f) {
    const ws_service *service = ws_server_service(f->server, 0);
    for (int i = 0; i < WAIT_MS && atomic_load(&service->waiting) != 0; i++)
        pause_shortly();
    assert_int_equal(atomic_load(&service->waiting), 0);
}

static void a_client_that_goes_is_forgotten(void **state) {
    fixture *f = *state;
    int client = client_connect(f);
    client_get(client, "/later/1");
    core_route_reply *reply = take_reply(f);
    assert_int_equal(atomic_load(&ws_server_service(f->server, 0)->waiting), 1);
    (void)close(client);
    wait_until_nobody_waits(f);
    assert_true(core_route_reply_abandoned(reply));
    int next = client_connect(f); /* takes the slot of the one that went */
    client_get(next, "/later/2");
    core_route_reply *second = take_reply(f);
    send_reply(reply, "for nobody");
    send_reply(second, "two");
    assert_hears(next, "HTTP/1.1 200 OK\r\n", "two");
    (void)close(next);
}

static void a_late_answer_is_504(void **state) {
    fixture *f = *state;
    int client = client_connect(f);
    client_say(client,
               "GET /later/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    core_route_reply *reply = take_reply(f);
    atomic_fetch_add(&f->clock.ahead_ns, (WS_HTTP_ANSWER_MS + 1000) * CORE_NS_PER_MS);
    char text[TEXT_MAX];
    client_hear(client, text);
    assert_memory_equal(text, "HTTP/1.1 504 Gateway Timeout\r\n", 30);
    assert_non_null(strstr(text, "application/problem+json"));
    assert_hears(client, "HTTP/1.1 200 OK\r\n", "at once");
    assert_true(core_route_reply_abandoned(reply));
    send_reply(reply, "late");
    client_get(client, "/now");
    assert_hears(client, "HTTP/1.1 200 OK\r\n", "at once");
    (void)close(client);
}

static void an_answer_that_is_too_long_is_500(void **state) {
    fixture *f = *state;
    int client = client_connect(f);
    client_get(client, "/later/1");
    core_route_reply *reply = take_reply(f);
    (void)core_buffer_reserve(&reply->response.body, WS_HTTP_RESPONSE_MAX + 1);
    core_route_reply_send(reply);
    char text[TEXT_MAX];
    client_hear(client, text);
    assert_memory_equal(text, "HTTP/1.1 500 ", 13);
    (void)close(client);
}

static void a_drain_waits_for_what_is_under_way(void **state) {
    fixture *f = *state;
    int client = client_connect(f);
    client_get(client, "/later/1");
    core_route_reply *reply = take_reply(f);
    ws_server_drain(f->server);
    assert_false(ws_server_drained(f->server));
    send_reply(reply, "still");
    assert_hears(client, "HTTP/1.1 200 OK\r\n", "still");
    wait_until_nobody_waits(f);
    assert_true(ws_server_drained(f->server));
    (void)close(client);
}

static void the_server_ends_with_an_answer_on_its_way(void **state) {
    fixture *f = *state;
    int client = client_connect(f);
    client_get(client, "/later/1");
    core_route_reply *reply = take_reply(f);
    send_reply(reply, "perhaps"); /* teardown frees the server at once */
    (void)close(client);
}

static void what_waits_is_bounded(void **state) {
    fixture *f = *state;
    static int clients[WS_HTTP_WAITING_MAX];
    static core_route_reply *replies[WS_HTTP_WAITING_MAX];
    for (size_t i = 0; i < WS_HTTP_WAITING_MAX; i++) {
        clients[i] = client_connect(f);
        client_get(clients[i], "/later/1");
        replies[i] = take_reply(f);
    }
    int one_more = client_connect(f);
    char text[TEXT_MAX];
    client_get(one_more, "/later/1");
    client_hear(one_more, text);
    assert_memory_equal(text, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(text, "\r\nRetry-After: "));
    (void)close(clients[0]); /* nobody waits for it, but the room has it still */
    client_get(one_more, "/later/1");
    client_hear(one_more, text);
    assert_memory_equal(text, "HTTP/1.1 503 ", 13);
    send_reply(replies[0], "");
    for (size_t i = 1; i < WS_HTTP_WAITING_MAX; i++) {
        send_reply(replies[i], "one");
        assert_hears(clients[i], "HTTP/1.1 200 OK\r\n", "one");
        (void)close(clients[i]);
    }
    client_get(one_more, "/later/1");
    send_reply(take_reply(f), "one");
    assert_hears(one_more, "HTTP/1.1 200 OK\r\n", "one");
    (void)close(one_more);
}

/* Answers with the request's path, in whatever order the threads come to it. */
static void *complete_some(void *context) {
    fixture *f = context;
    for (int i = 0; i < MANY / COMPLETER; i++) {
        core_route_reply *reply = take_reply(f);
        core_buffer_slice_append(&reply->response.body, reply->request.path);
        core_route_reply_send(reply);
    }
    return NULL;
}

static void many_threads_answer_many_clients(void **state) {
    fixture *f = *state;
    int clients[8];
    pthread_t threads[COMPLETER];
    char path[64];
    for (size_t i = 0; i < COMPLETER; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, complete_some, f), 0);
    for (size_t i = 0; i < CORE_COUNT_OF(clients); i++)
        clients[i] = client_connect(f);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof path, "/later/%d", i);
        client_get(clients[(size_t)i % CORE_COUNT_OF(clients)], path);
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(path, sizeof path, "/later/%d", i);
        assert_hears(clients[(size_t)i % CORE_COUNT_OF(clients)], "HTTP/1.1 200 OK\r\n", path);
    }
    for (size_t i = 0; i < COMPLETER; i++)
        (void)pthread_join(threads[i], NULL);
    for (size_t i = 0; i < CORE_COUNT_OF(clients); i++)
        (void)close(clients[i]);
}

/* A request with a token of that role (NULL: none). */
static void client_get_as(const fixture *f, int client, const char *path, const char *role) {
    char text[2048];
    core_buffer token;
    core_error error;
    core_buffer_init(&token, AUTH_TOKEN_MAX);
    int64_t now_s = core_clock_wall_us(core_clock_system()) / 1000000;
    if (role != NULL)
        assert_true(auth_token_sign(f->config, role, "u1", now_s, now_s + 60,
                                    core_slice_text("\"jti\":\"t1\""), &token, &error));
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n%s%.*s%s\r\n", path,
                   role != NULL ? "Authorization: Bearer " : "",
                   CORE_SLICE_ARGS(core_buffer_slice(&token)), role != NULL ? "\r\n" : "");
    core_buffer_fini(&token);
    client_say(client, text);
}

static void assert_refused(int client, const char *first_line, const char *word) {
    static char text[TEXT_MAX];
    client_hear(client, text);
    assert_memory_equal(text, first_line, strlen(first_line));
    assert_non_null(strstr(text, "application/problem+json"));
    assert_non_null(strstr(text, word));
}

static void a_route_is_called_for_who_has_its_scope(void **state) {
    fixture *f = *state;
    int client = client_connect(f);
    client_get_as(f, client, "/scoped", NULL);
    assert_refused(client, "HTTP/1.1 401 ", "WWW-Authenticate: Bearer");
    client_get_as(f, client, "/scoped", "anon");
    assert_refused(client, "HTTP/1.1 403 ", "the scope triggers");
    client_get_as(f, client, "/scoped/later", "anon");
    assert_refused(client, "HTTP/1.1 403 ", "the scope jobs");
    assert_int_equal(f->count, 0);
    client_get_as(f, client, "/scoped", "service_role");
    assert_hears(client, "HTTP/1.1 200 OK\r\n", "at once");
    client_get_as(f, client, "/scoped/later?x=1", "service_role");
    core_route_reply *reply = take_reply(f);
    const core_route_caller *caller = &reply->request.caller;
    assert_true(core_slice_is(reply->request.query, "x=1"));
    assert_true(core_slice_is(caller->role, "service_role"));
    assert_true(core_slice_is(caller->subject, "u1"));
    assert_true(core_slice_is(caller->id, "t1"));
    assert_true(core_slice_is(caller->project, "default"));
    assert_true(core_slice_is(caller->environment, "dev"));
    assert_true(core_json_valid(caller->claims_json));
    assert_int_equal(caller->scopes, CORE_SCOPES_ALL);
    send_reply(reply, "later");
    assert_hears(client, "HTTP/1.1 200 OK\r\n", "later");
    (void)close(client);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SERVER(the_answer_comes_from_another_thread),
        WITH_SERVER(head_gets_the_length_alone),
        WITH_SERVER(a_route_is_called_for_who_has_its_scope),
        WITH_SERVER(pipelined_requests_wait_their_turn),
        WITH_SERVER(too_much_behind_a_request_ends_the_connection_after_it),
        WITH_SERVER(a_client_that_goes_is_forgotten),
        WITH_SERVER(a_late_answer_is_504),
        WITH_SERVER(an_answer_that_is_too_long_is_500),
        WITH_SERVER(a_drain_waits_for_what_is_under_way),
        WITH_SERVER(the_server_ends_with_an_answer_on_its_way),
        WITH_SERVER(what_waits_is_bounded),
        WITH_SERVER(many_threads_answer_many_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
