/* API keys and revoked tokens against a real nats-server, by a server whose routes state their
 * scopes: every broken key in every place, rotation, revocation, and NATS that is not there. */
#include "tests/integration/fanout/key_admin.h"

#include "ws/ws.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, ANSWER_MAX = 32768 };

typedef struct {
    fanout_house house;
    moved_clock clock;
    core_metrics *metrics;
    core_route_table routes;
    auth_verifier *verifier;
    auth_key_store *store;
    ws_server *server;
    sem_t ended; /* the listener was called */
} scene;

/* ---- The server ---- */

static void caller_tell(const core_route_request *request, core_buffer *body) {
    const core_route_caller *caller = &request->caller;
    core_buffer_format(body, "%.*s|%.*s|%.*s|%.*s|%u", CORE_SLICE_ARGS(caller->role),
                       CORE_SLICE_ARGS(caller->subject), CORE_SLICE_ARGS(caller->project),
                       CORE_SLICE_ARGS(caller->id), caller->scopes);
}

static void answer_now(void *context, const core_route_request *request,
                       core_route_response *response) {
    (void)context;
    caller_tell(request, &response->body);
}

static void answer_later(void *context, core_route_reply *reply) {
    (void)context;
    caller_tell(&reply->request, &reply->response.body);
    core_route_reply_send(reply);
}

static auth_verifier_spec verifier_spec(scene *s) {
    return (auth_verifier_spec){.config = s->house.config,
                                .clock = &s->clock.clock,
                                .log = s->house.log,
                                .metrics = s->metrics,
                                .keys = true};
}

static void server_start(scene *s) {
    core_error error = {0};
    const auth_verifier_spec spec = verifier_spec(s);
    s->verifier = auth_verifier_new(&spec, &error);
    assert_non_null(s->verifier);
    const ws_server_spec server = {.config = s->house.config,
                                   .metrics = s->metrics,
                                   .clock = &s->clock.clock,
                                   .routes = &s->routes,
                                   .verifier = s->verifier};
    s->server = ws_server_new(&server, &error);
    if (s->server == NULL)
        fail_msg("%s", error.text);
}

static void server_stop(scene *s) {
    ws_server_free(s->server);
    auth_verifier_free(s->verifier);
    s->server = NULL;
    s->verifier = NULL;
}

static void store_open(scene *s) {
    core_error error = {0};
    const auth_verifier_spec spec = verifier_spec(s);
    s->store = auth_key_store_new(&spec, &error);
    if (s->store == NULL)
        fail_msg("%s", error.text);
}

static int scene_open(void **state) {
    core_error error = {0};
    scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    (void)sem_init(&s->ended, 0, 0);
    house_open(&s->house, NULL);
    house_set(&s->house, "http.listen", "127.0.0.1:0");
    house_set(&s->house, "auth.jwt_secret", "a-secret-for-tests-only-of-more-than-32-bytes");
    moved_clock_init(&s->clock);
    s->metrics = core_metrics_new();
    assert_true(core_route_add(&s->routes, "GET", "/open", 0, answer_now, NULL, &error) &&
                core_route_add(&s->routes, "GET", "/triggers", CORE_SCOPE_TRIGGERS, answer_now,
                               NULL, &error) &&
                core_route_add_deferred(&s->routes, "GET", "/jobs", CORE_SCOPE_JOBS, answer_later,
                                        NULL, &error));
    store_open(s);
    server_start(s);
    *state = s;
    return 0;
}

static int scene_close(void **state) {
    scene *s = *state;
    server_stop(s);
    auth_key_store_free(s->store);
    core_metrics_free(s->metrics);
    house_close(&s->house);
    (void)sem_destroy(&s->ended);
    free(s);
    return 0;
}

/* ---- A client ---- */

typedef enum { BEARER, APIKEY, X_API_KEY, PARAMETER, PLACES } place;

static int client_connect(const scene *s) {
    const char *colon = strrchr(ws_server_address(s->server), ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval timeout = {.tv_sec = PATIENCE_MS / CORE_MS_PER_S};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    (void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    return client;
}

/* The whole answer, since the connection ends with it; its status. */
static unsigned client_ask(const scene *s, const char *request, char answer[ANSWER_MAX]) {
    int client = client_connect(s);
    size_t length = 0;
    (void)send(client, request, strlen(request), MSG_NOSIGNAL);
    for (;;) {
        ssize_t got = recv(client, answer + length, ANSWER_MAX - 1 - length, 0);
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    (void)close(client);
    answer[length] = '\0';
    return length > 12 ? (unsigned)strtoul(answer + strlen("HTTP/1.1 "), NULL, 10) : 0;
}

static unsigned get_with(const scene *s, const char *path, place at, const char *key,
                         char answer[ANSWER_MAX]) {
    static char request[ANSWER_MAX];
    static const char *const forms[PLACES] = {
        [BEARER] =
            "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n",
        [APIKEY] = "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\napikey: %s\r\n\r\n",
        [X_API_KEY] = "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Api-Key: %s\r\n\r\n",
        [PARAMETER] = "GET %s?apikey=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    };
    (void)snprintf(request, sizeof request, forms[at], path, key);
    return client_ask(s, request, answer);
}

static unsigned get(const scene *s, const char *path, const char *key) {
    static char answer[ANSWER_MAX];
    return get_with(s, path, BEARER, key, answer);
}

/* How long it took, in milliseconds. */
static int64_t await_status(const scene *s, const char *path, const char *key, unsigned status) {
    int64_t begun = house_now_ms();
    for (;;) {
        unsigned now = get(s, path, key); /* a round trip */
        if (now == status)
            return house_now_ms() - begun;
        if (house_now_ms() - begun > PATIENCE_MS)
            fail_msg("%s is answered %u, expected %u", path, now, status);
    }
}

/* ---- The tests ---- */

static void token_sign(const scene *s, const char *role, const char *claims,
                       char text[AUTH_TOKEN_MAX]) {
    core_buffer token;
    core_error error;
    core_buffer_init(&token, AUTH_TOKEN_MAX);
    assert_true(auth_token_sign(s->house.config, role, NULL, moved_clock_s(&s->clock),
                                moved_clock_s(&s->clock) + 3600, core_slice_text(claims), &token,
                                &error));
    assert_true(core_slice_to_text(core_buffer_slice(&token), text, AUTH_TOKEN_MAX));
    core_buffer_fini(&token);
}

static void test_a_key_opens_what_its_scopes_say(void **state) {
    scene *s = *state;
    char key[AUTH_KEY_TEXT_MAX], answer[ANSWER_MAX];
    key_create_named(s->store, "ci", CORE_SCOPE_TRIGGERS | CORE_SCOPE_JOBS, key);
    (void)await_status(s, "/triggers", key, 200);
    for (place at = 0; at < PLACES; at++) {
        assert_int_equal(get_with(s, "/triggers", at, key, answer), 200);
        assert_non_null(strstr(answer, "authenticated|bot|default|"));
        assert_null(strstr(answer, key));
        assert_int_equal(get_with(s, "/jobs", at, key, answer), 200);
        assert_non_null(strstr(answer, "authenticated|bot|default|"));
    }
    key_create_named(s->store, "narrow", CORE_SCOPE_JOBS, key);
    (void)await_status(s, "/jobs", key, 200);
    assert_int_equal(get_with(s, "/triggers", APIKEY, key, answer), 403);
    assert_non_null(strstr(answer, "application/problem+json"));
    assert_non_null(strstr(answer, "the scope triggers"));
    assert_int_equal(get_with(s, "/open", APIKEY, "nonsense", answer), 200);
    assert_non_null(strstr(answer, "\r\n\r\n||||0"));
}

static void test_every_other_key_is_refused_everywhere(void **state) {
    scene *s = *state;
    static char long_key[16 << 10];
    char good[AUTH_KEY_TEXT_MAX], cut[AUTH_KEY_TEXT_MAX], flipped[AUTH_KEY_TEXT_MAX];
    char unknown[AUTH_KEY_TEXT_MAX], ended[AUTH_KEY_TEXT_MAX], foreign[AUTH_KEY_TEXT_MAX];
    char elsewhere[AUTH_KEY_TEXT_MAX], answer[ANSWER_MAX], upper[AUTH_KEY_TEXT_MAX];
    auth_key_record wished = key_wish("foreign", CORE_SCOPES_ALL);
    auth_key_record gone = key_wish("gone", CORE_SCOPES_ALL);
    core_error error = {0};
    (void)snprintf(wished.project, sizeof wished.project, "other");
    key_create(s->store, &wished, AUTH_NEVER_S, foreign);
    (void)snprintf(wished.project, sizeof wished.project, "default");
    (void)snprintf(wished.environment, sizeof wished.environment, "prod");
    key_create(s->store, &wished, AUTH_NEVER_S, elsewhere);
    key_create(s->store, &gone, AUTH_NEVER_S, unknown);
    assert_true(auth_key_revoke(s->store, &gone, &error));
    wished = key_wish("ended", CORE_SCOPES_ALL);
    key_create(s->store, &wished, moved_clock_s(&s->clock), ended);
    key_create_named(s->store, "good", CORE_SCOPES_ALL, good);
    (void)await_status(s, "/triggers", good, 200);
    (void)snprintf(cut, sizeof cut, "%.*s", (int)strlen(good) - 1, good);
    (void)snprintf(flipped, sizeof flipped, "%s", good);
    flipped[20] = flipped[20] == 'x' ? 'y' : 'x';
    (void)snprintf(upper, sizeof upper, "WC_%s", good + 3);
    memset(long_key, 'a', sizeof long_key - 1);
    memcpy(long_key, "wc_", 3);
    long_key[15000] = '\0';
    const struct {
        const char *key;
        const char *word;
    } rows[] = {
        {"wc_", "cut or mistyped"},
        {"wc_12345678", "cut or mistyped"},
        {"wc_12345678_", "cut or mistyped"},
        {cut, "cut or mistyped"},
        {flipped, "cut or mistyped"},
        {long_key, NULL},
        {upper, NULL},
        {"wc_AbCd1234_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcd0lKyxl", NULL},
        {unknown, "revoked"},
        {ended, "expired"},
        {foreign, "another project or environment"},
        {elsewhere, "another project or environment"},
        {"", NULL},
        {"%00", NULL},
        {"sb_publishable_x", NULL},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        for (place at = 0; at < PLACES; at++) {
            unsigned status = get_with(s, "/triggers", at, rows[i].key, answer);
            if (status != 401 && status != 431 && status != 414)
                fail_msg("row %zu, place %d: %u %s", i, (int)at, status, answer);
            if (rows[i].word != NULL && strstr(answer, rows[i].word) == NULL)
                fail_msg("row %zu, place %d: %s", i, (int)at, answer);
            if (strlen(rows[i].key) > 20)
                assert_null(strstr(answer, rows[i].key));
        }
}

/* The bearer is who asks, whatever else is said; a bad one is not made good by another. */
static void test_of_two_credentials_the_bearer_counts(void **state) {
    scene *s = *state;
    char good[AUTH_KEY_TEXT_MAX], request[1024], answer[ANSWER_MAX];
    key_create_named(s->store, "good", CORE_SCOPES_ALL, good);
    (void)await_status(s, "/triggers", good, 200);
    (void)snprintf(request, sizeof request,
                   "GET /triggers?apikey=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   "Authorization: Bearer wc_bad\r\n\r\n",
                   good);
    assert_int_equal(client_ask(s, request, answer), 401);
    (void)snprintf(request, sizeof request,
                   "GET /triggers?apikey=wc_bad HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   "Authorization: Bearer %s\r\n\r\n",
                   good);
    assert_int_equal(client_ask(s, request, answer), 200);
    (void)snprintf(request, sizeof request,
                   "GET /triggers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   "Authorization: Basic %s\r\n\r\n",
                   good);
    assert_int_equal(client_ask(s, request, answer), 401);
}

static void test_rotation_lets_both_count_for_a_while(void **state) {
    scene *s = *state;
    char first[AUTH_KEY_TEXT_MAX], second[AUTH_KEY_TEXT_MAX], third[AUTH_KEY_TEXT_MAX];
    auth_key_record record = key_wish("ci", 0);
    core_error error = {0};
    key_create_named(s->store, "ci", CORE_SCOPE_TRIGGERS, first);
    (void)await_status(s, "/triggers", first, 200);
    assert_true(auth_key_rotate(s->store, &record, 60, second, &error));
    assert_int_equal(record.secret_count, 2);
    (void)await_status(s, "/triggers", second, 200);
    assert_int_equal(get(s, "/triggers", first), 200);
    moved_clock_pass(&s->clock, 61);
    (void)await_status(s, "/triggers", first, 401);
    assert_int_equal(get(s, "/triggers", second), 200);
    assert_true(auth_key_rotate(s->store, &record, 0, third, &error));
    (void)await_status(s, "/triggers", third, 200);
    (void)await_status(s, "/triggers", second, 401);
    assert_true(auth_key_revoke(s->store, &record, &error));
    (void)await_status(s, "/triggers", third, 401);
    assert_false(auth_key_rotate(s->store, &record, 0, third, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    assert_string_equal(third, "");
    key_create_named(s->store, "ci", CORE_SCOPE_TRIGGERS, first); /* the name is free again */
    (void)await_status(s, "/triggers", first, 200);
}

static void listener(void *context) {
    (void)sem_post(&((scene *)context)->ended);
}

static void test_a_token_is_revoked_by_its_jti(void **state) {
    scene *s = *state;
    char token[AUTH_TOKEN_MAX], other[AUTH_TOKEN_MAX], bare[AUTH_TOKEN_MAX];
    core_error error = {0};
    auth_claims claims;
    token_sign(s, "service_role", "\"jti\":\"a.b c=\"", token);
    token_sign(s, "service_role", "\"jti\":\"other\"", other);
    token_sign(s, "service_role", "", bare);
    (void)await_status(s, "/triggers", token, 200);
    assert_int_equal(auth_verify(s->verifier, core_slice_text(token), &claims, NULL), AUTH_OK);
    auth_verifier_listen(s->verifier, listener, s);
    assert_true(auth_token_revoke(s->store, "a.b c=", moved_clock_s(&s->clock) + 600, &error));
    int64_t took_ms = await_status(s, "/triggers", token, 401);
    print_message("revoked after %lld ms\n", (long long)took_ms);
    assert_int_equal(auth_verifier_recheck(s->verifier, &claims), AUTH_REVOKED);
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / CORE_MS_PER_S;
    assert_int_equal(sem_timedwait(&s->ended, &until), 0);
    assert_int_equal(get(s, "/triggers", other), 200);
    assert_int_equal(get(s, "/triggers", bare), 200);
    /* An earlier end does not shorten it. */
    assert_true(auth_token_revoke(s->store, "a.b c=", moved_clock_s(&s->clock) + 5, &error));
    moved_clock_pass(&s->clock, 10);
    assert_int_equal(get(s, "/triggers", token), 401);
    auth_verifier_listen(s->verifier, NULL, NULL);
}

static void test_without_nats_nothing_is_known_then_all_goes_on(void **state) {
    scene *s = *state;
    char key[AUTH_KEY_TEXT_MAX], token[AUTH_TOKEN_MAX], bare[AUTH_TOKEN_MAX], answer[ANSWER_MAX];
    auth_key_record record = key_wish("ci", 0);
    core_error error = {0};
    key_create_named(s->store, "ci", CORE_SCOPE_TRIGGERS, key);
    token_sign(s, "service_role", "\"jti\":\"t\"", token);
    token_sign(s, "service_role", "", bare);
    (void)await_status(s, "/triggers", key, 200);
    nats_server_kill(&s->house.server);
    assert_int_equal(get(s, "/triggers", key), 200); /* what is known goes on counting */
    assert_int_equal(get(s, "/triggers", token), 200);
    server_stop(s);
    server_start(s);
    assert_int_equal(get_with(s, "/triggers", BEARER, key, answer), 503);
    assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
    assert_int_equal(get(s, "/triggers", token), 503);
    assert_int_equal(get(s, "/triggers", bare), 200);
    assert_int_equal(get(s, "/triggers", "wc_bad"), 401);
    nats_server_restart(&s->house.server);
    (void)await_status(s, "/triggers", key, 200);
    assert_int_equal(get(s, "/triggers", token), 200);
    auth_key_store_free(s->store);
    store_open(s);
    assert_true(auth_key_revoke(s->store, &record, &error));
    (void)await_status(s, "/triggers", key, 401);
}

/* Neither secret nor key: nothing is open. */
static void test_closed_by_default(void **state) {
    scene *s = *state;
    char token[AUTH_TOKEN_MAX], key[AUTH_KEY_TEXT_MAX];
    core_config *with_secret = s->house.config;
    token_sign(s, "service_role", "", token);
    server_stop(s);
    s->house.config = core_config_load("/dev/null", stderr);
    assert_non_null(s->house.config);
    house_set(&s->house, "nats.url", s->house.server.url);
    house_set(&s->house, "http.listen", "127.0.0.1:0");
    server_start(s);
    key_create_named(s->store, "ci", CORE_SCOPE_TRIGGERS, key);
    (void)await_status(s, "/triggers", key, 200); /* a key needs no secret */
    assert_int_equal(get(s, "/triggers", token), 403);
    assert_int_equal(get(s, "/triggers", ""), 403);
    assert_int_equal(get(s, "/jobs", "x"), 403);
    assert_int_equal(get(s, "/open", ""), 200);
    server_stop(s);
    auth_key_store_free(s->store);
    s->store = NULL;
    core_config_free(s->house.config);
    s->house.config = with_secret;
}

#define KEYS_TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        KEYS_TEST(test_a_key_opens_what_its_scopes_say),
        KEYS_TEST(test_every_other_key_is_refused_everywhere),
        KEYS_TEST(test_of_two_credentials_the_bearer_counts),
        KEYS_TEST(test_rotation_lets_both_count_for_a_while),
        KEYS_TEST(test_a_token_is_revoked_by_its_jti),
        KEYS_TEST(test_without_nats_nothing_is_known_then_all_goes_on),
        KEYS_TEST(test_closed_by_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
