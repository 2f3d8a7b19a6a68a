/* Key-value buckets against a real nats-server: compare-and-set with one winner, odd keys, and the
 * conventions that other NATS clients read. */
#include "tests/integration/fanout/house.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nats/nats.h>

typedef struct {
    fanout_house house;
    fanout_connection *connection;
    fanout_bucket *bucket;
    core_buffer value;
} scene;

static int scene_open(void **state) {
    core_error error = {0};
    scene *made = calloc(1, sizeof *made);
    assert_non_null(made);
    house_open(&made->house, NULL);
    made->connection =
        fanout_connection_new(made->house.config, "test", made->house.log, NULL, &error);
    assert_non_null(made->connection);
    made->bucket = fanout_bucket_new(made->connection, made->house.config, "state", &error);
    if (made->bucket == NULL)
        fail_msg("%s", error.text);
    core_buffer_init(&made->value, 1 << 20);
    *state = made;
    return 0;
}

static int scene_close(void **state) {
    scene *made = *state;
    core_buffer_fini(&made->value);
    fanout_bucket_free(made->bucket);
    fanout_connection_free(made->connection);
    house_close(&made->house);
    free(made);
    return 0;
}

static uint64_t must_set(scene *s, const char *key, const char *value, uint64_t expected) {
    core_error error = {0};
    uint64_t revision = 0;
    if (!fanout_bucket_set(s->bucket, key, core_slice_text(value), expected, &revision, &error))
        fail_msg("set %s: %s", key, error.text);
    return revision;
}

static uint64_t must_get(scene *s, const char *key, const char *expected) {
    core_error error = {0};
    uint64_t revision = 0;
    if (!fanout_bucket_get(s->bucket, key, &s->value, &revision, &error))
        fail_msg("get %s: %s", key, error.text);
    assert_true(core_slice_is(core_buffer_slice(&s->value), expected));
    return revision;
}

static void assert_conflict(scene *s, const char *key, uint64_t expected) {
    core_error error = {0};
    uint64_t revision = 0;
    assert_false(
        fanout_bucket_set(s->bucket, key, core_slice_text("late"), expected, &revision, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFLICT);
    assert_non_null(strstr(error.text, key));
}

static void test_compare_and_set(void **state) {
    scene *s = *state;
    assert_int_equal(must_get(s, "position", ""), 0);
    uint64_t first = must_set(s, "position", "one", 0);
    assert_int_equal(must_get(s, "position", "one"), first);
    assert_conflict(s, "position", 0);
    uint64_t second = must_set(s, "position", "two", first);
    assert_conflict(s, "position", first);
    assert_int_equal(must_get(s, "position", "two"), second);
}

static void test_deleted_key_can_be_made_again(void **state) {
    scene *s = *state;
    core_error error = {0};
    uint64_t first = must_set(s, "lease", "mine", 0);
    assert_true(fanout_bucket_delete(s->bucket, "lease", &error));
    assert_int_equal(must_get(s, "lease", ""), 0);
    assert_conflict(s, "lease", first);
    uint64_t again = must_set(s, "lease", "yours", 0);
    assert_int_equal(must_get(s, "lease", "yours"), again);
    assert_conflict(s, "lease", 0);
}

static void test_odd_keys_are_kept_apart(void **state) {
    static const char *const keys[] = {"",   "a.b", ".a",     "a.",    "a..b",        "a b",
                                       "a*", "a>",  "a=b",    "a=3Db", "caf\xc3\xa9", "%20",
                                       "=",  "==",  "\x01\n", "a/b",   "$KV.x",       ":"};
    scene *s = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(keys); i++)
        (void)must_set(s, keys[i], keys[i], 0);
    for (size_t i = 0; i < CORE_COUNT_OF(keys); i++)
        assert_int_not_equal(must_get(s, keys[i], keys[i]), 0);
}

static void test_overlong_key_is_refused(void **state) {
    scene *s = *state;
    core_error error = {0};
    uint64_t revision = 0;
    char key[2000];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_false(fanout_bucket_get(s->bucket, key, &s->value, &revision, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
}

/* What other NATS clients' key-value would see. */
static void test_other_clients_read_it(void **state) {
    scene *s = *state;
    natsConnection *nats = NULL;
    jsCtx *jetstream = NULL;
    kvStore *store = NULL;
    kvEntry *entry = NULL;
    core_error error = {0};
    uint64_t revision = must_set(s, "default.todos", "text", 0);
    assert_int_equal(natsConnection_ConnectTo(&nats, s->house.server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&jetstream, nats, NULL), NATS_OK);
    assert_int_equal(js_KeyValue(&store, jetstream, "WALCAST_state"), NATS_OK);
    assert_int_equal(kvStore_Get(&entry, store, "default.todos"), NATS_OK);
    assert_string_equal(kvEntry_ValueString(entry), "text");
    assert_int_equal(kvEntry_Revision(entry), revision);
    kvEntry_Destroy(entry);
    assert_true(fanout_bucket_delete(s->bucket, "default.todos", &error));
    assert_int_equal(kvStore_Get(&entry, store, "default.todos"), NATS_NOT_FOUND);
    kvStore_Destroy(store);
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(nats);
}

enum { WRITERS = 4, ROUNDS = 50 };

/* Each round every writer tries to move the counter from what it read; exactly one may. */
static void *count_up(void *argument) {
    scene *s = argument;
    core_error error = {0};
    core_buffer value;
    intptr_t won = 0;
    core_buffer_init(&value, 64);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t revision = 0, count = 0;
        char text[32];
        if (!fanout_bucket_get(s->bucket, "counter", &value, &revision, &error))
            abort();
        if (value.length > 0 && !core_slice_to_u64(core_buffer_slice(&value), &count))
            abort();
        core_slice next = house_number(text, count + 1);
        if (fanout_bucket_set(s->bucket, "counter", next, revision, &revision, &error))
            won++;
        else if (error.code != CORE_ERROR_CONFLICT)
            abort();
    }
    core_buffer_fini(&value);
    return (void *)won;
}

static void test_concurrent_writers_never_both_win(void **state) {
    scene *s = *state;
    pthread_t threads[WRITERS];
    uint64_t won = 0, counted = 0;
    core_error error = {0};
    uint64_t revision = 0;
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, s), 0);
    for (int i = 0; i < WRITERS; i++) {
        void *result = NULL;
        (void)pthread_join(threads[i], &result);
        won += (uint64_t)(intptr_t)result;
    }
    assert_true(fanout_bucket_get(s->bucket, "counter", &s->value, &revision, &error));
    assert_true(core_slice_to_u64(core_buffer_slice(&s->value), &counted));
    assert_int_equal(counted, won);
    assert_true(won >= ROUNDS);
}

static void test_survives_a_kill_and_opens_again(void **state) {
    scene *s = *state;
    core_error error = {0};
    (void)must_set(s, "kept", "value", 0);
    nats_server_restart(&s->house.server);
    fanout_connection *connection =
        fanout_connection_new(s->house.config, "again", s->house.log, NULL, &error);
    assert_non_null(connection);
    fanout_bucket *bucket = fanout_bucket_new(connection, s->house.config, "state", &error);
    assert_non_null(bucket);
    uint64_t revision = 0;
    assert_true(fanout_bucket_get(bucket, "kept", &s->value, &revision, &error));
    assert_true(core_slice_is(core_buffer_slice(&s->value), "value"));
    fanout_bucket_free(bucket);
    fanout_connection_free(connection);
}

static void test_foreign_stream_of_that_name_is_refused(void **state) {
    scene *s = *state;
    natsConnection *nats = NULL;
    jsCtx *jetstream = NULL;
    jsStreamConfig config;
    const char *subjects[] = {"elsewhere.>"};
    core_error error = {0};
    assert_int_equal(natsConnection_ConnectTo(&nats, s->house.server.url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&jetstream, nats, NULL), NATS_OK);
    (void)jsStreamConfig_Init(&config);
    config.Name = "KV_WALCAST_keys";
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    assert_int_equal(js_AddStream(NULL, jetstream, &config, NULL, NULL), NATS_OK);
    assert_null(fanout_bucket_new(s->connection, s->house.config, "keys", &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
    assert_non_null(strstr(error.text, "elsewhere.>"));
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(nats);
}

typedef struct {
    char seen[8][64];
    size_t count;
} key_list;

static bool key_take(void *context, const char *key) {
    key_list *list = context;
    if (list->count == 8)
        return false;
    (void)snprintf(list->seen[list->count++], sizeof list->seen[0], "%s", key);
    return true;
}

static bool key_refuse(void *context, const char *key) {
    (void)key;
    ++*(int *)context;
    return false;
}

static bool entry_take(void *context, const fanout_bucket_entry *entry, core_error *error) {
    key_list *list = context;
    if (list->count == 8)
        return core_error_set(error, CORE_ERROR_LIMIT, "enough");
    (void)snprintf(list->seen[list->count++], sizeof list->seen[0], "%s=%.*s", entry->key,
                   CORE_SLICE_ARGS(entry->value));
    return true;
}

static void test_values_are_walked_in_the_order_they_were_written(void **state) {
    scene *s = *state;
    core_error error = {0};
    key_list list = {0};
    assert_true(fanout_bucket_each(s->bucket, "key", entry_take, &list, &error));
    assert_int_equal(list.count, 0);
    uint64_t first = must_set(s, "key.a", "1", 0);
    (void)must_set(s, "key.gone", "2", 0);
    (void)must_set(s, "key.b", "3", 0);
    (void)must_set(s, "keys.b", "4", 0);
    (void)must_set(s, "key.a", "5", first);
    assert_true(fanout_bucket_delete(s->bucket, "key.gone", &error));
    assert_true(fanout_bucket_each(s->bucket, "key", entry_take, &list, &error));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.seen[0], "key.b=3");
    assert_string_equal(list.seen[1], "key.a=5");
    list.count = 8;
    assert_false(fanout_bucket_each(s->bucket, "key", entry_take, &list, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
}

static void test_keys_are_listed_by_their_first_tokens(void **state) {
    scene *s = *state;
    core_error error = {0};
    key_list list = {0};
    int asked = 0;
    assert_true(fanout_bucket_keys(s->bucket, "snapshot", key_take, &list, &error));
    assert_int_equal(list.count, 0);
    (void)must_set(s, "snapshot.a", "1", 0);
    (void)must_set(s, "snapshot.b.c", "2", 0);
    (void)must_set(s, "snapshots", "3", 0);
    (void)must_set(s, "position.a", "4", 0);
    assert_true(fanout_bucket_keys(s->bucket, "snapshot", key_take, &list, &error));
    assert_int_equal(list.count, 2);
    bool swapped = strcmp(list.seen[0], "snapshot.a") != 0;
    assert_string_equal(list.seen[swapped ? 1 : 0], "snapshot.a");
    assert_string_equal(list.seen[swapped ? 0 : 1], "snapshot.b.c");
    assert_false(fanout_bucket_keys(s->bucket, "snapshot", key_refuse, &asked, &error));
    assert_int_equal(asked, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_compare_and_set, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_deleted_key_can_be_made_again, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_odd_keys_are_kept_apart, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_overlong_key_is_refused, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_other_clients_read_it, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_values_are_walked_in_the_order_they_were_written,
                                        scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_keys_are_listed_by_their_first_tokens, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_concurrent_writers_never_both_win, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_survives_a_kill_and_opens_again, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_foreign_stream_of_that_name_is_refused, scene_open,
                                        scene_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
