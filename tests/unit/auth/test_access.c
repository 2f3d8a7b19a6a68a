/* Access without a database: what is refused before anybody is asked, and what is said while nobody
 * can be. With one: tests/integration/access_*.test.mjs. */
#include "auth/auth.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WAIT_MS = 30000, LONGEST = 63 };

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t said;
    unsigned changes; /* of anon */
    unsigned strangers;
    unsigned answers;
    auth_channel_rights rights;
} listener;

typedef struct {
    core_config *config;
    pg_pool *pool;
    auth_access *access;
    listener heard;
} fixture;

/* On access' own thread, where an assertion would end the process without a word. The role of the
 * longest name is told of too, where the thread gets to it before it is given back. */
static void changed(void *context, const char *role, uint64_t generation) {
    listener *heard = context;
    bool is_anon = strcmp(role, "anon") == 0;
    (void)generation;
    (void)pthread_mutex_lock(&heard->mutex);
    heard->changes += is_anon ? 1 : 0;
    heard->strangers += !is_anon && strspn(role, "r") != LONGEST ? 1 : 0;
    (void)pthread_cond_signal(&heard->said);
    (void)pthread_mutex_unlock(&heard->mutex);
}

static void answered(void *context, const auth_channel_rights *rights) {
    listener *heard = context;
    (void)pthread_mutex_lock(&heard->mutex);
    heard->answers++;
    heard->rights = *rights;
    (void)pthread_cond_signal(&heard->said);
    (void)pthread_mutex_unlock(&heard->mutex);
}

static void await(listener *heard, const unsigned *count, unsigned wanted) {
    (void)pthread_mutex_lock(&heard->mutex);
    while (*count < wanted && core_condition_wait(&heard->said, &heard->mutex, WAIT_MS))
        continue;
    (void)pthread_mutex_unlock(&heard->mutex);
    assert_true(*count >= wanted);
}

static int fixture_new(void **state) {
    static fixture made;
    core_error error = {.code = CORE_ERROR_NONE};
    made.heard = (listener){.changes = 0};
    (void)pthread_mutex_init(&made.heard.mutex, NULL);
    core_condition_init(&made.heard.said);
    /* Port 1 is nobody's. */
    setenv("WALCAST_POSTGRES_URL", "postgres://x:s3cret@127.0.0.1:1/x", 1);
    made.config = core_config_load("/dev/null", stderr);
    made.pool = pg_pool_new(made.config, "test", NULL, NULL, &error);
    const auth_access_spec spec = {
        .config = made.config, .pool = made.pool, .changed = changed, .context = &made.heard};
    made.access = auth_access_new(&spec, &error);
    *state = &made;
    return made.pool == NULL || made.access == NULL;
}

static int fixture_free(void **state) {
    fixture *made = *state;
    pg_pool_stop(made->pool);
    auth_access_free(made->access);
    pg_pool_free(made->pool);
    core_config_free(made->config);
    return 0;
}

static auth_access_verdict role_verdict(auth_role *role, auth_table_decision *decision) {
    auth_role_table(role, core_slice_text("public"), core_slice_text("todos"), 0, decision);
    auth_table_decision_fini(decision);
    return decision->verdict;
}

static void a_role_nobody_can_ask_about_is_unavailable_and_its_holder_is_told(void **state) {
    fixture *made = *state;
    core_error error = {.code = CORE_ERROR_NONE};
    auth_table_decision decision;
    auth_role *role = auth_access_role(made->access, "anon", &error);
    assert_non_null(role);
    if (role_verdict(role, &decision) == AUTH_ACCESS_PENDING)
        await(&made->heard, &made->heard.changes, 1);
    assert_int_equal(role_verdict(role, &decision), AUTH_ACCESS_UNAVAILABLE);
    assert_null(decision.table);
    assert_non_null(strstr(decision.reason, "try again later"));
    assert_null(strstr(decision.reason, "s3cret"));
    auth_role_decision(role, &decision);
    assert_int_equal(decision.verdict, AUTH_ACCESS_UNAVAILABLE);
    auth_role_release(role);
}

static void names_that_no_role_has_are_refused(void **state) {
    fixture *made = *state;
    char name[LONGEST + 2];
    memset(name, 'r', sizeof name - 1);
    name[LONGEST + 1] = '\0';
    static const char *const names[] = {"", NULL};
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++) {
        core_error error = {.code = CORE_ERROR_NONE};
        assert_null(auth_access_role(made->access, names[i] != NULL ? names[i] : name, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
    }
    core_error error = {.code = CORE_ERROR_NONE};
    auth_role *longest = auth_access_role(made->access, name + 1, &error);
    assert_non_null(longest);
    auth_role_release(longest);
}

static bool check_at_once(fixture *made, auth_channel_question question,
                          auth_channel_rights *rights) {
    question.claims_hash = 1;
    question.subject = "";
    return auth_channel_check(made->access, &question, rights, answered, &made->heard);
}

static void questions_that_cannot_be_asked_are_refused_at_once(void **state) {
    fixture *made = *state;
    static uint8_t many[AUTH_TOKEN_MAX + 1];
    char role[65];
    memset(role, 'r', sizeof role - 1);
    role[64] = '\0';
    memset(many, 'x', sizeof many);
    const core_slice topic = core_slice_text("room");
    const auth_channel_question cases[] = {
        {.role = "anon", .topic = core_slice_text("")},
        {.role = "anon", .topic = core_slice_make(many, 1025)},
        {.role = "anon", .topic = core_slice_make("a\0b", 3)},
        {.role = "anon", .topic = core_slice_text("a\xff")},
        {.role = "", .topic = topic},
        {.role = role, .topic = topic},
        {.role = "anon", .topic = topic, .claims_json = core_slice_make(many, sizeof many)},
        {.role = "anon", .topic = topic, .claims_json = core_slice_make("{\0}", 3)},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        auth_channel_rights rights;
        assert_true(check_at_once(made, cases[i], &rights));
        assert_false(rights.unavailable);
        for (size_t right = 0; right < AUTH_CHANNEL_RIGHTS; right++) {
            assert_false(rights.allowed[right]);
            assert_string_not_equal(rights.reasons[right], "");
        }
    }
}

static void a_database_that_is_away_is_unavailable_not_a_refusal(void **state) {
    fixture *made = *state;
    auth_channel_rights rights;
    const auth_channel_question question = {
        .role = "anon", .topic = core_slice_text("room"), .claims_json = core_slice_text("{}")};
    unsigned before = made->heard.answers;
    assert_false(check_at_once(made, question, &rights));
    await(&made->heard, &made->heard.answers, before + 1);
    assert_true(made->heard.rights.unavailable);
    assert_false(made->heard.rights.allowed[AUTH_BROADCAST_READ]);
    assert_null(strstr(made->heard.rights.reasons[AUTH_BROADCAST_READ], "s3cret"));
}

static void behind_a_stop_nothing_is_asked_any_more(void **state) {
    fixture *made = *state;
    auth_channel_rights rights;
    const auth_channel_question question = {
        .role = "anon", .topic = core_slice_text("late"), .claims_json = core_slice_text("{}")};
    pg_pool_stop(made->pool);
    assert_int_equal(made->heard.strangers, 0);
    assert_true(check_at_once(made, question, &rights));
    assert_true(rights.unavailable);
    assert_non_null(strstr(rights.reasons[AUTH_PRESENCE_WRITE], "stopping"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_nobody_can_ask_about_is_unavailable_and_its_holder_is_told),
        cmocka_unit_test(names_that_no_role_has_are_refused),
        cmocka_unit_test(questions_that_cannot_be_asked_are_refused_at_once),
        cmocka_unit_test(a_database_that_is_away_is_unavailable_not_a_refusal),
        cmocka_unit_test(behind_a_stop_nothing_is_asked_any_more),
    };
    return cmocka_run_group_tests(tests, fixture_new, fixture_free);
}
