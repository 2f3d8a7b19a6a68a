/* Watching a bucket against a real nats-server: present values first, then changes, through kills,
 * stand-stills and buckets that are made anew. */
#include "tests/integration/fanout/house.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nats/nats.h>

enum { PATIENCE_MS = 30000, KEYS_MAX = 512, NAME_MAX_BYTES = 64 };

typedef struct {
    char key[NAME_MAX_BYTES];
    char value[NAME_MAX_BYTES];
    uint64_t revision;
    unsigned round; /* of the `on_begin` that it was told after */
} seen_key;

/* What a watch told: the bucket as its owner would hold it. */
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    seen_key keys[KEYS_MAX];
    size_t count;
    unsigned begun, all, deletes;
    bool wrong;
} mirror;

typedef struct {
    fanout_house house;
    fanout_connection *connection;
    fanout_bucket *bucket;
    mirror mirror;
} scene;

static seen_key *mirror_find(mirror *m, const char *key) {
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->keys[i].key, key) == 0)
            return &m->keys[i];
    return NULL;
}

static void mirror_begin(void *context) {
    mirror *m = context;
    (void)pthread_mutex_lock(&m->mutex);
    m->wrong |= m->begun != m->all;
    m->begun++;
    (void)pthread_cond_signal(&m->changed);
    (void)pthread_mutex_unlock(&m->mutex);
}

static void mirror_entry(void *context, const fanout_bucket_entry *entry) {
    mirror *m = context;
    (void)pthread_mutex_lock(&m->mutex);
    seen_key *known = mirror_find(m, entry->key);
    if (entry->deleted) {
        m->deletes++;
        m->wrong |= entry->value.length > 0;
        if (known != NULL)
            *known = m->keys[--m->count];
    } else {
        known = known != NULL ? known : &m->keys[m->count++];
        m->wrong |= known->round == m->begun && known->revision >= entry->revision;
        (void)snprintf(known->key, sizeof known->key, "%s", entry->key);
        known->revision = entry->revision;
        known->round = m->begun;
        if (!core_slice_to_text(entry->value, known->value, sizeof known->value))
            m->wrong = true;
    }
    (void)pthread_cond_signal(&m->changed);
    (void)pthread_mutex_unlock(&m->mutex);
}

/* What was not told again is gone. */
static void mirror_all(void *context) {
    mirror *m = context;
    (void)pthread_mutex_lock(&m->mutex);
    m->all++;
    m->wrong |= m->begun != m->all;
    for (size_t i = 0; i < m->count;)
        if (m->keys[i].round != m->begun)
            m->keys[i] = m->keys[--m->count];
        else
            i++;
    (void)pthread_cond_signal(&m->changed);
    (void)pthread_mutex_unlock(&m->mutex);
}

static fanout_watch *scene_watch(scene *s, const char *tokens) {
    const fanout_watch_spec spec = {.tokens = tokens,
                                    .on_begin = mirror_begin,
                                    .on_entry = mirror_entry,
                                    .on_all = mirror_all,
                                    .context = &s->mirror};
    core_error error = {0};
    fanout_watch *watch = fanout_bucket_watch(s->bucket, &spec, s->house.log, &error);
    if (watch == NULL)
        fail_msg("%s", error.text);
    return watch;
}

static int scene_open(void **state) {
    core_error error = {0};
    scene *made = calloc(1, sizeof *made);
    assert_non_null(made);
    (void)pthread_mutex_init(&made->mirror.mutex, NULL);
    (void)pthread_cond_init(&made->mirror.changed, NULL);
    house_open(&made->house, NULL);
    made->connection =
        fanout_connection_new(made->house.config, "test", made->house.log, NULL, &error);
    assert_non_null(made->connection);
    made->bucket = fanout_bucket_new(made->connection, made->house.config, "keys", &error);
    if (made->bucket == NULL)
        fail_msg("%s", error.text);
    *state = made;
    return 0;
}

static int scene_close(void **state) {
    scene *made = *state;
    fanout_bucket_free(made->bucket);
    fanout_connection_free(made->connection);
    house_close(&made->house);
    (void)pthread_cond_destroy(&made->mirror.changed);
    (void)pthread_mutex_destroy(&made->mirror.mutex);
    free(made);
    return 0;
}

/* Whatever is there. */
static void put(scene *s, const char *key, const char *value) {
    core_error error = {0};
    core_buffer before;
    uint64_t revision = 0;
    core_buffer_init(&before, 4096);
    bool ok =
        fanout_bucket_get(s->bucket, key, &before, &revision, &error) &&
        fanout_bucket_set(s->bucket, key, core_slice_text(value), revision, &revision, &error);
    core_buffer_fini(&before);
    if (!ok)
        fail_msg("put %s: %s", key, error.text);
}

static bool mirror_is(mirror *m, const char *key, const char *value, size_t count,
                      unsigned rounds) {
    const seen_key *known = mirror_find(m, key);
    bool same = value == NULL ? known == NULL : known && strcmp(known->value, value) == 0;
    return m->count == count && m->all >= rounds && same;
}

/* Until the mirror holds so many keys and this one with that value (NULL: not at all), `rounds`
 * times told from the beginning. */
static void await(scene *s, const char *key, const char *value, size_t count, unsigned rounds) {
    mirror *m = &s->mirror;
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / CORE_MS_PER_S;
    bool in_time = true;
    (void)pthread_mutex_lock(&m->mutex);
    while (in_time && !m->wrong && !mirror_is(m, key, value, count, rounds))
        in_time = pthread_cond_timedwait(&m->changed, &m->mutex, &until) == 0;
    size_t now = m->count;
    bool wrong = m->wrong;
    (void)pthread_mutex_unlock(&m->mutex);
    assert_false(wrong);
    if (!in_time)
        fail_msg("%s is not '%s' among %zu keys: %zu are there", key, value, count, now);
}

static void test_an_empty_bucket_is_told_at_once(void **state) {
    scene *s = *state;
    fanout_watch *watch = scene_watch(s, NULL);
    await(s, "a", NULL, 0, 1);
    put(s, "a", "1");
    await(s, "a", "1", 1, 1);
    fanout_watch_free(watch);
    assert_int_equal(s->mirror.all, 1);
}

static void test_present_values_come_first_then_changes(void **state) {
    scene *s = *state;
    core_error error = {0};
    char key[32];
    for (int i = 0; i < 400; i++) {
        (void)snprintf(key, sizeof key, "key.%d", i);
        put(s, key, "old");
    }
    put(s, "key.0", "new");
    put(s, "odd key", "x");
    put(s, "gone", "x");
    assert_true(fanout_bucket_delete(s->bucket, "gone", &error));
    fanout_watch *watch = scene_watch(s, NULL);
    await(s, "key.0", "new", 401, 1);
    await(s, "odd=20key", "x", 401, 1);
    put(s, "key.1", "newer");
    await(s, "key.1", "newer", 401, 1);
    assert_true(fanout_bucket_delete(s->bucket, "key.1", &error));
    await(s, "key.1", NULL, 400, 1);
    put(s, "key.1", "again");
    await(s, "key.1", "again", 401, 1);
    fanout_watch_free(watch);
    assert_int_equal(s->mirror.deletes, 2);
    put(s, "key.1", "unheard");
    assert_string_equal(mirror_find(&s->mirror, "key.1")->value, "again");
}

static void test_only_keys_of_the_tokens_are_told(void **state) {
    scene *s = *state;
    put(s, "revoked.a", "1");
    put(s, "key.a", "1");
    put(s, "revokedness", "1");
    fanout_watch *watch = scene_watch(s, "revoked");
    await(s, "revoked.a", "1", 1, 1);
    put(s, "key.b", "1");
    put(s, "revoked.b", "2");
    await(s, "revoked.b", "2", 2, 1);
    fanout_watch_free(watch);
}

static void test_it_goes_on_when_the_server_comes_back(void **state) {
    scene *s = *state;
    put(s, "a", "1");
    put(s, "b", "1");
    fanout_watch *watch = scene_watch(s, NULL);
    await(s, "b", "1", 2, 1);
    nats_server_kill(&s->house.server);
    nats_server_restart(&s->house.server);
    await(s, "b", "1", 2, 2);
    put(s, "b", "2");
    await(s, "b", "2", 2, 2);
    fanout_watch_free(watch);
}

/* Deleted by an administrator: all keys go, and new ones are heard of. */
static void test_a_bucket_that_is_gone_is_made_anew(void **state) {
    scene *s = *state;
    natsConnection *nats = NULL;
    jsCtx *jetstream = NULL;
    assert_int_equal(natsConnection_ConnectTo(&nats, s->house.server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&jetstream, nats, NULL), NATS_OK);
    put(s, "a", "1");
    fanout_watch *watch = scene_watch(s, NULL);
    await(s, "a", "1", 1, 1);
    assert_int_equal(js_DeleteStream(jetstream, "KV_WALCAST_keys", NULL, NULL), NATS_OK);
    await(s, "a", NULL, 0, 2);
    put(s, "c", "1");
    await(s, "c", "1", 1, 2);
    fanout_watch_free(watch);
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(nats);
}

static void test_what_is_erased_leaves_no_marker(void **state) {
    scene *s = *state;
    core_error error = {0};
    fanout_stream_info info;
    core_buffer value;
    uint64_t revision = 0;
    core_buffer_init(&value, 64);
    put(s, "old", "1");
    assert_true(fanout_bucket_get(s->bucket, "old", &value, &revision, &error));
    put(s, "kept", "1");
    put(s, "rewritten", "1");
    assert_true(fanout_bucket_erase(s->bucket, "old", revision, &error));
    assert_true(fanout_bucket_get(s->bucket, "rewritten", &value, &revision, &error));
    put(s, "rewritten", "2");
    assert_true(fanout_bucket_erase(s->bucket, "rewritten", revision, &error));
    assert_true(fanout_stream_inspect(s->connection, "KV_WALCAST_keys", &info, &error));
    assert_int_equal(info.messages, 2);
    fanout_watch *watch = scene_watch(s, NULL);
    await(s, "rewritten", "2", 2, 1);
    fanout_watch_free(watch);
    core_buffer_fini(&value);
}

static void test_it_ends_while_the_server_stands_still(void **state) {
    scene *s = *state;
    put(s, "a", "1");
    fanout_watch *watch = scene_watch(s, NULL);
    await(s, "a", "1", 1, 1);
    nats_server_pause(&s->house.server);
    int64_t begun = house_now_ms();
    fanout_watch_free(watch);
    assert_true(house_now_ms() - begun < 5000);
    nats_server_resume(&s->house.server);
    watch = scene_watch(s, NULL);
    fanout_watch_free(watch); /* before it has begun, perhaps */
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WATCH_TEST(test_an_empty_bucket_is_told_at_once),
        WATCH_TEST(test_present_values_come_first_then_changes),
        WATCH_TEST(test_only_keys_of_the_tokens_are_told),
        WATCH_TEST(test_it_goes_on_when_the_server_comes_back),
        WATCH_TEST(test_a_bucket_that_is_gone_is_made_anew),
        WATCH_TEST(test_what_is_erased_leaves_no_marker),
        WATCH_TEST(test_it_ends_while_the_server_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
