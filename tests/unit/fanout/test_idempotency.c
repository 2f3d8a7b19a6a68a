/* Records under an Idempotency-Key: what each says to whoever asks with which body, and when. */
#include "auth/mac.h"
#include "fanout/idempotency.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static core_route_request request_of(const char *project, const char *path, const char *key,
                                     const char *body) {
    return (core_route_request){
        .method = core_slice_text("POST"),
        .path = core_slice_text(path),
        .body = core_slice_text(body),
        .idempotency_key = core_slice_text(key),
        .caller = {.project = core_slice_text(project), .environment = core_slice_text("dev")}};
}

static fanout_idempotency key_of(const char *project, const char *path, const char *key,
                                 const char *body) {
    fanout_idempotency made;
    core_error error = {.text = ""};
    const core_route_request request = request_of(project, path, key, body);
    assert_true(fanout_idempotency_of(&request, auth_digest, &made, &error));
    return made;
}

static void names_differ_by_project_path_and_key(void **state) {
    (void)state;
    fanout_idempotency one = key_of("p", "/a", "k", "{}");
    assert_int_equal(strlen(one.name), 64);
    assert_string_equal(one.name, key_of("p", "/a", "k", "other").name);
    assert_string_not_equal(one.body, key_of("p", "/a", "k", "other").body);
    assert_string_not_equal(one.name, key_of("q", "/a", "k", "{}").name);
    assert_string_not_equal(one.name, key_of("p", "/b", "k", "{}").name);
    assert_string_not_equal(one.name, key_of("p", "/a", "l", "{}").name);
    assert_string_not_equal(key_of("p", "/a", "bk", "").name, key_of("p", "/ab", "k", "").name);
    core_route_request other = request_of("p", "/a", "k", "{}");
    fanout_idempotency removed;
    other.method = core_slice_text("DELETE");
    assert_true(fanout_idempotency_of(&other, auth_digest, &removed, &(core_error){.text = ""}));
    assert_string_not_equal(one.name, removed.name);
    char key[FANOUT_IDEMPOTENCY_KEY_MAX + 2];
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    core_error error = {.text = ""};
    const core_route_request request = request_of("p", "/a", key, "");
    assert_false(fanout_idempotency_of(&request, auth_digest, &one, &error));
    assert_int_equal(error.code, CORE_ERROR_INPUT);
}

/* Where a query says what is meant, it is as good as a body; the credential in it is none of it. */
static void a_query_counts_as_a_body_does(void **state) {
    static const char path[] = "/v1/projects/p/dead-letters/replay";
    static const char *const queries[] = {"", "trigger=a", "trigger=b", "trigger=a&limit=1"};
    fanout_idempotency made[CORE_COUNT_OF(queries)], keyed;
    core_error error = {.text = ""};
    core_route_request request = request_of("p", path, "k", "{}");
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(queries); i++) {
        request.query = core_slice_text(queries[i]);
        assert_true(fanout_idempotency_of(&request, auth_digest, &made[i], &error));
        assert_string_equal(made[i].name, made[0].name);
        for (size_t other = 0; other < i; other++)
            assert_string_not_equal(made[i].body, made[other].body);
    }
    request.query = core_slice_text("apikey=one&trigger=a");
    assert_true(fanout_idempotency_of(&request, auth_digest, &keyed, &error));
    assert_string_equal(keyed.body, made[1].body);
    request.query = core_slice_text("trigger=a&apikey=another");
    assert_true(fanout_idempotency_of(&request, auth_digest, &keyed, &error));
    assert_string_equal(keyed.body, made[1].body);
    request.body = core_slice_text("[]");
    assert_true(fanout_idempotency_of(&request, auth_digest, &keyed, &error));
    assert_string_not_equal(keyed.body, made[1].body);
    request.query = core_slice_text("apikey=one");
    assert_true(fanout_idempotency_of(&request, auth_digest, &keyed, &error));
    assert_string_equal(keyed.body, key_of("p", path, "k", "[]").body);
}

static void a_dash_is_the_callers_project(void **state) {
    (void)state;
    fanout_idempotency named = key_of("p", "/v1/projects/p/triggers/a/pause", "k", "");
    assert_string_equal(named.name, key_of("p", "/v1/projects/-/triggers/a/pause", "k", "").name);
    assert_string_equal(named.name, key_of("p", "/v1/projects/%70/triggers/a/pause", "k", "").name);
    assert_string_not_equal(named.name,
                            key_of("q", "/v1/projects/-/triggers/a/pause", "k", "").name);
    assert_string_not_equal(named.name,
                            key_of("p", "/v1/projects/-/triggers/b/pause", "k", "").name);
    assert_string_not_equal(key_of("p", "/v1/projects/p", "k", "").name,
                            key_of("p", "/v1/projects/p/", "k", "").name);
}

static void records_say_what_is_known(void **state) {
    (void)state;
    const fanout_idempotency mine = key_of("p", "/a", "k", "{}");
    const fanout_idempotency other = key_of("p", "/a", "k", "[]");
    const int64_t now = INT64_C(1700000000) * CORE_US_PER_S;
    const int64_t stale = now + FANOUT_IDEMPOTENCY_STALE_MS * CORE_US_PER_MS;
    core_buffer record;
    core_buffer_init(&record, 4096);
    assert_int_equal(fanout_idempotency_look(&mine, core_slice_text(""), now).verdict,
                     FANOUT_IDEMPOTENCY_FREE);
    assert_int_equal(fanout_idempotency_look(&mine, core_slice_text("{\"x\":1}"), now).verdict,
                     FANOUT_IDEMPOTENCY_FREE);
    fanout_idempotency_claim(&mine, now - 7, now, &record);
    core_slice text = core_buffer_slice(&record);
    assert_int_equal(fanout_idempotency_look(&mine, text, now).verdict,
                     FANOUT_IDEMPOTENCY_UNDER_WAY);
    assert_int_equal(fanout_idempotency_look(&mine, text, stale - 1).verdict,
                     FANOUT_IDEMPOTENCY_UNDER_WAY);
    fanout_idempotency_found found = fanout_idempotency_look(&mine, text, stale);
    assert_int_equal(found.verdict, FANOUT_IDEMPOTENCY_FREE);
    assert_int_equal(found.began_us, now - 7);
    assert_int_equal(fanout_idempotency_look(&other, text, stale).verdict,
                     FANOUT_IDEMPOTENCY_OTHER_BODY);
    core_buffer_reset(&record);
    fanout_idempotency_claim(&mine, now - 7, 0, &record);
    found = fanout_idempotency_look(&mine, core_buffer_slice(&record), now);
    assert_int_equal(found.verdict, FANOUT_IDEMPOTENCY_FREE);
    assert_int_equal(found.began_us, now - 7);
    core_buffer_fini(&record);
}

static core_route_reply reply_new(void) {
    core_route_reply reply = {.response = {.status = 200}};
    core_buffer_init(&reply.response.body, 4096);
    return reply;
}

static void an_answer_comes_again_as_it_was(void **state) {
    (void)state;
    const fanout_idempotency mine = key_of("p", "/a", "k", "{}");
    const fanout_idempotency other = key_of("p", "/a", "k", "[]");
    const int64_t now = INT64_C(1700000000) * CORE_US_PER_S;
    core_route_reply first = reply_new(), again = reply_new();
    core_buffer record;
    core_buffer_init(&record, 4096);
    first.response.status = 201;
    assert_true(core_route_response_header(&first.response, "ETag", "\"7\""));
    core_buffer_text(&first.response.body, "{\"id\": [1, {}]}");
    fanout_idempotency_done(&mine, &first.response, &record);
    fanout_idempotency_found found =
        fanout_idempotency_look(&mine, core_buffer_slice(&record), now);
    assert_int_equal(found.verdict, FANOUT_IDEMPOTENCY_DONE);
    assert_int_equal(fanout_idempotency_look(&other, core_buffer_slice(&record), now).verdict,
                     FANOUT_IDEMPOTENCY_OTHER_BODY);
    fanout_idempotency_replay(&found, &again);
    assert_int_equal(again.response.status, 201);
    assert_true(core_slice_is(core_buffer_slice(&again.response.body), "{\"id\": [1, {}]}"));
    assert_string_equal(again.response.headers, "ETag: \"7\"\r\nIdempotency-Replayed: true\r\n");
    core_buffer_fini(&first.response.body);
    core_buffer_fini(&again.response.body);
    core_buffer_fini(&record);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_differ_by_project_path_and_key),
        cmocka_unit_test(a_query_counts_as_a_body_does),
        cmocka_unit_test(a_dash_is_the_callers_project),
        cmocka_unit_test(records_say_what_is_known),
        cmocka_unit_test(an_answer_comes_again_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
