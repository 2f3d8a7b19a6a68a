/* See keys.h.
 *
 * Happy path: the thread connects, and a watch of the bucket (fanout's, on a thread of its own)
 * writes the table. Each change that may end something wakes the thread, as does the moment at
 * which the next key ends; it then tells the listener, once for all that came meanwhile.
 *
 * Failure: no connection is tried again with backoff, for ever; afterwards connection and watch
 * keep themselves up. A record that cannot be read has no keys that count; a revocation that cannot
 * be read counts for ever. */
#include "auth/keys.h"
#include "auth/key_table.h"
#include "auth/mac.h"
#include "auth/revocation.h"
#include "fanout/fanout.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAGIC UINT32_C(0x6b657973)

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 5000,
    LOOK_EVERY_MS = 60 * 1000, /* at the wall clock, which somebody may set */
};

struct auth_keys {
    uint32_t magic;
    const core_config *config;
    const core_clock *clock;
    core_log *log;
    core_metrics *metrics;
    auth_key_table *table;
    fanout_connection *connection;
    fanout_bucket *bucket;
    fanout_watch *watch;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t wake;
    bool stopping;
    bool ended;              /* something may have ended: tell */
    pthread_mutex_t telling; /* held over the listener's call, and while it is changed */
    auth_ended listener;
    void *context;
};

static int64_t now_s(const auth_keys *keys) {
    return core_clock_wall_us(keys->clock) / CORE_US_PER_S;
}

static auth_keys *keys_of(void *context) {
    auth_keys *keys = context;
    CORE_MAGIC_CHECK(keys, KEYS_MAGIC);
    return keys;
}

static void keys_wake(auth_keys *keys) {
    (void)pthread_mutex_lock(&keys->mutex);
    keys->ended = true;
    (void)pthread_cond_signal(&keys->wake);
    (void)pthread_mutex_unlock(&keys->mutex);
}

/* ---- What the watch tells ---- */

static void record_take(auth_keys *keys, const fanout_bucket_entry *entry) {
    core_slice place = core_slice_text(entry->key);
    auth_key_record record;
    core_error error;
    if (entry->deleted) {
        auth_key_table_remove(keys->table, place);
    } else if (!auth_key_decode(entry->value, &record, &error)) {
        auth_key_table_remove(keys->table, place);
        CORE_LOG(keys->log, ERROR, "auth", "a record of API keys cannot be read: they do not count",
                 CORE_LOG_TEXT("at", entry->key), CORE_LOG_TEXT("reason", error.text));
    } else if (!auth_key_table_put(keys->table, place, &record)) {
        CORE_LOG(keys->log, ERROR, "auth", "no room for more API keys: this one does not count",
                 CORE_LOG_TEXT("name", record.name), CORE_LOG_NUMBER("max", AUTH_KEYS_MAX));
    }
}

static void revocation_take(auth_keys *keys, const fanout_bucket_entry *entry) {
    char memory[AUTH_CLAIM_MAX];
    core_buffer jti = core_buffer_over(memory, sizeof memory);
    if (!auth_revocation_jti(core_slice_text(entry->key), &jti))
        return; /* no token has it */
    if (entry->deleted)
        auth_key_table_unrevoke(keys->table, core_buffer_slice(&jti));
    else if (!auth_key_table_revoke(keys->table, core_buffer_slice(&jti),
                                    auth_revocation_until(entry->value), now_s(keys)))
        CORE_LOG(keys->log, ERROR, "auth",
                 "no room for more revoked tokens: tokens with a jti are not taken now",
                 CORE_LOG_NUMBER("max", AUTH_REVOCATIONS_MAX));
}

static bool begins_with(const char *key, const char *token) {
    size_t length = strlen(token);
    return strncmp(key, token, length) == 0 && key[length] == '.';
}

static void keys_begin(void *context) {
    auth_key_table_begin(keys_of(context)->table);
}

static void keys_entry(void *context, const fanout_bucket_entry *entry) {
    auth_keys *keys = keys_of(context);
    if (begins_with(entry->key, AUTH_KEY_TOKEN))
        record_take(keys, entry);
    else if (begins_with(entry->key, AUTH_REVOCATION_TOKEN))
        revocation_take(keys, entry);
    else
        return;
    keys_wake(keys);
}

static void keys_all(void *context) {
    auth_keys *keys = keys_of(context);
    auth_key_table_all(keys->table);
    keys_wake(keys);
}

/* ---- The thread ---- */

/* With the mutex held: until something ended, a time is over, or it is to stop. */
static bool keys_wait(auth_keys *keys, int64_t timeout_ms) {
    if (!keys->stopping && !keys->ended && timeout_ms > 0)
        (void)core_condition_wait(&keys->wake, &keys->mutex, timeout_ms);
    return !keys->stopping;
}

/* False: it is to stop. */
static bool keys_pause(auth_keys *keys, int64_t timeout_ms) {
    (void)pthread_mutex_lock(&keys->mutex);
    bool goes_on = keys_wait(keys, timeout_ms);
    (void)pthread_mutex_unlock(&keys->mutex);
    return goes_on;
}

static bool keys_connect(auth_keys *keys, core_error *error) {
    const fanout_watch_spec spec = {
        .on_begin = keys_begin, .on_entry = keys_entry, .on_all = keys_all, .context = keys};
    if (keys->connection == NULL)
        keys->connection =
            fanout_connection_new(keys->config, "walcast-keys", keys->log, keys->metrics, error);
    if (keys->connection != NULL && keys->bucket == NULL)
        keys->bucket = fanout_bucket_new(keys->connection, keys->config, "keys", error);
    if (keys->bucket != NULL && keys->watch == NULL)
        keys->watch = fanout_bucket_watch(keys->bucket, &spec, keys->log, error);
    return keys->watch != NULL;
}

/* Until there is a watch. False: it is to stop. */
static bool keys_connect_some_time(auth_keys *keys) {
    core_backoff backoff;
    core_error error = {.text = ""};
    core_backoff_init(&backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, (uint64_t)(uintptr_t)keys);
    while (!keys_connect(keys, &error)) {
        CORE_LOG(keys->log, WARN, "auth", "API keys and revocations cannot be read yet",
                 CORE_LOG_TEXT("reason", error.text));
        if (!keys_pause(keys, core_backoff_next_ms(&backoff)))
            return false;
    }
    return true;
}

static void listener_tell(auth_keys *keys) {
    (void)pthread_mutex_lock(&keys->telling);
    if (keys->listener != NULL)
        keys->listener(keys->context);
    (void)pthread_mutex_unlock(&keys->telling);
}

static void keys_measure(const auth_keys *keys) {
    size_t known, revoked;
    auth_key_table_counts(keys->table, &known, &revoked);
    core_metrics_set(keys->metrics, CORE_METRIC_AUTH_API_KEYS, (int64_t)known);
    core_metrics_set(keys->metrics, CORE_METRIC_AUTH_REVOKED_TOKENS, (int64_t)revoked);
}

/* How long until a key ends, or the clock is looked at. */
static int64_t end_wait_ms(const auth_keys *keys, int64_t next_end_s) {
    int64_t wait_ms = next_end_s * CORE_MS_PER_S - core_clock_wall_us(keys->clock) / CORE_US_PER_MS;
    if (wait_ms > LOOK_EVERY_MS)
        return LOOK_EVERY_MS;
    return wait_ms > 0 ? wait_ms : 0;
}

static void *keys_run(void *context) {
    auth_keys *keys = keys_of(context);
    (void)pthread_setname_np(pthread_self(), "walcast-keys");
    int64_t next_end_s = AUTH_NEVER_S;
    bool goes_on = keys_connect_some_time(keys);
    while (goes_on) {
        (void)pthread_mutex_lock(&keys->mutex);
        goes_on = keys_wait(keys, end_wait_ms(keys, next_end_s));
        bool ended = keys->ended || now_s(keys) >= next_end_s;
        keys->ended = false;
        (void)pthread_mutex_unlock(&keys->mutex);
        if (!ended || !goes_on)
            continue;
        listener_tell(keys);
        keys_measure(keys);
        next_end_s = auth_key_table_next_end(keys->table, now_s(keys));
    }
    return NULL;
}

/* ---- Life ---- */

auth_keys *auth_keys_new(const auth_verifier_spec *spec, core_error *error) {
    auth_keys *keys = calloc(1, sizeof *keys);
    auth_key_table *table = auth_key_table_new();
    if (keys == NULL || table == NULL) {
        free(keys);
        auth_key_table_free(table);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for API keys");
        return NULL;
    }
    keys->magic = KEYS_MAGIC;
    keys->config = spec->config;
    keys->clock = spec->clock;
    keys->log = spec->log;
    keys->metrics = spec->metrics;
    keys->table = table;
    (void)pthread_mutex_init(&keys->mutex, NULL);
    (void)pthread_mutex_init(&keys->telling, NULL);
    core_condition_init(&keys->wake);
    if (pthread_create(&keys->thread, NULL, keys_run, keys) == 0)
        return keys;
    auth_key_table_free(table);
    free(keys);
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "no thread for API keys");
    return NULL;
}

void auth_keys_free(auth_keys *keys) {
    if (keys == NULL)
        return;
    CORE_MAGIC_CHECK(keys, KEYS_MAGIC);
    (void)pthread_mutex_lock(&keys->mutex);
    keys->stopping = true;
    (void)pthread_cond_signal(&keys->wake);
    (void)pthread_mutex_unlock(&keys->mutex);
    (void)pthread_join(keys->thread, NULL);
    fanout_watch_free(keys->watch);
    fanout_bucket_free(keys->bucket);
    fanout_connection_free(keys->connection);
    auth_key_table_free(keys->table);
    (void)pthread_cond_destroy(&keys->wake);
    (void)pthread_mutex_destroy(&keys->telling);
    (void)pthread_mutex_destroy(&keys->mutex);
    keys->magic = 0;
    free(keys);
}

void auth_keys_listen(auth_keys *keys, auth_ended ended, void *context) {
    (void)pthread_mutex_lock(&keys->telling);
    keys->listener = ended;
    keys->context = context;
    (void)pthread_mutex_unlock(&keys->telling);
}

/* ---- Looking up ---- */

bool auth_keys_known(auth_keys *keys) {
    return auth_key_table_loaded(keys->table);
}

auth_verdict auth_keys_verify(auth_keys *keys, core_slice text, auth_claims *claims,
                              core_buffer *json) {
    char prefix[AUTH_KEY_PREFIX_MAX];
    uint8_t hash[AUTH_MAC_SIZE];
    if (!auth_key_read(text, prefix))
        return AUTH_KEY_MALFORMED;
    if (!auth_digest(text, hash))
        return AUTH_UNAVAILABLE;
    return auth_key_table_find(keys->table, prefix, hash, now_s(keys), claims, json);
}

auth_verdict auth_keys_recheck(auth_keys *keys, const auth_claims *claims) {
    if (claims->key != 0)
        return auth_key_table_stands(keys->table, claims->id, claims->key, now_s(keys));
    return claims->id[0] == '\0' ? AUTH_OK
                                 : auth_key_table_token(keys->table, claims->id, now_s(keys));
}
