/* Form, algorithm and signature, with tokens that others made: RFC 7515's example A.1 and npm's
 * jsonwebtoken 9 with TEST_SECRET. */
#include "auth/base64url.h"
#include "auth/jwt.h"
#include "auth/mac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TEST_SECRET "a-secret-for-tests-only-of-more-than-32-bytes"

/* RFC 7515 A.1.1, whose header has a line break in it. */
static const char rfc_key[] =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
static const char rfc_token[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
                                ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtc"
                                "GxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                                ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
static const char npm_token[] =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    ".eyJyb2xlIjoiYXV0aGVudGljYXRlZCIsInN1YiI6IjZmMWMyYzFlLTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwMDAwMSIs"
    "ImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoyMDAwMDAwMDAwLCJ1c2VyX21ldGFkYXRhIjp7Im5hbWUiOiJab8OrIn19"
    ".hUvXmV3s8TnbwiZe-IRMBd-laTS-x2tmClkYSRqb5pg";
static const char npm_none[] = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
                               ".eyJyb2xlIjoiYW5vbiIsImV4cCI6MjAwMDAwMDAwMCwiaWF0IjoxfQ.";
static const char npm_hs512[] =
    "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYW5vbiIsImV4cCI6MjAwMDAwMDAwMCwiaWF0IjoxfQ"
    ".GN0BNnkD7Bc1NIhmd7i6b38Jl-jBJwezupqbpv9OUBfo-VGrJJn-nT6BXgJ80nrDEe77V_t6l_foNa9xkDlUZQ";

static auth_verdict verify(core_slice token, core_slice secret, core_buffer *payload) {
    auth_jwt jwt;
    core_buffer_init(payload, AUTH_TOKEN_MAX);
    auth_verdict verdict = auth_jwt_read(&jwt, token);
    if (verdict == AUTH_OK && !auth_jwt_verify_secret(&jwt, secret))
        verdict = AUTH_SIGNATURE;
    else if (verdict == AUTH_OK && !auth_jwt_payload(&jwt, payload))
        verdict = AUTH_MALFORMED;
    auth_jwt_fini(&jwt);
    return verdict;
}

static auth_verdict verdict_of(core_slice token) {
    core_buffer payload;
    auth_verdict verdict = verify(token, core_slice_text(TEST_SECRET), &payload);
    core_buffer_fini(&payload);
    return verdict;
}

/* A token with this header and an honest signature over it. */
static auth_verdict verdict_of_header(const char *header) {
    core_buffer token;
    core_buffer_init(&token, AUTH_TOKEN_MAX);
    auth_base64url_encode(core_slice_text(header), &token);
    core_buffer_text(&token, ".e30");
    uint8_t code[AUTH_MAC_SIZE];
    assert_true(auth_mac(core_slice_text(TEST_SECRET), core_buffer_slice(&token), code));
    core_buffer_text(&token, ".");
    auth_base64url_encode(core_slice_make(code, sizeof code), &token);
    auth_verdict verdict = verdict_of(core_buffer_slice(&token));
    core_buffer_fini(&token);
    return verdict;
}

static void the_rfc_example_verifies(void **state) {
    (void)state;
    core_buffer key;
    core_buffer payload;
    core_buffer_init(&key, 128);
    assert_true(auth_base64url_decode(core_slice_text(rfc_key), &key));
    assert_int_equal(verify(core_slice_text(rfc_token), core_buffer_slice(&key), &payload),
                     AUTH_OK);
    assert_true(core_slice_is(core_buffer_slice(&payload),
                              "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
                              "\"http://example.com/is_root\":true}"));
    core_buffer_fini(&payload);
    core_buffer_fini(&key);
}

static void a_token_of_jsonwebtoken_verifies(void **state) {
    (void)state;
    core_buffer payload;
    assert_int_equal(verify(core_slice_text(npm_token), core_slice_text(TEST_SECRET), &payload),
                     AUTH_OK);
    assert_true(core_slice_is(core_buffer_slice(&payload),
                              "{\"role\":\"authenticated\","
                              "\"sub\":\"6f1c2c1e-0000-4000-8000-000000000001\","
                              "\"iat\":1700000000,\"exp\":2000000000,"
                              "\"user_metadata\":{\"name\":\"Zo\xc3\xab\"}}"));
    core_buffer_fini(&payload);
}

static void any_changed_character_is_refused(void **state) {
    (void)state;
    char token[sizeof npm_token];
    for (size_t i = 0; i + 1 < sizeof npm_token; i++) {
        memcpy(token, npm_token, sizeof token);
        token[i] = token[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(verdict_of(core_slice_text(token)), AUTH_OK);
        assert_int_not_equal(verdict_of(core_slice_make(npm_token, i)), AUTH_OK);
    }
    core_buffer payload;
    assert_int_equal(verify(core_slice_text(npm_token), core_slice_text("another"), &payload),
                     AUTH_SIGNATURE);
    core_buffer_fini(&payload);
}

static void the_algorithm_is_ours_not_the_tokens(void **state) {
    (void)state;
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\"}"), AUTH_OK);
    assert_int_equal(verdict_of_header("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"x\"}"),
                     AUTH_OK);
    assert_int_equal(verdict_of_header("{\"alg\":\"none\"}"), AUTH_SIGNATURE);
    assert_int_equal(verdict_of_header("{\"alg\":\"None\"}"), AUTH_SIGNATURE);
    assert_int_equal(verdict_of_header("{\"alg\":\"hs256\"}"), AUTH_SIGNATURE);
    assert_int_equal(verdict_of_header("{\"alg\":\"RS256\"}"), AUTH_SIGNATURE);
    assert_int_equal(verdict_of_header("{\"alg\":[\"HS256\"]}"), AUTH_SIGNATURE);
    assert_int_equal(verdict_of_header("{}"), AUTH_SIGNATURE);
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\",\"crit\":[\"b64\"]}"), AUTH_SIGNATURE);
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\",\"alg\":\"none\"}"), AUTH_MALFORMED);
    assert_int_equal(verdict_of_header("[]"), AUTH_MALFORMED);
    assert_int_equal(verdict_of_header("{\"alg\":\"HS256\"} x"), AUTH_MALFORMED);
    assert_int_equal(verdict_of(core_slice_text(npm_none)), AUTH_SIGNATURE);
    assert_int_equal(verdict_of(core_slice_text(npm_hs512)), AUTH_OK);
}

static void what_is_no_token_is_malformed(void **state) {
    (void)state;
    static const char *const malformed[] = {
        "x", "..", "a.b", "a.b.c.d", "eyJ9.e30.e30", ".e30.x", "sb_publishable_abc"};
    assert_int_equal(verdict_of(core_slice_text("")), AUTH_MISSING);
    assert_int_equal(verdict_of(core_slice_make(NULL, 0)), AUTH_MISSING);
    for (size_t i = 0; i < CORE_COUNT_OF(malformed); i++)
        assert_int_equal(verdict_of(core_slice_text(malformed[i])), AUTH_MALFORMED);
    static char long_token[AUTH_TOKEN_MAX + 1];
    memset(long_token, 'A', sizeof long_token);
    assert_int_equal(verdict_of(core_slice_make(long_token, sizeof long_token)), AUTH_MALFORMED);
}

static void signing_gives_what_jsonwebtoken_gives(void **state) {
    (void)state;
    core_buffer payload;
    core_buffer token;
    assert_int_equal(verify(core_slice_text(npm_token), core_slice_text(TEST_SECRET), &payload),
                     AUTH_OK);
    core_buffer_init(&token, AUTH_TOKEN_MAX);
    assert_true(auth_jwt_sign(core_buffer_slice(&payload), core_slice_text(TEST_SECRET), &token));
    assert_true(core_slice_is(core_buffer_slice(&token), npm_token));
    core_buffer_fini(&token);
    core_buffer_fini(&payload);
}

static void the_mac_is_rfc_4231s(void **state) {
    (void)state;
    /* Test case 2. */
    static const uint8_t expected[AUTH_MAC_SIZE] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
                                                    0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
                                                    0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
                                                    0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    uint8_t code[AUTH_MAC_SIZE];
    assert_true(
        auth_mac(core_slice_text("Jefe"), core_slice_text("what do ya want for nothing?"), code));
    assert_true(auth_mac_equal(code, core_slice_make(expected, sizeof expected)));
    assert_false(auth_mac_equal(code, core_slice_make(expected, sizeof expected - 1)));
    code[31] ^= 1;
    assert_false(auth_mac_equal(code, core_slice_make(expected, sizeof expected)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfc_example_verifies),
        cmocka_unit_test(a_token_of_jsonwebtoken_verifies),
        cmocka_unit_test(any_changed_character_is_refused),
        cmocka_unit_test(the_algorithm_is_ours_not_the_tokens),
        cmocka_unit_test(what_is_no_token_is_malformed),
        cmocka_unit_test(signing_gives_what_jsonwebtoken_gives),
        cmocka_unit_test(the_mac_is_rfc_4231s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
