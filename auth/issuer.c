/* The issuer's keys; see issuer.h.
 *
 * Happy path: a fetch every few minutes puts a new immutable set in the old one's place; verifying
 * takes a reference to it under a mutex that is held for no longer, and then the cache or the key.
 * Failure modes: an issuer that cannot be reached, is slow, or answers with something else (the old
 * set counts on, another try with growing pauses), a set that is too old (AUTH_UNAVAILABLE), a
 * token with an unknown key id (a fetch, but never two within FETCH_GAP_MS, so that invented ids
 * cost the issuer little). A good answer without any keys counts: an issuer takes its keys away
 * so. */
#include "auth/issuer.h"

#include "auth/jwks.h"
#include "auth/token_cache.h"
#include "net/net.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ISSUER_MAGIC UINT32_C(0x69737375)

enum {
    FETCH_GAP_MS = 2000,     /* between the beginnings of two fetches, however urgent */
    NAMELESS_GAP_MS = 30000, /* the same where a token that names no key fits none */
    RETRY_FIRST_MS = 500,    /* while it cannot be reached */
    RETRY_MAX_MS = 60000,    /* or auth.jwks_refresh */
    MAX_AGE_MIN_MS = 60000,  /* a shorter max-age is not followed */
    ASK_AGAIN_MS = 10000,    /* after an unknown key id, for the same one */
    ASKED_MAX = 256,         /* unknown key ids that are remembered */
    TRIED_MAX = 8,           /* keys for one token */
    REDIRECTS_MAX = 3,
};

/* A key id that was not among the keys. */
typedef struct {
    uint64_t hash;
    int64_t asked_ms; /* 0: none */
    bool absent;      /* a set that was fetched later does not have it either */
} asked_id;

struct auth_issuer {
    uint32_t magic;
    net_request request;
    int64_t refresh_ms;
    int64_t valid_ms;
    core_log *log;
    core_metrics *metrics;
    auth_token_cache *cache;
    net_client *client;
    pthread_t thread;
    bool started;

    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
    auth_jwks *keys;   /* NULL: none were fetched yet */
    int64_t keys_ms;   /* when the fetch that brought them began */
    int64_t began_ms;  /* the last fetch; 0: none */
    int64_t due_ms;    /* the next one */
    int64_t wanted_ms; /* when an unknown key id last asked for one; 0: none */
    asked_id asked[ASKED_MAX];

    /* The thread's own. */
    core_backoff backoff;
    char trouble[CORE_ERROR_TEXT_MAX]; /* what the log was told of; "": nothing */
};

static int64_t now_ms(void) {
    return core_clock_ms(core_clock_system());
}

/* ---- Verifying; any thread ---- */

/* With one reference, and when they were asked for; NULL: none that count. */
static auth_jwks *keys_take(auth_issuer *issuer, int64_t *keys_ms) {
    (void)pthread_mutex_lock(&issuer->mutex);
    bool count = issuer->keys != NULL && now_ms() - issuer->keys_ms <= issuer->valid_ms;
    auth_jwks *keys = count ? auth_jwks_retain(issuer->keys) : NULL;
    *keys_ms = issuer->keys_ms;
    (void)pthread_mutex_unlock(&issuer->mutex);
    return keys;
}

/* With the mutex held: the next fetch begins `gap_ms` behind the last one's beginning. */
static void fetch_want(auth_issuer *issuer, int64_t gap_ms) {
    int64_t at = issuer->began_ms + gap_ms;
    if (at < issuer->due_ms) {
        issuer->due_ms = at;
        (void)pthread_cond_signal(&issuer->wake);
    }
}

/* `keys_ms`: of the set that does not have it. */
static auth_verdict id_unknown(auth_issuer *issuer, const char *id, int64_t keys_ms) {
    uint64_t hash = core_slice_hash(core_slice_text(id));
    asked_id *asked = &issuer->asked[hash % ASKED_MAX];
    (void)pthread_mutex_lock(&issuer->mutex);
    int64_t now = now_ms();
    bool fresh = asked->asked_ms == 0 || asked->hash != hash;
    if (fresh)
        *asked = (asked_id){.hash = hash};
    else if (keys_ms > asked->asked_ms)
        asked->absent = true;
    if (fresh || (asked->absent && now - asked->asked_ms >= ASK_AGAIN_MS)) {
        asked->asked_ms = now;
        issuer->wanted_ms = now;
        fetch_want(issuer, FETCH_GAP_MS);
    }
    bool absent = asked->absent;
    (void)pthread_mutex_unlock(&issuer->mutex);
    return absent ? AUTH_SIGNATURE : AUTH_UNAVAILABLE;
}

/* A token that names no key fits none: there may be a new one. It is refused all the same. */
static auth_verdict nameless_unknown(auth_issuer *issuer) {
    (void)pthread_mutex_lock(&issuer->mutex);
    fetch_want(issuer, NAMELESS_GAP_MS);
    (void)pthread_mutex_unlock(&issuer->mutex);
    return AUTH_SIGNATURE;
}

static bool key_holds(auth_issuer *issuer, const auth_jwk *key, const auth_jwt *jwt,
                      const auth_token_print *print) {
    if (print != NULL && auth_token_cache_holds(issuer->cache, print, key->tag)) {
        core_metrics_add(issuer->metrics, CORE_METRIC_AUTH_TOKENS_CACHED, 1);
        return true;
    }
    core_metrics_add(issuer->metrics, CORE_METRIC_AUTH_TOKENS_VERIFIED, 1);
    bool holds = auth_jwk_verify(key, jwt);
    if (holds && print != NULL)
        auth_token_cache_put(issuer->cache, print, key->tag);
    return holds;
}

static auth_verdict keys_try(auth_issuer *issuer, const auth_jwks *keys, int64_t keys_ms,
                             const auth_jwt *jwt) {
    auth_token_print print;
    bool printed = auth_token_cache_print(issuer->cache, jwt->token, &print);
    bool known = false;
    size_t tried = 0;
    for (size_t i = 0; i < auth_jwks_count(keys) && tried < TRIED_MAX; i++) {
        const auth_jwk *key = auth_jwks_at(keys, i);
        if (jwt->key_id[0] != '\0' && strcmp(jwt->key_id, key->id) != 0)
            continue;
        known = true;
        if (!auth_jwk_fits(key, jwt->algorithm))
            continue;
        tried++;
        if (key_holds(issuer, key, jwt, printed ? &print : NULL))
            return AUTH_OK;
    }
    if (jwt->key_id[0] == '\0')
        return nameless_unknown(issuer);
    return known ? AUTH_SIGNATURE : id_unknown(issuer, jwt->key_id, keys_ms);
}

auth_verdict auth_issuer_verify(auth_issuer *issuer, const auth_jwt *jwt) {
    CORE_MAGIC_CHECK(issuer, ISSUER_MAGIC);
    int64_t keys_ms;
    auth_jwks *keys = keys_take(issuer, &keys_ms);
    if (keys == NULL)
        return AUTH_UNAVAILABLE;
    auth_verdict verdict = keys_try(issuer, keys, keys_ms, jwt);
    auth_jwks_release(keys);
    return verdict;
}

/* ---- Fetching; the thread ---- */

static net_request request_of(const core_config *config) {
    int64_t timeout_ms = core_config_integer(config, "auth.jwks_timeout");
    return (net_request){
        .url = core_config_text(config, "auth.jwks_url"),
        .accept = "application/jwk-set+json, application/json",
        .ca_file = core_config_text(config, "auth.jwks_ca"),
        .connect_timeout_ms = timeout_ms,
        .timeout_ms = timeout_ms,
        .max_bytes = AUTH_JWKS_MAX_BYTES,
        .max_redirects = REDIRECTS_MAX,
    };
}

static auth_jwks *keys_fetch(net_client *client, const net_request *request, int64_t *max_age_s,
                             core_error *error) {
    net_response response;
    auth_jwks *keys = NULL;
    if (net_client_get(client, request, &response, error)) {
        *max_age_s = response.max_age_s;
        if (response.status == 200)
            keys = auth_jwks_parse(core_buffer_slice(&response.body), error);
        else
            (void)core_error_set(error, CORE_ERROR_TRANSIENT, "answered with status %u",
                                 response.status);
    }
    net_response_fini(&response);
    return keys;
}

/* False: stopping. */
static bool due_await(auth_issuer *issuer) {
    (void)pthread_mutex_lock(&issuer->mutex);
    for (;;) {
        int64_t now = now_ms();
        if (issuer->stopping || now >= issuer->due_ms)
            break;
        (void)core_condition_wait(&issuer->wake, &issuer->mutex, issuer->due_ms - now);
    }
    issuer->began_ms = now_ms();
    bool go_on = !issuer->stopping;
    (void)pthread_mutex_unlock(&issuer->mutex);
    return go_on;
}

/* With the mutex held: one that was wanted while the last was under way comes sooner. */
static void due_set(auth_issuer *issuer, int64_t wait_ms) {
    issuer->due_ms = now_ms() + wait_ms;
    if (issuer->wanted_ms >= issuer->began_ms && issuer->due_ms > issuer->began_ms + FETCH_GAP_MS)
        issuer->due_ms = issuer->began_ms + FETCH_GAP_MS;
}

static void keys_tell(auth_issuer *issuer, const auth_jwks *keys, bool changed) {
    const char *note;
    size_t left_out = auth_jwks_left_out(keys, &note);
    core_metrics_set(issuer->metrics, CORE_METRIC_AUTH_JWKS_KEYS, (int64_t)auth_jwks_count(keys));
    core_metrics_set(issuer->metrics, CORE_METRIC_AUTH_JWKS_UNAVAILABLE, 0);
    if (changed || issuer->trouble[0] != '\0')
        CORE_LOG(issuer->log, INFO, "auth", "the keys of tokens were fetched",
                 CORE_LOG_NUMBER("keys", auth_jwks_count(keys)),
                 CORE_LOG_TEXT("changed", changed ? "yes" : "no"));
    if (changed && left_out > 0)
        CORE_LOG(issuer->log, WARN, "auth", "keys of auth.jwks_url are not used",
                 CORE_LOG_NUMBER("keys", left_out), CORE_LOG_TEXT("first", note));
    issuer->trouble[0] = '\0';
}

/* Cache-Control may make the next fetch sooner than auth.jwks_refresh. */
static int64_t refresh_ms(const auth_issuer *issuer, int64_t max_age_s) {
    if (max_age_s <= 0 || max_age_s >= issuer->refresh_ms / CORE_MS_PER_S)
        return issuer->refresh_ms;
    int64_t age_ms = max_age_s * CORE_MS_PER_S;
    if (age_ms < MAX_AGE_MIN_MS)
        age_ms = MAX_AGE_MIN_MS;
    return age_ms < issuer->refresh_ms ? age_ms : issuer->refresh_ms;
}

static void fetch_done(auth_issuer *issuer, auth_jwks *keys, int64_t max_age_s) {
    core_backoff_reset(&issuer->backoff);
    (void)pthread_mutex_lock(&issuer->mutex);
    auth_jwks *before = issuer->keys;
    issuer->keys = keys;
    issuer->keys_ms = issuer->began_ms;
    due_set(issuer, refresh_ms(issuer, max_age_s));
    (void)pthread_mutex_unlock(&issuer->mutex);
    keys_tell(issuer, keys,
              before == NULL || auth_jwks_fingerprint(before) != auth_jwks_fingerprint(keys));
    auth_jwks_release(before);
}

static void fetch_failed(auth_issuer *issuer, const core_error *error) {
    (void)pthread_mutex_lock(&issuer->mutex);
    int64_t left_ms =
        issuer->keys != NULL ? issuer->keys_ms + issuer->valid_ms - now_ms() : INT64_C(0);
    bool stopping = issuer->stopping;
    due_set(issuer, core_backoff_next_ms(&issuer->backoff));
    (void)pthread_mutex_unlock(&issuer->mutex);
    if (stopping)
        return;
    core_metrics_add(issuer->metrics, CORE_METRIC_AUTH_JWKS_FAILURES, 1);
    core_metrics_set(issuer->metrics, CORE_METRIC_AUTH_JWKS_UNAVAILABLE, 1);
    if (strcmp(issuer->trouble, error->text) != 0) /* once, not at each try */
        CORE_LOG(issuer->log, WARN, "auth", "the keys of tokens cannot be fetched",
                 CORE_LOG_TEXT("error", error->text),
                 CORE_LOG_NUMBER("old_keys_count_for_s",
                                 left_ms > 0 ? left_ms / CORE_MS_PER_S : INT64_C(0)));
    (void)snprintf(issuer->trouble, sizeof issuer->trouble, "%s", error->text);
}

static void *issuer_thread(void *context) {
    auth_issuer *issuer = context;
    CORE_MAGIC_CHECK(issuer, ISSUER_MAGIC);
    (void)pthread_setname_np(pthread_self(), "walcast-jwks");
    while (due_await(issuer)) {
        core_error error = {.code = CORE_ERROR_NONE};
        int64_t max_age_s = -1;
        core_metrics_add(issuer->metrics, CORE_METRIC_AUTH_JWKS_FETCHES, 1);
        auth_jwks *keys = keys_fetch(issuer->client, &issuer->request, &max_age_s, &error);
        if (keys != NULL)
            fetch_done(issuer, keys, max_age_s);
        else
            fetch_failed(issuer, &error);
    }
    return NULL;
}

/* ---- Life ---- */

auth_issuer *auth_issuer_new(const auth_verifier_spec *spec, core_error *error) {
    const core_config *config = spec->config;
    auth_issuer *issuer = calloc(1, sizeof *issuer);
    if (issuer == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the keys of tokens");
        return NULL;
    }
    issuer->magic = ISSUER_MAGIC;
    issuer->request = request_of(config);
    issuer->refresh_ms = core_config_integer(config, "auth.jwks_refresh");
    issuer->valid_ms = core_config_integer(config, "auth.jwks_valid");
    issuer->log = spec->log;
    issuer->metrics = spec->metrics;
    int64_t retry_ms = issuer->refresh_ms < RETRY_MAX_MS ? issuer->refresh_ms : RETRY_MAX_MS;
    int64_t first_ms = retry_ms < RETRY_FIRST_MS ? retry_ms : RETRY_FIRST_MS;
    core_backoff_init(&issuer->backoff, first_ms, retry_ms, (uint64_t)now_ms());
    (void)pthread_mutex_init(&issuer->mutex, NULL);
    core_condition_init(&issuer->wake);
    issuer->cache =
        auth_token_cache_new((size_t)core_config_integer(config, "auth.token_cache"), error);
    issuer->client = issuer->cache != NULL ? net_client_new(error) : NULL;
    issuer->started =
        issuer->client != NULL && pthread_create(&issuer->thread, NULL, issuer_thread, issuer) == 0;
    if (issuer->started)
        return issuer;
    if (issuer->client != NULL)
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no thread for the keys of tokens");
    auth_issuer_free(issuer);
    return NULL;
}

void auth_issuer_free(auth_issuer *issuer) {
    if (issuer == NULL)
        return;
    CORE_MAGIC_CHECK(issuer, ISSUER_MAGIC);
    (void)pthread_mutex_lock(&issuer->mutex);
    issuer->stopping = true;
    (void)pthread_cond_signal(&issuer->wake);
    (void)pthread_mutex_unlock(&issuer->mutex);
    if (issuer->client != NULL)
        net_client_stop(issuer->client);
    if (issuer->started)
        (void)pthread_join(issuer->thread, NULL);
    net_client_free(issuer->client);
    auth_jwks_release(issuer->keys);
    auth_token_cache_free(issuer->cache);
    (void)pthread_cond_destroy(&issuer->wake);
    (void)pthread_mutex_destroy(&issuer->mutex);
    issuer->magic = 0;
    free(issuer);
}

/* ---- For `walcast check` ---- */

bool auth_issuer_check(const core_config *config, FILE *report) {
    core_error error = {.code = CORE_ERROR_NONE};
    net_request request = request_of(config);
    int64_t max_age_s;
    net_client *client = net_client_new(&error);
    auth_jwks *keys = client != NULL ? keys_fetch(client, &request, &max_age_s, &error) : NULL;
    net_client_free(client);
    if (keys == NULL) {
        (void)fprintf(report, "the keys of auth.jwks_url cannot be fetched: %s\n", error.text);
        return false;
    }
    const char *note;
    size_t left_out = auth_jwks_left_out(keys, &note);
    (void)fprintf(report, "auth.jwks_url has %zu keys that can be used", auth_jwks_count(keys));
    if (left_out > 0)
        (void)fprintf(report, ", and %zu that cannot: %s", left_out, note);
    (void)fprintf(report, "\n");
    auth_jwks_release(keys);
    return true;
}
