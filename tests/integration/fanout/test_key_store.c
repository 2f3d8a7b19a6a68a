/* The bucket of keys as tools write it, against a real nats-server: unique names, administrators at
 * once, and what is removed when. */
#include "tests/integration/fanout/key_admin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADMINS = 4 };

typedef struct {
    fanout_house house;
    moved_clock clock;
    auth_key_store *store;
} scene;

static auth_verifier_spec verifier_spec(scene *s) {
    return (auth_verifier_spec){
        .config = s->house.config, .clock = &s->clock.clock, .log = s->house.log};
}

static int scene_open(void **state) {
    core_error error = {0};
    scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    house_open(&s->house, NULL);
    moved_clock_init(&s->clock);
    const auth_verifier_spec spec = verifier_spec(s);
    s->store = auth_key_store_new(&spec, &error);
    if (s->store == NULL)
        fail_msg("%s", error.text);
    *state = s;
    return 0;
}

static int scene_close(void **state) {
    scene *s = *state;
    auth_key_store_free(s->store);
    house_close(&s->house);
    free(s);
    return 0;
}

/* Whether one of the records' keys is this one, by its prefix. */
typedef struct {
    const char *key;
    bool found;
} key_search;

static void record_search(void *context, const auth_key_record *record, const char *problem) {
    key_search *search = context;
    assert_non_null(record);
    assert_string_equal(problem, "");
    for (size_t i = 0; i < record->secret_count; i++)
        search->found |= strncmp(search->key + 3, record->secrets[i].prefix, 8) == 0;
}

static bool is_kept(scene *s, const char *key) {
    key_search search = {.key = key};
    core_error error = {0};
    assert_true(auth_key_each(s->store, record_search, &search, &error));
    return search.found;
}

static void test_names_are_unique_in_their_place(void **state) {
    scene *s = *state;
    char key[AUTH_KEY_TEXT_MAX];
    auth_key_record wished = key_wish("ci", CORE_SCOPE_JOBS), made;
    core_error error = {0};
    key_create(s->store, &wished, AUTH_NEVER_S, key);
    assert_false(auth_key_create(s->store, &wished, AUTH_NEVER_S, key, &made, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFLICT);
    assert_non_null(strstr(error.text, "walcast keys rotate"));
    (void)snprintf(wished.environment, sizeof wished.environment, "prod");
    key_create(s->store, &wished, AUTH_NEVER_S, key);
    wished.scopes = 0;
    assert_false(auth_key_create(s->store, &wished, AUTH_NEVER_S, key, &made, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
    wished = key_wish("a b", CORE_SCOPE_JOBS);
    assert_false(auth_key_create(s->store, &wished, AUTH_NEVER_S, key, &made, &error));
    wished = key_wish("none", 0);
    assert_false(auth_key_revoke(s->store, &wished, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
}

typedef struct {
    scene *scene;
    char key[AUTH_KEY_TEXT_MAX];
} admin;

static void *admin_rotate(void *context) {
    admin *a = context;
    core_error error = {0};
    auth_key_record record = key_wish("ci", 0);
    const auth_verifier_spec spec = verifier_spec(a->scene);
    auth_key_store *store = auth_key_store_new(&spec, &error);
    if (store == NULL || !auth_key_rotate(store, &record, 3600, a->key, &error))
        abort();
    auth_key_store_free(store);
    return NULL;
}

/* None of their keys is lost. */
static void test_administrators_at_once_lose_nothing(void **state) {
    scene *s = *state;
    char key[AUTH_KEY_TEXT_MAX];
    admin admins[ADMINS];
    pthread_t threads[ADMINS];
    key_create_named(s->store, "ci", CORE_SCOPE_TRIGGERS, key);
    for (int i = 0; i < ADMINS; i++) {
        admins[i] = (admin){.scene = s};
        assert_int_equal(pthread_create(&threads[i], NULL, admin_rotate, &admins[i]), 0);
    }
    for (int i = 0; i < ADMINS; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < ADMINS; i++)
        assert_true(is_kept(s, admins[i].key));
    assert_true(is_kept(s, key));
}

typedef struct {
    scene *scene;
    bool made;
    bool conflict;
} creator;

static void *admin_create(void *context) {
    creator *c = context;
    core_error error = {0};
    char key[AUTH_KEY_TEXT_MAX];
    auth_key_record wished = key_wish("same", CORE_SCOPE_JOBS), made;
    const auth_verifier_spec spec = verifier_spec(c->scene);
    auth_key_store *store = auth_key_store_new(&spec, &error);
    if (store == NULL)
        abort();
    c->made = auth_key_create(store, &wished, AUTH_NEVER_S, key, &made, &error);
    c->conflict = error.code == CORE_ERROR_CONFLICT;
    auth_key_store_free(store);
    return NULL;
}

static void test_of_those_that_create_a_name_at_once_one_does(void **state) {
    scene *s = *state;
    creator creators[ADMINS];
    pthread_t threads[ADMINS];
    unsigned made = 0;
    for (int i = 0; i < ADMINS; i++) {
        creators[i] = (creator){.scene = s};
        assert_int_equal(pthread_create(&threads[i], NULL, admin_create, &creators[i]), 0);
    }
    for (int i = 0; i < ADMINS; i++) {
        (void)pthread_join(threads[i], NULL);
        made += creators[i].made ? 1 : 0;
        assert_true(creators[i].made != creators[i].conflict);
    }
    assert_int_equal(made, 1);
}

static void test_a_name_has_few_secrets_at_once(void **state) {
    scene *s = *state;
    char key[AUTH_KEY_TEXT_MAX];
    auth_key_record record = key_wish("ci", 0);
    core_error error = {0};
    key_create_named(s->store, "ci", CORE_SCOPE_TRIGGERS, key);
    for (int i = 1; i < AUTH_KEY_SECRETS_MAX; i++)
        assert_true(auth_key_rotate(s->store, &record, 60, key, &error));
    assert_false(auth_key_rotate(s->store, &record, 60, key, &error));
    assert_int_equal(error.code, CORE_ERROR_LIMIT);
    moved_clock_pass(&s->clock, 61);
    assert_true(auth_key_rotate(s->store, &record, 60, key, &error));
    assert_int_equal(record.secret_count, AUTH_KEY_SECRETS_MAX);
    assert_true(is_kept(s, key));
}

static void record_count(void *context, const auth_key_record *record, const char *problem) {
    assert_non_null(record);
    assert_string_equal(problem, "");
    ++*(size_t *)context;
}

static size_t records(scene *s) {
    size_t count = 0;
    core_error error = {0};
    assert_true(auth_key_each(s->store, record_count, &count, &error));
    return count;
}

/* What has ended is shown for a month, and no longer. */
static void test_what_has_ended_is_removed_by_who_writes(void **state) {
    scene *s = *state;
    char key[AUTH_KEY_TEXT_MAX];
    auth_key_record old = key_wish("old", CORE_SCOPE_JOBS);
    core_error error = {0};
    fanout_stream_info info;
    key_create(s->store, &old, AUTH_NEVER_S, key);
    assert_true(auth_key_revoke(s->store, &old, &error));
    assert_true(auth_token_revoke(s->store, "t1", moved_clock_s(&s->clock) + 60, &error));
    key_create_named(s->store, "new", CORE_SCOPE_JOBS, key);
    assert_int_equal(records(s), 2);
    moved_clock_pass(&s->clock, INT64_C(31) * 24 * 3600);
    key_create_named(s->store, "newer", CORE_SCOPE_JOBS, key);
    assert_int_equal(records(s), 2);
    fanout_connection *connection =
        fanout_connection_new(s->house.config, "look", s->house.log, NULL, &error);
    assert_non_null(connection);
    assert_true(fanout_stream_inspect(connection, "KV_WALCAST_keys", &info, &error));
    assert_int_equal(info.messages, 2); /* the revocation, too, left nothing */
    fanout_connection_free(connection);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_names_are_unique_in_their_place),
        STORE_TEST(test_administrators_at_once_lose_nothing),
        STORE_TEST(test_of_those_that_create_a_name_at_once_one_does),
        STORE_TEST(test_a_name_has_few_secrets_at_once),
        STORE_TEST(test_what_has_ended_is_removed_by_who_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
