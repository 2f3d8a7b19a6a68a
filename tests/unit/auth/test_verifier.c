/* Who a token says it is, when, and for which project: every verdict, with a clock of our own. */
#include "auth/auth.h"
#include "auth/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEST_SECRET "a-secret-for-tests-only-of-more-than-32-bytes"
#define NOW_S       INT64_C(1800000000)

static int64_t test_wall_us(const core_clock *clock) {
    (void)clock;
    return NOW_S * 1000000 + 500000;
}

static int64_t test_monotonic_ns(const core_clock *clock) {
    (void)clock;
    return 0;
}

static const core_clock test_clock = {.monotonic_ns = test_monotonic_ns, .wall_us = test_wall_us};

typedef struct {
    core_config *config;
    auth_verifier *verifier;
} fixture;

static int fixture_new(void **state) {
    static fixture made;
    core_error error;
    setenv("WALCAST_AUTH_JWT_SECRET", TEST_SECRET, 1);
    setenv("WALCAST_PROJECT", "shop", 1);
    made.config = core_config_load(NULL, stderr);
    const auth_verifier_spec spec = {.config = made.config, .clock = &test_clock};
    made.verifier = auth_verifier_new(&spec, &error);
    *state = &made;
    return made.verifier == NULL;
}

static int fixture_free(void **state) {
    fixture *made = *state;
    auth_verifier_free(made->verifier);
    core_config_free(made->config);
    return 0;
}

static auth_verdict verify_payload(const fixture *made, const char *payload, auth_claims *claims) {
    core_buffer token;
    core_buffer_init(&token, AUTH_TOKEN_MAX * 2);
    assert_true(auth_jwt_sign(core_slice_text(payload), core_slice_text(TEST_SECRET), &token));
    auth_verdict verdict = auth_verify(made->verifier, core_buffer_slice(&token), claims, NULL);
    core_buffer_fini(&token);
    return verdict;
}

static void claims_come_out_as_they_are(void **state) {
    auth_claims claims;
    assert_true(auth_verifier_open(((fixture *)*state)->verifier));
    assert_int_equal(verify_payload(*state,
                                    "{\"role\":\"authenti\\u0063ated\",\"sub\":\"u\\\"1\","
                                    "\"exp\":1800000001.25,\"project_id\":\"shop\","
                                    "\"nbf\":1800000000,\"aud\":[\"x\",{\"y\":1}]}",
                                    &claims),
                     AUTH_OK);
    assert_string_equal(claims.role, "authenticated");
    assert_string_equal(claims.subject, "u\"1");
    assert_string_equal(claims.project, "shop");
    assert_string_equal(claims.environment, "dev");
    assert_int_equal(claims.expires_s, 1800000001);
}

static void the_payload_comes_as_it_was_signed_and_only_when_it_is_good(void **state) {
    static const char *const payloads[] = {
        "{ \"role\":\"anon\",\"exp\":2e9, \"app\":{\"n\":12345678901234567890.5} }",
        "{\"role\":\"anon\",\"exp\":1}",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(payloads); i++) {
        auth_claims claims;
        core_buffer token;
        core_buffer json;
        core_buffer_init(&token, AUTH_TOKEN_MAX);
        core_buffer_init(&json, AUTH_TOKEN_MAX);
        assert_true(
            auth_jwt_sign(core_slice_text(payloads[i]), core_slice_text(TEST_SECRET), &token));
        auth_verdict verdict =
            auth_verify(((fixture *)*state)->verifier, core_buffer_slice(&token), &claims, &json);
        assert_int_equal(verdict, i == 0 ? AUTH_OK : AUTH_EXPIRED);
        assert_true(core_slice_is(core_buffer_slice(&json), i == 0 ? payloads[0] : ""));
        core_buffer_fini(&token);
        core_buffer_fini(&json);
    }
}

static void each_fault_has_its_verdict(void **state) {
    static const struct {
        const char *payload;
        auth_verdict verdict;
    } cases[] = {
        {"{\"role\":\"anon\",\"exp\":1800000001}", AUTH_OK},
        {"{\"role\":\"anon\",\"exp\":1800000000.500001}", AUTH_OK},
        {"{\"role\":\"anon\",\"exp\":1800000000.5}", AUTH_EXPIRED},
        {"{\"role\":\"anon\",\"exp\":1800000000}", AUTH_EXPIRED},
        {"{\"role\":\"anon\",\"exp\":-1}", AUTH_EXPIRED},
        {"{\"role\":\"anon\",\"exp\":1e300}", AUTH_OK},
        {"{\"role\":\"anon\",\"exp\":2e9,\"nbf\":1800000000.5}", AUTH_OK},
        {"{\"role\":\"anon\",\"exp\":2e9,\"nbf\":1800000001}", AUTH_NOT_YET},
        {"{\"role\":\"anon\",\"exp\":2e9,\"nbf\":\"1\"}", AUTH_CLAIM_INVALID},
        {"{\"role\":\"anon\"}", AUTH_CLAIM_MISSING},
        {"{\"role\":\"anon\",\"exp\":null}", AUTH_CLAIM_MISSING},
        {"{\"exp\":2000000000}", AUTH_CLAIM_MISSING},
        {"{}", AUTH_CLAIM_MISSING},
        {"{\"role\":\"anon\",\"exp\":\"2000000000\"}", AUTH_CLAIM_INVALID},
        {"{\"role\":7,\"exp\":2000000000}", AUTH_CLAIM_INVALID},
        {"{\"role\":\"\",\"exp\":2000000000}", AUTH_CLAIM_INVALID},
        {"{\"role\":\"a\\u0000b\",\"exp\":2000000000}", AUTH_CLAIM_INVALID},
        {"{\"role\":\"anon\",\"exp\":2000000000,\"sub\":{}}", AUTH_CLAIM_INVALID},
        {"{\"role\":\"anon\",\"exp\":2000000000,\"sub\":null}", AUTH_OK},
        {"{\"role\":\"anon\",\"exp\":2000000000,\"role\":\"service_role\"}", AUTH_CLAIM_INVALID},
        {"{\"role\":\"anon\",\"exp\":2000000000,\"r\\u006fle\":\"x\"}", AUTH_CLAIM_INVALID},
        {"{\"role\":\"anon\",\"exp\":2000000000,\"project_id\":\"other\"}", AUTH_CLAIM_INVALID},
        {"{\"role\":\"anon\",\"exp\":2000000000,\"project_id\":\"Shop\"}", AUTH_CLAIM_INVALID},
        {"{\"role\":\"anon\",\"exp\":2000000000,\"environment_id\":\"live\"}", AUTH_CLAIM_INVALID},
        {"{\"role\":\"anon\",\"exp\":2000000000,\"environment_id\":\"dev\"}", AUTH_OK},
        {"[]", AUTH_MALFORMED},
        {"\"role\"", AUTH_MALFORMED},
        {"", AUTH_MALFORMED},
        {"{\"role\":\"anon\",\"exp\":2000000000", AUTH_MALFORMED},
        {"{\"role\":\"anon\",\"exp\":2000000000}{}", AUTH_MALFORMED},
        {"{\"role\":\"an\xffon\",\"exp\":2000000000}", AUTH_MALFORMED},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        auth_claims claims;
        auth_verdict verdict = verify_payload(*state, cases[i].payload, &claims);
        if (verdict != cases[i].verdict)
            fail_msg("%s: %s", cases[i].payload, auth_verdict_text(verdict));
        if (verdict != AUTH_OK)
            assert_string_equal(claims.role, "");
    }
}

static void a_claim_too_long_is_refused(void **state) {
    char payload[AUTH_CLAIM_MAX + 64];
    char role[AUTH_CLAIM_MAX + 1];
    auth_claims claims;
    memset(role, 'r', sizeof role);
    for (size_t length = AUTH_CLAIM_MAX - 1; length <= AUTH_CLAIM_MAX; length++) {
        role[length] = '\0';
        snprintf(payload, sizeof payload, "{\"role\":\"%s\",\"exp\":2000000000}", role);
        assert_int_equal(verify_payload(*state, payload, &claims),
                         length < AUTH_CLAIM_MAX ? AUTH_OK : AUTH_CLAIM_INVALID);
        role[length] = 'r';
    }
}

static uint64_t hash_of(const fixture *made, const char *payload) {
    auth_claims claims;
    assert_int_equal(verify_payload(made, payload, &claims), AUTH_OK);
    return claims.claims_hash;
}

static void equal_claims_hash_equally_whatever_their_times(void **state) {
    uint64_t hash = hash_of(*state, "{\"role\":\"anon\",\"exp\":2000000000,\"team\":[1, 2]}");
    assert_true(hash == hash_of(*state, "{\"team\":[1, 2],\"exp\":2100000000,\"iat\":5,\"nbf\":6,"
                                        "\"jti\":\"x\",\"role\":\"anon\"}"));
    assert_true(hash != hash_of(*state, "{\"role\":\"anon\",\"exp\":2000000000,\"team\":[1, 3]}"));
    assert_true(hash != hash_of(*state, "{\"role\":\"anom\",\"exp\":2000000000,\"team\":[1, 2]}"));
    assert_true(hash_of(*state, "{\"role\":\"a\",\"exp\":2000000000,\"x\":\"1\"}") !=
                hash_of(*state, "{\"role\":\"a\",\"exp\":2000000000,\"x\":1}"));
    assert_true(hash_of(*state, "{\"role\":\"a\",\"exp\":2000000000,\"x\":\"\",\"y\":\"b\"}") !=
                hash_of(*state, "{\"role\":\"a\",\"exp\":2000000000,\"x\":\"y\",\"b\":\"\"}"));
}

static void a_signed_token_verifies(void **state) {
    const fixture *made = *state;
    core_buffer token;
    core_error error;
    auth_claims claims;
    core_buffer_init(&token, AUTH_TOKEN_MAX);
    assert_true(auth_token_sign(made->config, "service_role", "s", NOW_S, NOW_S + 3600,
                                core_slice_text("\"org\":{\"id\":9007199254740993}"), &token,
                                &error));
    assert_int_equal(auth_verify(made->verifier, core_buffer_slice(&token), &claims, NULL),
                     AUTH_OK);
    assert_string_equal(claims.role, "service_role");
    assert_string_equal(claims.subject, "s");
    assert_int_equal(claims.expires_s, NOW_S + 3600);
    core_buffer_fini(&token);
}

static void what_would_be_refused_is_not_signed(void **state) {
    const fixture *made = *state;
    static const char *const refused[] = {"\"role\":\"service_role\"", "\"a\":1,\"a\":2",
                                          "\"a\":", "a", "\"a\":\"\xff\""};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        core_buffer token;
        core_error error = {.code = CORE_ERROR_NONE};
        core_buffer_init(&token, AUTH_TOKEN_MAX);
        assert_false(auth_token_sign(made->config, "anon", "", NOW_S, NOW_S + 1,
                                     core_slice_text(refused[i]), &token, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        core_buffer_fini(&token);
    }
}

static void an_empty_or_long_role_is_not_signed(void **state) {
    const fixture *made = *state;
    char role[AUTH_CLAIM_MAX + 1];
    memset(role, 'r', sizeof role);
    role[AUTH_CLAIM_MAX] = '\0';
    const char *const refused[] = {"", role};
    for (size_t i = 0; i < CORE_COUNT_OF(refused); i++) {
        core_buffer token;
        core_error error;
        core_buffer_init(&token, AUTH_TOKEN_MAX);
        assert_false(auth_token_sign(made->config, refused[i], "", NOW_S, NOW_S + 1,
                                     core_slice_text(""), &token, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        core_buffer_fini(&token);
    }
}

static void without_a_secret_nothing_is_open(void **state) {
    (void)state;
    core_error error;
    auth_claims claims;
    core_buffer token;
    unsetenv("WALCAST_AUTH_JWT_SECRET");
    core_config *config = core_config_load(NULL, stderr);
    assert_non_null(config);
    const auth_verifier_spec spec = {.config = config, .clock = &test_clock};
    auth_verifier *verifier = auth_verifier_new(&spec, &error);
    assert_non_null(verifier);
    assert_false(auth_verifier_open(verifier));
    assert_int_equal(auth_verify(verifier, core_slice_text("a.b.c"), &claims, NULL), AUTH_CLOSED);
    core_buffer_init(&token, AUTH_TOKEN_MAX);
    assert_false(
        auth_token_sign(config, "anon", "", NOW_S, NOW_S + 1, core_slice_text(""), &token, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
    assert_non_null(strstr(error.text, "auth.jwt_secret"));
    core_buffer_fini(&token);
    auth_verifier_free(verifier);
    core_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_come_out_as_they_are),
        cmocka_unit_test(the_payload_comes_as_it_was_signed_and_only_when_it_is_good),
        cmocka_unit_test(each_fault_has_its_verdict),
        cmocka_unit_test(a_claim_too_long_is_refused),
        cmocka_unit_test(equal_claims_hash_equally_whatever_their_times),
        cmocka_unit_test(a_signed_token_verifies),
        cmocka_unit_test(what_would_be_refused_is_not_signed),
        cmocka_unit_test(an_empty_or_long_role_is_not_signed),
        cmocka_unit_test(without_a_secret_nothing_is_open),
    };
    return cmocka_run_group_tests(tests, fixture_new, fixture_free);
}
