/* What a process knows of keys and revoked tokens: looked up while it changes, bounded, and closed
 * wherever it cannot know. */
#include "auth/key_table.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_S INT64_C(1800000000)

static int table_make(void **state) {
    *state = auth_key_table_new();
    return *state == NULL;
}

static int table_free(void **state) {
    auth_key_table_free(*state);
    return 0;
}

static auth_key_record record_of(const char *name) {
    char text[AUTH_KEY_TEXT_MAX];
    auth_key_record record = {.project = "shop",
                              .environment = "dev",
                              .role = "anon",
                              .subject = "bot",
                              .scopes = CORE_SCOPE_SUBSCRIBE,
                              .secret_count = 1};
    (void)snprintf(record.name, sizeof record.name, "%s", name);
    record.secrets[0] = (auth_key_secret){.created_s = NOW_S, .expires_s = AUTH_NEVER_S};
    assert_true(auth_key_make(text, &record.secrets[0], NULL));
    return record;
}

static void put(auth_key_table *table, const auth_key_record *record) {
    assert_true(auth_key_table_put(table, core_slice_text(record->name), record));
}

static auth_verdict find(auth_key_table *table, const auth_key_secret *secret, int64_t at_s) {
    auth_claims claims;
    return auth_key_table_find(table, secret->prefix, secret->hash, at_s, &claims, NULL);
}

static void nothing_is_known_before_all_was_told(void **state) {
    auth_key_table *table = *state;
    auth_key_record record = record_of("ci");
    auth_key_table_begin(table);
    put(table, &record);
    assert_true(auth_key_table_revoke(table, core_slice_text("bad"), NOW_S + 60, NOW_S));
    assert_int_equal(find(table, &record.secrets[0], NOW_S), AUTH_UNAVAILABLE);
    assert_int_equal(auth_key_table_token(table, "good", NOW_S), AUTH_UNAVAILABLE);
    assert_int_equal(auth_key_table_token(table, "bad", NOW_S), AUTH_REVOKED);
    assert_false(auth_key_table_loaded(table));
    auth_key_table_all(table);
    assert_true(auth_key_table_loaded(table));
    assert_int_equal(find(table, &record.secrets[0], NOW_S), AUTH_OK);
    assert_int_equal(auth_key_table_token(table, "good", NOW_S), AUTH_OK);
    assert_int_equal(auth_key_table_token(table, "bad", NOW_S), AUTH_REVOKED);
    assert_int_equal(auth_key_table_token(table, "bad", NOW_S + 60), AUTH_OK);
}

static void a_key_is_who_its_record_says(void **state) {
    auth_key_table *table = *state;
    auth_key_record record = record_of("ci"), other = record_of("other");
    const auth_key_secret *secret = &record.secrets[0];
    auth_claims claims, again;
    core_buffer json;
    core_buffer_init(&json, AUTH_TOKEN_MAX);
    auth_key_table_all(table);
    put(table, &record);
    put(table, &other);
    assert_int_equal(
        auth_key_table_find(table, secret->prefix, secret->hash, NOW_S, &claims, &json), AUTH_OK);
    assert_string_equal(claims.role, "anon");
    assert_string_equal(claims.subject, "bot");
    assert_string_equal(claims.project, "shop");
    assert_string_equal(claims.environment, "dev");
    assert_string_equal(claims.id, secret->prefix);
    assert_int_equal(claims.scopes, CORE_SCOPE_SUBSCRIBE);
    assert_true(claims.expires_s == AUTH_NEVER_S);
    assert_true(core_slice_is(core_buffer_slice(&json),
                              "{\"role\":\"anon\",\"sub\":\"bot\",\"project_id\":\"shop\","
                              "\"environment_id\":\"dev\"}"));
    /* Another key that says the same of itself: policies answer both alike. */
    assert_int_equal(auth_key_table_find(table, other.secrets[0].prefix, other.secrets[0].hash,
                                         NOW_S, &again, NULL),
                     AUTH_OK);
    assert_true(again.claims_hash == claims.claims_hash);
    assert_true(again.key != claims.key);
    core_buffer_fini(&json);
}

static void another_secret_of_the_prefix_is_unknown(void **state) {
    auth_key_table *table = *state;
    auth_key_record record = record_of("ci"), twin = record_of("twin");
    auth_key_table_all(table);
    put(table, &record);
    memcpy(twin.secrets[0].prefix, record.secrets[0].prefix, AUTH_KEY_PREFIX_MAX);
    assert_int_equal(find(table, &twin.secrets[0], NOW_S), AUTH_KEY_UNKNOWN);
    put(table, &twin); /* both are found, each as itself */
    assert_int_equal(find(table, &twin.secrets[0], NOW_S), AUTH_OK);
    assert_int_equal(find(table, &record.secrets[0], NOW_S), AUTH_OK);
    auth_key_table_remove(table, core_slice_text("twin"));
    assert_int_equal(find(table, &twin.secrets[0], NOW_S), AUTH_KEY_UNKNOWN);
    assert_int_equal(find(table, &record.secrets[0], NOW_S), AUTH_OK);
}

static void keys_end_by_time_change_and_absence(void **state) {
    auth_key_table *table = *state;
    auth_key_record record = record_of("ci");
    auth_claims claims;
    const auth_key_secret secret = record.secrets[0];
    auth_key_table_all(table);
    put(table, &record);
    assert_int_equal(auth_key_table_find(table, secret.prefix, secret.hash, NOW_S, &claims, NULL),
                     AUTH_OK);
    assert_int_equal(auth_key_table_stands(table, claims.id, claims.key, NOW_S), AUTH_OK);
    assert_true(auth_key_table_next_end(table, NOW_S) == AUTH_NEVER_S);
    record.secrets[0].expires_s = NOW_S + 60;
    put(table, &record);
    assert_true(auth_key_table_next_end(table, NOW_S) == NOW_S + 60);
    assert_true(auth_key_table_next_end(table, NOW_S + 60) == AUTH_NEVER_S);
    assert_int_equal(auth_key_table_stands(table, claims.id, claims.key, NOW_S + 59), AUTH_OK);
    assert_int_equal(auth_key_table_stands(table, claims.id, claims.key, NOW_S + 60),
                     AUTH_KEY_EXPIRED);
    record.secrets[0].revoked_s = NOW_S;
    put(table, &record);
    assert_int_equal(auth_key_table_stands(table, claims.id, claims.key, NOW_S), AUTH_REVOKED);
    assert_int_equal(find(table, &secret, NOW_S), AUTH_REVOKED);
    auth_key_table_remove(table, core_slice_text("ci"));
    assert_int_equal(auth_key_table_stands(table, claims.id, claims.key, NOW_S), AUTH_KEY_UNKNOWN);
}

static void what_is_not_told_again_goes(void **state) {
    auth_key_table *table = *state;
    auth_key_record kept = record_of("kept"), gone = record_of("gone");
    auth_key_table_begin(table);
    put(table, &kept);
    put(table, &gone);
    assert_true(auth_key_table_revoke(table, core_slice_text("kept"), NOW_S + 60, NOW_S));
    assert_true(auth_key_table_revoke(table, core_slice_text("gone"), NOW_S + 60, NOW_S));
    auth_key_table_all(table);
    auth_key_table_begin(table);
    put(table, &kept);
    assert_true(auth_key_table_revoke(table, core_slice_text("kept"), NOW_S + 60, NOW_S));
    assert_int_equal(find(table, &gone.secrets[0], NOW_S), AUTH_OK); /* until all was told */
    auth_key_table_all(table);
    assert_int_equal(find(table, &kept.secrets[0], NOW_S), AUTH_OK);
    assert_int_equal(find(table, &gone.secrets[0], NOW_S), AUTH_KEY_UNKNOWN);
    assert_int_equal(auth_key_table_token(table, "kept", NOW_S), AUTH_REVOKED);
    assert_int_equal(auth_key_table_token(table, "gone", NOW_S), AUTH_OK);
}

static void keys_beyond_the_limit_do_not_count(void **state) {
    auth_key_table *table = *state;
    auth_key_record record = record_of("first"), last = record_of("last");
    char name[32];
    auth_key_table_all(table);
    put(table, &record);
    for (int i = 1; i < AUTH_KEYS_MAX; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        (void)snprintf(record.secrets[0].prefix, AUTH_KEY_PREFIX_MAX, "%08d", i);
        assert_true(auth_key_table_put(table, core_slice_text(name), &record));
    }
    assert_false(auth_key_table_put(table, core_slice_text("last"), &last));
    assert_int_equal(find(table, &last.secrets[0], NOW_S), AUTH_KEY_UNKNOWN);
    auth_key_table_remove(table, core_slice_text("n1"));
    put(table, &last);
    assert_int_equal(find(table, &last.secrets[0], NOW_S), AUTH_OK);
}

/* Which tokens are not revoked is not known then: none with a jti is taken. */
static void revocations_beyond_the_limit_close(void **state) {
    auth_key_table *table = *state;
    char jti[32];
    auth_key_table_begin(table);
    for (int i = 0; i < AUTH_REVOCATIONS_MAX; i++) {
        int length = snprintf(jti, sizeof jti, "t%d", i);
        assert_true(
            auth_key_table_revoke(table, core_slice_make(jti, (size_t)length), NOW_S + 60, NOW_S));
    }
    auth_key_table_all(table);
    assert_int_equal(auth_key_table_token(table, "good", NOW_S), AUTH_OK);
    assert_false(auth_key_table_revoke(table, core_slice_text("more"), NOW_S + 60, NOW_S));
    assert_int_equal(auth_key_table_token(table, "good", NOW_S), AUTH_UNAVAILABLE);
    assert_int_equal(auth_key_table_token(table, "t0", NOW_S), AUTH_REVOKED);
    /* Those that have ended make room. */
    assert_true(auth_key_table_revoke(table, core_slice_text("more"), NOW_S + 99, NOW_S + 61));
    auth_key_table_begin(table);
    assert_true(auth_key_table_revoke(table, core_slice_text("more"), NOW_S + 99, NOW_S + 61));
    auth_key_table_all(table);
    assert_int_equal(auth_key_table_token(table, "good", NOW_S + 61), AUTH_OK);
    assert_int_equal(auth_key_table_token(table, "more", NOW_S + 61), AUTH_REVOKED);
    auth_key_table_unrevoke(table, core_slice_text("more"));
    assert_int_equal(auth_key_table_token(table, "more", NOW_S + 61), AUTH_OK);
}

typedef struct {
    auth_key_table *table;
    auth_key_record record;
    atomic_bool done;
    bool wrong;
} contest;

static void *look_up(void *context) {
    contest *c = context;
    while (!atomic_load(&c->done)) {
        auth_claims claims;
        auth_verdict verdict = auth_key_table_find(c->table, c->record.secrets[0].prefix,
                                                   c->record.secrets[0].hash, NOW_S, &claims, NULL);
        c->wrong |= verdict != AUTH_OK && verdict != AUTH_KEY_UNKNOWN;
        c->wrong |= verdict == AUTH_OK && strcmp(claims.role, "anon") != 0;
        c->wrong |= auth_key_table_token(c->table, "x", NOW_S) == AUTH_UNAVAILABLE;
    }
    return NULL;
}

static void it_may_be_looked_into_while_it_changes(void **state) {
    contest c = {.table = *state, .record = record_of("ci")};
    pthread_t thread;
    auth_key_table_all(c.table);
    assert_int_equal(pthread_create(&thread, NULL, look_up, &c), 0);
    for (int i = 0; i < 3000; i++) {
        put(c.table, &c.record);
        assert_true(auth_key_table_revoke(c.table, core_slice_text("x"), NOW_S + 60, NOW_S));
        auth_key_table_remove(c.table, core_slice_text("ci"));
        auth_key_table_unrevoke(c.table, core_slice_text("x"));
    }
    atomic_store(&c.done, true);
    (void)pthread_join(thread, NULL);
    assert_false(c.wrong);
}

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, table_make, table_free)

int main(void) {
    const struct CMUnitTest tests[] = {
        TABLE_TEST(nothing_is_known_before_all_was_told),
        TABLE_TEST(a_key_is_who_its_record_says),
        TABLE_TEST(another_secret_of_the_prefix_is_unknown),
        TABLE_TEST(keys_end_by_time_change_and_absence),
        TABLE_TEST(what_is_not_told_again_goes),
        TABLE_TEST(keys_beyond_the_limit_do_not_count),
        TABLE_TEST(revocations_beyond_the_limit_close),
        TABLE_TEST(it_may_be_looked_into_while_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
