/* How foreign providers' claims are read: paths, default role, scopes, issuer, audience and skew,
 * each by configuration. */
#include "auth/auth.h"
#include "auth/claims.h"
#include "auth/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEST_SECRET "a-secret-for-tests-only-of-more-than-32-bytes"
#define NOW_S       INT64_C(1800000000)
#define EXP         "\"exp\":2000000000"

static int64_t test_wall_us(const core_clock *clock) {
    (void)clock;
    return NOW_S * 1000000;
}

static int64_t test_monotonic_ns(const core_clock *clock) {
    (void)clock;
    return 0;
}

static const core_clock test_clock = {.monotonic_ns = test_monotonic_ns, .wall_us = test_wall_us};

static const char *const variables[] = {
    "WALCAST_AUTH_CLAIMS_ROLE",   "WALCAST_AUTH_CLAIMS_PROJECT", "WALCAST_AUTH_CLAIMS_ENVIRONMENT",
    "WALCAST_AUTH_CLAIMS_SCOPES", "WALCAST_AUTH_DEFAULT_ROLE",   "WALCAST_AUTH_ISSUER",
    "WALCAST_AUTH_AUDIENCE",      "WALCAST_AUTH_CLOCK_SKEW",
};

/* `setting`: NAME=VALUE, of the variables' last parts; NULL: none. */
static core_config *config_with(const char *const *settings) {
    setenv("WALCAST_AUTH_JWT_SECRET", TEST_SECRET, 1);
    for (size_t i = 0; i < CORE_COUNT_OF(variables); i++)
        (void)unsetenv(variables[i]);
    for (; *settings != NULL; settings++) {
        char name[128];
        const char *equals = strchr(*settings, '=');
        snprintf(name, sizeof name, "WALCAST_AUTH_%.*s", (int)(equals - *settings), *settings);
        setenv(name, equals + 1, 1);
    }
    core_config *config = core_config_load(NULL, stderr);
    assert_non_null(config);
    return config;
}

static auth_verdict verify(const core_config *config, const char *payload, auth_claims *claims,
                           core_buffer *json) {
    core_error error;
    core_buffer token;
    const auth_verifier_spec spec = {.config = config, .clock = &test_clock};
    auth_verifier *verifier = auth_verifier_new(&spec, &error);
    assert_non_null(verifier);
    core_buffer_init(&token, AUTH_TOKEN_MAX * 2);
    assert_true(auth_jwt_sign(core_slice_text(payload), core_slice_text(TEST_SECRET), &token));
    auth_verdict verdict = auth_verify(verifier, core_buffer_slice(&token), claims, json);
    core_buffer_fini(&token);
    auth_verifier_free(verifier);
    return verdict;
}

#define APP_ROLE "CLAIMS_ROLE=app_metadata.role"
#define URL_ROLE "CLAIMS_ROLE=https://example.com/role"

static const struct {
    const char *settings[4];
    const char *payload;
    auth_verdict verdict;
    const char *role; /* NULL: not looked at */
} cases[] = {
    /* Where the role stands. */
    {{APP_ROLE}, "{\"app_metadata\":{\"a\":[{}],\"role\":\"x\"}," EXP "}", AUTH_OK, "x"},
    {{APP_ROLE}, "{\"app_metadata\":{\"role\":\"x\"},\"role\":\"y\"," EXP "}", AUTH_OK, "x"},
    {{APP_ROLE}, "{\"app_metadata\":{\"r\\u006fle\":\"\\u0078\"}," EXP "}", AUTH_OK, "x"},
    {{APP_ROLE},
     "{\"app_metadata.role\":\"l\",\"app_metadata\":{\"role\":\"x\"}," EXP "}",
     AUTH_OK,
     "l"},
    {{APP_ROLE}, "{\"role\":\"y\"," EXP "}", AUTH_CLAIM_MISSING, NULL},
    {{APP_ROLE}, "{\"app_metadata\":\"role\"," EXP "}", AUTH_CLAIM_MISSING, NULL},
    {{APP_ROLE}, "{\"app_metadata\":{\"role\":null}," EXP "}", AUTH_CLAIM_MISSING, NULL},
    {{APP_ROLE}, "{\"app_metadata\":{\"role\":[\"x\"]}," EXP "}", AUTH_CLAIM_INVALID, NULL},
    {{APP_ROLE}, "{\"app_metadata\":{\"role\":\"\"}," EXP "}", AUTH_CLAIM_INVALID, NULL},
    {{APP_ROLE},
     "{\"app_metadata\":{\"role\":\"x\",\"role\":\"y\"}," EXP "}",
     AUTH_CLAIM_INVALID,
     NULL},
    {{URL_ROLE}, "{\"https://example.com/role\":\"x\"," EXP "}", AUTH_OK, "x"},
    {{"CLAIMS_ROLE=https://example.com/claims.default.role"},
     "{\"https://example.com/claims\":{\"default.role\":\"x\"}," EXP "}",
     AUTH_OK,
     "x"},
    {{"CLAIMS_ROLE=realm_access.roles.1"},
     "{\"realm_access\":{\"roles\":[\"offline\",\"x\"]}," EXP "}",
     AUTH_OK,
     "x"},
    {{"CLAIMS_ROLE=roles.2"}, "{\"roles\":[\"a\",\"b\"]," EXP "}", AUTH_CLAIM_MISSING, NULL},
    {{"CLAIMS_ROLE=roles"}, "{\"roles\":[\"a\"]," EXP "}", AUTH_CLAIM_INVALID, NULL},
    {{"CLAIMS_ROLE=roles.x"}, "{\"roles\":[\"a\"]," EXP "}", AUTH_CLAIM_MISSING, NULL},
    /* Without one. */
    {{"DEFAULT_ROLE=authenticated"}, "{\"sub\":\"s\"," EXP "}", AUTH_OK, "authenticated"},
    {{"DEFAULT_ROLE=authenticated"}, "{\"role\":\"x\"," EXP "}", AUTH_OK, "x"},
    {{"DEFAULT_ROLE=authenticated"}, "{\"role\":null," EXP "}", AUTH_OK, "authenticated"},
    {{"DEFAULT_ROLE=authenticated"}, "{\"role\":7," EXP "}", AUTH_CLAIM_INVALID, NULL},
    {{"DEFAULT_ROLE=authenticated", APP_ROLE},
     "{\"role\":\"service_role\"," EXP "}",
     AUTH_OK,
     "authenticated"},
    /* The place. */
    {{"CLAIMS_PROJECT=org.id"},
     "{\"role\":\"x\",\"org\":{\"id\":\"default\"}," EXP "}",
     AUTH_OK,
     "x"},
    {{"CLAIMS_PROJECT=org.id"},
     "{\"role\":\"x\",\"org\":{\"id\":\"other\"}," EXP "}",
     AUTH_CLAIM_INVALID,
     NULL},
    {{"CLAIMS_ENVIRONMENT=env"},
     "{\"role\":\"x\",\"env\":\"other\"," EXP "}",
     AUTH_CLAIM_INVALID,
     NULL},
    /* Issuer. */
    {{"ISSUER=https://a/"}, "{\"role\":\"x\",\"iss\":\"https:\\/\\/a\\/\"," EXP "}", AUTH_OK, "x"},
    {{"ISSUER=https://a/"}, "{\"role\":\"x\",\"iss\":\"https://a\"," EXP "}", AUTH_ISSUER, NULL},
    {{"ISSUER=https://a/"}, "{\"role\":\"x\",\"iss\":[\"https://a/\"]," EXP "}", AUTH_ISSUER, NULL},
    {{"ISSUER=https://a/"}, "{\"role\":\"x\"," EXP "}", AUTH_ISSUER, NULL},
    /* Audience. */
    {{"AUDIENCE=a,b"}, "{\"role\":\"x\",\"aud\":\"b\"," EXP "}", AUTH_OK, "x"},
    {{"AUDIENCE=a,b"}, "{\"role\":\"x\",\"aud\":[\"c\",{\"a\":1},\"a\"]," EXP "}", AUTH_OK, "x"},
    {{"AUDIENCE=a,b"},
     "{\"role\":\"x\",\"aud\":[\"c\",{\"a\":\"a\"}]," EXP "}",
     AUTH_AUDIENCE,
     NULL},
    {{"AUDIENCE=a,b"}, "{\"role\":\"x\",\"aud\":[[\"a\"]]," EXP "}", AUTH_AUDIENCE, NULL},
    {{"AUDIENCE=a,b"}, "{\"role\":\"x\",\"aud\":\"a,b\"," EXP "}", AUTH_AUDIENCE, NULL},
    {{"AUDIENCE=a,b"}, "{\"role\":\"x\",\"aud\":[]," EXP "}", AUTH_AUDIENCE, NULL},
    {{"AUDIENCE=a,b"}, "{\"role\":\"x\"," EXP "}", AUTH_AUDIENCE, NULL},
    /* Clocks. */
    {{"CLOCK_SKEW=30s"}, "{\"role\":\"x\",\"exp\":1799999971}", AUTH_OK, "x"},
    {{"CLOCK_SKEW=30s"}, "{\"role\":\"x\",\"exp\":1799999970}", AUTH_EXPIRED, NULL},
    {{"CLOCK_SKEW=30s"}, "{\"role\":\"x\",\"nbf\":1800000030," EXP "}", AUTH_OK, "x"},
    {{"CLOCK_SKEW=30s"}, "{\"role\":\"x\",\"nbf\":1800000031," EXP "}", AUTH_NOT_YET, NULL},
    {{"CLOCK_SKEW=30s"}, "{\"role\":\"x\",\"exp\":1e300,\"nbf\":-1e300}", AUTH_OK, "x"},
};

static void claims_are_read_as_the_configuration_says(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        auth_claims claims;
        core_config *config = config_with(cases[i].settings);
        auth_verdict verdict = verify(config, cases[i].payload, &claims, NULL);
        if (verdict != cases[i].verdict ||
            (cases[i].role != NULL && strcmp(claims.role, cases[i].role) != 0))
            fail_msg("%s %s: %s, role %s", cases[i].settings[0], cases[i].payload,
                     auth_verdict_text(verdict), claims.role);
        core_config_free(config);
    }
}

static void a_token_is_over_later_by_the_skew(void **state) {
    (void)state;
    auth_claims claims;
    core_config *config = config_with((const char *const[]){"CLOCK_SKEW=30s", NULL});
    assert_int_equal(verify(config, "{\"role\":\"x\",\"exp\":1800000000}", &claims, NULL), AUTH_OK);
    assert_int_equal(claims.expires_s, NOW_S + 30);
    core_config_free(config);
}

static void scopes_are_the_claims_where_there_is_one(void **state) {
    (void)state;
    static const struct {
        const char *setting, *payload;
        unsigned scopes;
    } rows[] = {
        {NULL, "{\"role\":\"x\",\"scope\":\"admin\"," EXP "}", CORE_SCOPES_CLIENT},
        {NULL, "{\"role\":\"service_role\"," EXP "}", CORE_SCOPES_ALL},
        {"CLAIMS_SCOPES=scope", "{\"role\":\"x\",\"scope\":\"openid admin  subscribe\"," EXP "}",
         CORE_SCOPE_ADMIN | CORE_SCOPE_SUBSCRIBE},
        {"CLAIMS_SCOPES=scope", "{\"role\":\"x\",\"scope\":[\"jobs\",7,\"admins\"]," EXP "}",
         CORE_SCOPE_JOBS},
        {"CLAIMS_SCOPES=a.b", "{\"role\":\"service_role\",\"a\":{\"b\":\"search\"}," EXP "}",
         CORE_SCOPE_SEARCH},
        {"CLAIMS_SCOPES=scope", "{\"role\":\"service_role\"," EXP "}", CORE_SCOPES_ALL},
        {"CLAIMS_SCOPES=scope", "{\"role\":\"service_role\",\"scope\":\"\"," EXP "}", 0},
        {"CLAIMS_SCOPES=scope", "{\"role\":\"x\"," EXP "}", 0},
        {"CLAIMS_SCOPES=scope", "{\"role\":\"x\",\"scope\":{\"admin\":\"admin\"}," EXP "}", 0},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        auth_claims claims;
        core_config *config = config_with((const char *const[]){rows[i].setting, NULL});
        assert_int_equal(verify(config, rows[i].payload, &claims, NULL), AUTH_OK);
        if (claims.scopes != rows[i].scopes)
            fail_msg("%s: %u", rows[i].payload, claims.scopes);
        core_config_free(config);
    }
}

/* What policies see. */
static void the_payload_names_the_role_that_counts(void **state) {
    (void)state;
    static const struct {
        const char *settings[4];
        const char *payload, *given;
    } rows[] = {
        {{NULL}, "{ \"role\":\"x\"," EXP "}", "{ \"role\":\"x\"," EXP "}"},
        {{"DEFAULT_ROLE=authenticated"},
         "{\"sub\":\"s\\\"\",\"list\":[1,\"a\"]," EXP "}",
         "{" EXP ",\"list\":[1,\"a\"],\"sub\":\"s\\\"\",\"role\":\"authenticated\"}"},
        {{"CLAIMS_ROLE=app.role"},
         "{\"role\":\"admin\",\"app\":{\"role\":\"x\"}," EXP "}",
         "{\"app\":{\"role\":\"x\"}," EXP ",\"role\":\"x\"}"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        auth_claims claims;
        core_buffer json;
        core_buffer_init(&json, AUTH_TOKEN_MAX);
        core_config *config = config_with(rows[i].settings);
        assert_int_equal(verify(config, rows[i].payload, &claims, &json), AUTH_OK);
        core_buffer_u8(&json, 0);
        assert_string_equal((const char *)json.data, rows[i].given);
        core_buffer_fini(&json);
        core_config_free(config);
    }
}

static void what_is_signed_here_is_read_here(void **state) {
    (void)state;
    core_config *config = config_with((const char *const[]){APP_ROLE, NULL});
    core_buffer token;
    core_error error;
    auth_claims claims;
    const auth_verifier_spec spec = {.config = config, .clock = &test_clock};
    auth_verifier *verifier = auth_verifier_new(&spec, &error);
    core_buffer_init(&token, AUTH_TOKEN_MAX);
    assert_true(
        auth_token_sign(config, "x", "s", NOW_S, NOW_S + 60, core_slice_text(""), &token, &error));
    assert_int_equal(auth_verify(verifier, core_buffer_slice(&token), &claims, NULL), AUTH_OK);
    assert_string_equal(claims.role, "x");
    core_buffer_fini(&token);
    auth_verifier_free(verifier);
    core_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_read_as_the_configuration_says),
        cmocka_unit_test(a_token_is_over_later_by_the_skew),
        cmocka_unit_test(scopes_are_the_claims_where_there_is_one),
        cmocka_unit_test(the_payload_names_the_role_that_counts),
        cmocka_unit_test(what_is_signed_here_is_read_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
