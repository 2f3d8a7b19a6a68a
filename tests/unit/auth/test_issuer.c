/* An issuer's keys over time: not there yet, unknown, changed, too old, gone; and threads that
 * verify meanwhile. Against a small server of the key set. */
#include "auth/issuer.h"

#include "../lib/http_server.h"
#include "keys.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define WAIT_MS 20000
#define READERS 3

/* What the server answers with, and its keys. */
typedef struct {
    pthread_mutex_t mutex;
    char body[8192];
    bool silent;   /* it takes the request and never answers */
    sem_t hanging; /* it has taken one that it does not answer */
    EVP_PKEY *one, *two;
    test_server server;
    core_config *config;
    core_metrics *metrics;
    auth_issuer *issuer;
} fixture;

static void answer(test_server *server, int fd, const char *path) {
    (void)path;
    fixture *it = server->context;
    char text[sizeof it->body + 128];
    (void)pthread_mutex_lock(&it->mutex);
    bool silent = it->silent;
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
             it->body[0] != '\0' ? "200 OK" : "503 Later", strlen(it->body), it->body);
    (void)pthread_mutex_unlock(&it->mutex);
    if (silent) {
        (void)sem_post(&it->hanging);
        test_server_hang(fd);
    } else
        test_server_say(fd, text);
}

/* The set of these keys, with ids "one" and "two"; none: the server is in trouble. */
static void serve(fixture *it, bool one, bool two) {
    core_buffer json;
    core_buffer_init(&json, sizeof it->body);
    core_buffer_text(&json, one || two ? "{\"keys\":[" : "");
    if (one)
        test_jwk(&json, it->one, "\"kid\":\"one\"");
    core_buffer_text(&json, one && two ? "," : "");
    if (two)
        test_jwk(&json, it->two, "\"kid\":\"two\"");
    core_buffer_text(&json, one || two ? "]}" : "");
    (void)pthread_mutex_lock(&it->mutex);
    assert_true(core_slice_to_text(core_buffer_slice(&json), it->body, sizeof it->body));
    (void)pthread_mutex_unlock(&it->mutex);
    core_buffer_fini(&json);
}

static int fixture_new(void **state) {
    static fixture it = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    it.one = EVP_RSA_gen(2048);
    it.two = EVP_EC_gen("P-256");
    (void)sem_init(&it.hanging, 0, 0);
    it.server = (test_server){.answer = answer, .context = &it};
    (void)unsetenv("http_proxy");
    *state = &it;
    return test_server_start(&it.server);
}

static int fixture_free(void **state) {
    fixture *it = *state;
    EVP_PKEY_free(it->one);
    EVP_PKEY_free(it->two);
    return test_server_stop(&it->server);
}

static void issuer_start(fixture *it, const char *refresh, const char *valid) {
    char url[64];
    core_error error;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", it->server.port);
    setenv("WALCAST_AUTH_JWKS_URL", url, 1);
    setenv("WALCAST_AUTH_JWKS_REFRESH", refresh, 1);
    setenv("WALCAST_AUTH_JWKS_VALID", valid, 1);
    setenv("WALCAST_AUTH_JWKS_TIMEOUT", "1m", 1);
    it->config = core_config_load(NULL, stderr);
    it->metrics = core_metrics_new();
    it->silent = false;
    const auth_verifier_spec spec = {
        .config = it->config, .clock = core_clock_system(), .metrics = it->metrics};
    it->issuer = auth_issuer_new(&spec, &error);
    assert_non_null(it->issuer);
}

static void issuer_stop(fixture *it) {
    auth_issuer_free(it->issuer);
    core_metrics_free(it->metrics);
    core_config_free(it->config);
}

/* ---- Asking ---- */

static core_buffer token_of(EVP_PKEY *key, const char *header) {
    core_buffer token;
    core_buffer_init(&token, AUTH_TOKEN_MAX);
    test_sign(&token, key, 256, header, "{}");
    return token;
}

static auth_verdict ask(fixture *it, const core_buffer *token) {
    auth_jwt jwt;
    auth_verdict verdict = auth_jwt_read(&jwt, core_buffer_slice(token));
    if (verdict == AUTH_OK)
        verdict = auth_issuer_verify(it->issuer, &jwt);
    auth_jwt_fini(&jwt);
    return verdict;
}

static int64_t now_ms(void) {
    return core_clock_ms(core_clock_system());
}

/* Asks until the verdict is that one. */
static void await(fixture *it, const core_buffer *token, auth_verdict wanted) {
    int64_t deadline_ms = now_ms() + WAIT_MS;
    const struct timespec pause = {.tv_nsec = CORE_NS_PER_MS};
    while (ask(it, token) != wanted) {
        if (now_ms() > deadline_ms)
            fail_msg("it stays: %s", auth_verdict_text(ask(it, token)));
        (void)nanosleep(&pause, NULL);
    }
}

/* ---- Tests ---- */

static void before_the_first_answer_a_token_is_to_be_tried_again(void **state) {
    fixture *it = *state;
    core_buffer token = token_of(it->one, "{\"alg\":\"RS256\",\"kid\":\"one\"}");
    serve(it, false, false);
    issuer_start(it, "1h", "1h");
    assert_int_equal(ask(it, &token), AUTH_UNAVAILABLE);
    serve(it, true, false);
    await(it, &token, AUTH_OK);
    issuer_stop(it);
    core_buffer_fini(&token);
}

static void a_token_that_was_good_costs_no_verification_while_its_key_counts(void **state) {
    fixture *it = *state;
    core_buffer token = token_of(it->one, "{\"alg\":\"RS256\",\"kid\":\"one\"}");
    core_buffer bare = token_of(it->two, "{\"alg\":\"ES256\"}");
    serve(it, true, true);
    issuer_start(it, "100ms", "1h");
    await(it, &token, AUTH_OK);
    int64_t verified = core_metrics_get(it->metrics, CORE_METRIC_AUTH_TOKENS_VERIFIED);
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(it, &token), AUTH_OK);
    assert_int_equal(core_metrics_get(it->metrics, CORE_METRIC_AUTH_TOKENS_VERIFIED), verified);
    assert_true(core_metrics_get(it->metrics, CORE_METRIC_AUTH_TOKENS_CACHED) >= 10);
    assert_int_equal(ask(it, &bare), AUTH_OK);
    serve(it, false, true);
    await(it, &token, AUTH_SIGNATURE);
    assert_int_equal(ask(it, &bare), AUTH_OK);
    issuer_stop(it);
    core_buffer_fini(&token);
    core_buffer_fini(&bare);
}

static void an_unknown_id_is_asked_for_once_and_then_refused(void **state) {
    fixture *it = *state;
    core_buffer known = token_of(it->one, "{\"alg\":\"RS256\",\"kid\":\"one\"}");
    core_buffer token = token_of(it->two, "{\"alg\":\"ES256\",\"kid\":\"two\"}");
    core_buffer bare = token_of(it->two, "{\"alg\":\"ES256\"}");
    core_buffer other = token_of(it->two, "{\"alg\":\"ES256\",\"kid\":\"one\"}");
    serve(it, true, false);
    issuer_start(it, "1h", "1h");
    await(it, &known, AUTH_OK);
    assert_int_equal(ask(it, &bare), AUTH_SIGNATURE);
    assert_int_equal(ask(it, &other), AUTH_SIGNATURE);
    assert_int_equal(ask(it, &token), AUTH_UNAVAILABLE);
    unsigned requests = atomic_load(&it->server.requests);
    await(it, &token, AUTH_SIGNATURE);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(ask(it, &token), AUTH_SIGNATURE);
    assert_true(atomic_load(&it->server.requests) <= requests + 2);
    assert_int_equal(ask(it, &known), AUTH_OK);
    issuer_stop(it);
    core_buffer_fini(&known);
    core_buffer_fini(&token);
    core_buffer_fini(&bare);
    core_buffer_fini(&other);
}

static void keys_count_while_the_issuer_is_away_but_not_for_ever(void **state) {
    fixture *it = *state;
    core_buffer token = token_of(it->one, "{\"alg\":\"RS256\",\"kid\":\"one\"}");
    serve(it, true, false);
    issuer_start(it, "100ms", "1s");
    await(it, &token, AUTH_OK);
    serve(it, false, false);
    int64_t failures = core_metrics_get(it->metrics, CORE_METRIC_AUTH_JWKS_FAILURES);
    auth_verdict verdict = AUTH_OK;
    while (core_metrics_get(it->metrics, CORE_METRIC_AUTH_JWKS_FAILURES) == failures)
        verdict = ask(it, &token); /* the first failure comes within 100 ms */
    assert_true(verdict == AUTH_OK || verdict == AUTH_UNAVAILABLE);
    await(it, &token, AUTH_UNAVAILABLE);
    serve(it, true, false);
    await(it, &token, AUTH_OK);
    issuer_stop(it);
    core_buffer_fini(&token);
}

static void a_stop_does_not_wait_for_an_answer(void **state) {
    fixture *it = *state;
    core_buffer token = token_of(it->one, "{\"alg\":\"RS256\",\"kid\":\"one\"}");
    serve(it, true, false);
    issuer_start(it, "100ms", "1h");
    await(it, &token, AUTH_OK);
    (void)pthread_mutex_lock(&it->mutex);
    it->silent = true;
    (void)pthread_mutex_unlock(&it->mutex);
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / CORE_MS_PER_S;
    assert_int_equal(sem_timedwait(&it->hanging, &until), 0);
    assert_int_equal(ask(it, &token), AUTH_OK);
    int64_t began_ms = now_ms();
    issuer_stop(it);
    assert_true(now_ms() - began_ms < WAIT_MS);
    it->silent = false;
    core_buffer_fini(&token);
}

typedef struct {
    fixture *it;
    const core_buffer *one, *two;
    atomic_bool *stop;
} reader;

static void *reader_thread(void *context) {
    reader *mine = context;
    uintptr_t wrong = 0;
    while (!atomic_load(mine->stop)) {
        auth_verdict one = ask(mine->it, mine->one);
        auth_verdict two = ask(mine->it, mine->two);
        wrong += one != AUTH_OK && one != AUTH_SIGNATURE && one != AUTH_UNAVAILABLE;
        wrong += two != AUTH_OK; /* its key is in every set */
    }
    return (void *)wrong;
}

static void threads_verify_while_sets_change(void **state) {
    fixture *it = *state;
    core_buffer one = token_of(it->one, "{\"alg\":\"RS256\",\"kid\":\"one\"}");
    core_buffer two = token_of(it->two, "{\"alg\":\"ES256\",\"kid\":\"two\"}");
    pthread_t threads[READERS];
    atomic_bool stop = false;
    reader mine = {.it = it, .one = &one, .two = &two, .stop = &stop};
    serve(it, true, true);
    issuer_start(it, "100ms", "1h");
    await(it, &two, AUTH_OK);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader_thread, &mine), 0);
    for (int round = 0; round < 4; round++) {
        serve(it, round % 2 != 0, true);
        await(it, &one, round % 2 != 0 ? AUTH_OK : AUTH_SIGNATURE);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        void *wrong;
        (void)pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    issuer_stop(it);
    core_buffer_fini(&one);
    core_buffer_fini(&two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_answer_a_token_is_to_be_tried_again),
        cmocka_unit_test(a_token_that_was_good_costs_no_verification_while_its_key_counts),
        cmocka_unit_test(an_unknown_id_is_asked_for_once_and_then_refused),
        cmocka_unit_test(keys_count_while_the_issuer_is_away_but_not_for_ever),
        cmocka_unit_test(a_stop_does_not_wait_for_an_answer),
        cmocka_unit_test(threads_verify_while_sets_change),
    };
    return cmocka_run_group_tests(tests, fixture_new, fixture_free);
}
