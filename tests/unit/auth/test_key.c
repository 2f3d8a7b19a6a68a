/* An API key's text, its record, and the key of a revoked token: what is written is read, and what
 * was cut, mistyped or made by somebody else is told. */
#include "auth/key.h"
#include "auth/mac.h"
#include "auth/revocation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_S INT64_C(1800000000)

static auth_key_secret made_secret(char text[AUTH_KEY_TEXT_MAX]) {
    auth_key_secret secret = {.created_s = NOW_S, .expires_s = AUTH_NEVER_S};
    assert_true(auth_key_make(text, &secret, NULL));
    return secret;
}

static void keys_are_read_as_made_and_differ(void **state) {
    char seen[64][AUTH_KEY_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(seen); i++) {
        char prefix[AUTH_KEY_PREFIX_MAX];
        uint8_t hash[AUTH_MAC_SIZE];
        const auth_key_secret secret = made_secret(seen[i]);
        core_slice text = core_slice_text(seen[i]);
        assert_int_equal(text.length, 58);
        assert_true(auth_key_is(text));
        assert_true(auth_key_read(text, prefix));
        assert_string_equal(prefix, secret.prefix);
        assert_true(auth_digest(text, hash));
        assert_memory_equal(hash, secret.hash, sizeof hash);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(seen[i], seen[j]);
            assert_memory_not_equal(seen[i] + 3, seen[j] + 3, 8);
        }
    }
}

/* So that other programs can tell a whole key: CRC-32 of what is before, in base 62. */
static void the_checksum_is_what_the_docs_say(void **state) {
    char prefix[AUTH_KEY_PREFIX_MAX];
    (void)state;
    assert_true(auth_key_read(
        core_slice_text("wc_AbCd1234_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcd0N4F7q"), prefix));
    assert_string_equal(prefix, "AbCd1234");
}

static void every_other_text_is_refused(void **state) {
    char text[AUTH_KEY_TEXT_MAX], prefix[AUTH_KEY_PREFIX_MAX], other[AUTH_KEY_TEXT_MAX + 8];
    (void)state;
    (void)made_secret(text);
    for (size_t length = 0; length < strlen(text); length++)
        assert_false(auth_key_read(core_slice_make(text, length), prefix));
    for (size_t at = 0; at < strlen(text); at++)
        for (int byte = 0; byte < 256; byte++) {
            (void)snprintf(other, sizeof other, "%s", text);
            other[at] = (char)byte;
            bool same = (char)byte == text[at];
            assert_int_equal(auth_key_read(core_slice_make(other, strlen(text)), prefix), same);
        }
    (void)snprintf(other, sizeof other, "%s ", text);
    assert_false(auth_key_read(core_slice_text(other), prefix));
    (void)snprintf(other, sizeof other, " %s", text);
    assert_false(auth_key_is(core_slice_text(other)));
    assert_false(auth_key_is(core_slice_text("WC_AbCd1234")));
    assert_false(auth_key_is(core_slice_make(NULL, 0)));
    assert_true(auth_key_is(core_slice_text("wc_")));
}

static auth_key_record sample(void) {
    char text[AUTH_KEY_TEXT_MAX];
    auth_key_record record = {.project = "shop",
                              .environment = "dev",
                              .name = "ci.1-a_B",
                              .role = "authenticated",
                              .subject = "u\"1\xc3\xa9",
                              .scopes = CORE_SCOPE_SUBSCRIBE | CORE_SCOPE_ADMIN,
                              .indexes = "[\"movies*\",\"b\"]",
                              .title = "of \"CI\"",
                              .description = "two\nlines",
                              .changed_s = NOW_S + 1,
                              .created_s = NOW_S,
                              .secret_count = 3};
    for (size_t i = 0; i < record.secret_count; i++)
        record.secrets[i] = made_secret(text);
    record.secrets[0].revoked_s = NOW_S + 5;
    record.secrets[1].expires_s = NOW_S + 60;
    return record;
}

static void a_record_comes_back_as_it_was(void **state) {
    auth_key_record record = sample(), back;
    core_buffer json;
    core_error error = {.text = ""};
    (void)state;
    core_buffer_init(&json, AUTH_KEY_RECORD_MAX);
    auth_key_encode(&record, &json);
    if (!auth_key_decode(core_buffer_slice(&json), &back, &error))
        fail_msg("%s", error.text);
    assert_string_equal(back.project, "shop");
    assert_string_equal(back.environment, "dev");
    assert_string_equal(back.name, record.name);
    assert_string_equal(back.role, record.role);
    assert_string_equal(back.subject, record.subject);
    assert_int_equal(back.scopes, record.scopes);
    assert_string_equal(back.indexes, record.indexes);
    assert_string_equal(back.title, record.title);
    assert_string_equal(back.description, record.description);
    assert_int_equal(back.changed_s, NOW_S + 1);
    assert_int_equal(back.created_s, NOW_S);
    assert_int_equal(back.secret_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(back.secrets[i].prefix, record.secrets[i].prefix);
        assert_memory_equal(back.secrets[i].hash, record.secrets[i].hash, 32);
        assert_true(back.secrets[i].created_s == NOW_S);
        assert_true(back.secrets[i].expires_s == record.secrets[i].expires_s);
        assert_true(back.secrets[i].revoked_s == record.secrets[i].revoked_s);
    }
    assert_int_equal(auth_key_secret_state(&back.secrets[0], NOW_S), AUTH_KEY_REVOKED);
    assert_int_equal(auth_key_secret_state(&back.secrets[1], NOW_S + 59), AUTH_KEY_ACTIVE);
    assert_int_equal(auth_key_secret_state(&back.secrets[1], NOW_S + 60), AUTH_KEY_ENDED);
    assert_int_equal(auth_key_secret_state(&back.secrets[2], NOW_S * 2), AUTH_KEY_ACTIVE);
    core_buffer_fini(&json);
}

/* The largest that can be made. */
static void the_largest_record_fits(void **state) {
    auth_key_record record = sample(), back;
    core_buffer json;
    core_error error = {.text = ""};
    (void)state;
    memset(record.subject, '\x01', sizeof record.subject - 1); /* six bytes each in JSON */
    memset(record.role, '\x01', sizeof record.role - 1);
    memset(record.title, '\x01', sizeof record.title - 1);
    memset(record.description, '\x01', sizeof record.description - 1);
    memset(record.name, 'n', sizeof record.name - 1);
    record.scopes = CORE_SCOPES_ALL;
    record.secret_count = AUTH_KEY_SECRETS_MAX;
    for (size_t i = 0; i < AUTH_KEY_SECRETS_MAX; i++)
        record.secrets[i] = record.secrets[0];
    core_buffer_init(&json, AUTH_KEY_RECORD_MAX);
    auth_key_encode(&record, &json);
    assert_true(core_buffer_ok(&json));
    if (!auth_key_decode(core_buffer_slice(&json), &back, &error))
        fail_msg("%s", error.text);
    core_buffer_fini(&json);
}

#define HASH "\"sha256\":\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\""
#define BEGIN                                                                                      \
    "{\"version\":1,\"name\":\"n\",\"project\":\"p\",\"environment\":\"e\",\"role\":\"r\","
#define SECRET(more) "\"secrets\":[{\"prefix\":\"AbCd1234\"," HASH more "}]}"
#define SCOPES       "\"scopes\":[\"subscribe\"],"

static bool decodes(const char *json, auth_key_record *record) {
    core_error error = {.text = ""};
    return auth_key_decode(core_slice_text(json), record, &error);
}

static void what_a_later_version_adds_is_passed_over(void **state) {
    auth_key_record record;
    (void)state;
    assert_true(decodes(BEGIN "\"colour\":{\"a\":[1,2]},\"scopes\":[\"subscribe\",\"fly\"],"
                              "\"secrets\":[{\"x\":[],\"prefix\":\"AbCd1234\"," HASH
                              ",\"state\":\"active\"}],\"z\":null}",
                        &record));
    assert_int_equal(record.scopes, CORE_SCOPE_SUBSCRIBE);
    assert_int_equal(auth_key_secret_state(&record.secrets[0], NOW_S), AUTH_KEY_ACTIVE);
}

/* What does not say that it is active is not. */
static void an_unknown_state_does_not_count(void **state) {
    auth_key_record record;
    (void)state;
    assert_true(decodes(BEGIN SCOPES SECRET(",\"state\":\"suspended\""), &record));
    assert_int_equal(auth_key_secret_state(&record.secrets[0], NOW_S), AUTH_KEY_REVOKED);
    assert_true(decodes(BEGIN SCOPES SECRET(""), &record));
    assert_int_equal(auth_key_secret_state(&record.secrets[0], NOW_S), AUTH_KEY_REVOKED);
    assert_true(decodes(BEGIN SCOPES SECRET(",\"state\":\"active\",\"revoked\":5"), &record));
    assert_int_equal(auth_key_secret_state(&record.secrets[0], NOW_S), AUTH_KEY_REVOKED);
}

static void broken_records_are_refused(void **state) {
    static const char *const broken[] = {
        "",
        "[]",
        "{}",
        "null",
        BEGIN SCOPES SECRET(",\"state\":\"active\"") "x",
        BEGIN SCOPES SECRET(",\"expires\":\"5\""),
        BEGIN SCOPES SECRET(",\"expires\":-5"),
        BEGIN SCOPES SECRET(",\"expires\":1e9"),
        BEGIN SCOPES SECRET(",\"expires\":99999999999999999999"),
        BEGIN SCOPES "\"secrets\":[{\"prefix\":\"AbCd1234\"}]}",
        BEGIN SCOPES "\"secrets\":[{\"prefix\":\"AbCd123\"," HASH "}]}",
        BEGIN SCOPES "\"secrets\":[{\"prefix\":\"AbCd12345\"," HASH "}]}",
        BEGIN SCOPES "\"secrets\":[{\"prefix\":\"AbCd1234\",\"sha256\":\"00\"}]}",
        BEGIN SCOPES "\"secrets\":{}}",
        BEGIN "\"scopes\":\"subscribe\"," SECRET(""),
        BEGIN "\"scopes\":[1]," SECRET(""),
        "{\"version\":2,\"name\":\"n\",\"project\":\"p\",\"environment\":\"e\",\"role\":\"r\"}",
        "{\"name\":\"n\",\"project\":\"p\",\"environment\":\"e\",\"role\":\"r\"}",
        "{\"version\":1,\"name\":\"a b\",\"project\":\"p\",\"environment\":\"e\",\"role\":\"r\"}",
        "{\"version\":1,\"name\":\"n\\u0000\",\"project\":\"p\",\"environment\":\"e\",\"role\":"
        "\"r\"}",
        "{\"version\":1,\"name\":\"n\",\"project\":\"events\",\"environment\":\"e\",\"role\":"
        "\"r\"}",
        "{\"version\":1,\"name\":\"n\",\"project\":\"p\",\"environment\":\"e\"}",
    };
    auth_key_record record;
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(broken); i++)
        if (decodes(broken[i], &record))
            fail_msg("taken: %s", broken[i]);
}

static void names_of_different_places_differ(void **state) {
    char first[256], second[256];
    auth_key_record a = {.project = "a.b", .environment = "c", .name = "n"};
    auth_key_record b = {.project = "a", .environment = "b.c", .name = "n"};
    core_buffer one = core_buffer_over(first, sizeof first);
    core_buffer two = core_buffer_over(second, sizeof second);
    (void)state;
    assert_true(auth_key_place(&a, &one));
    assert_true(auth_key_place(&b, &two));
    assert_string_not_equal(first, second);
    assert_string_equal(first, "key.a%2Eb.c.n");
}

static void a_revoked_jti_comes_back_from_its_key(void **state) {
    char key[AUTH_REVOCATION_KEY_MAX], memory[AUTH_CLAIM_MAX], overlong[AUTH_CLAIM_MAX + 1];
    core_buffer jti = core_buffer_over(memory, sizeof memory);
    core_error error = {.text = ""};
    (void)state;
    assert_true(auth_revocation_key("a b", key, &error));
    assert_string_equal(key, "revoked.a b");
    assert_true(auth_revocation_jti(core_slice_text("revoked.a=20b=3D.c=C3=A9"), &jti));
    assert_true(core_slice_is(core_buffer_slice(&jti), "a b=.c\xc3\xa9"));
    assert_false(auth_revocation_jti(core_slice_text("revoked."), &jti));
    assert_false(auth_revocation_jti(core_slice_text("key.a"), &jti));
    assert_false(auth_revocation_jti(core_slice_text("revoked.a=2"), &jti));
    assert_false(auth_revocation_jti(core_slice_text("revoked.a=zz"), &jti));
    assert_false(auth_revocation_key("", key, &error));
    assert_false(auth_revocation_key("\xff", key, &error));
    memset(overlong, 'x', sizeof overlong);
    overlong[AUTH_CLAIM_MAX] = '\0';
    assert_false(auth_revocation_key(overlong, key, &error));
}

static void a_revocation_that_cannot_be_read_is_for_ever(void **state) {
    core_buffer json;
    (void)state;
    core_buffer_init(&json, AUTH_REVOCATION_VALUE_MAX);
    auth_revocation_encode(NOW_S + 5, NOW_S, &json);
    assert_true(auth_revocation_until(core_buffer_slice(&json)) == NOW_S + 5);
    core_buffer_fini(&json);
    static const char *const broken[] = {"",
                                         "{}",
                                         "{\"version\":1}",
                                         "{\"version\":2,\"expires\":5}",
                                         "{\"version\":1,\"expires\":\"5\"}",
                                         "{\"version\":1,\"expires\":5}x",
                                         "{\"version\":1,\"expires\":1.5}"};
    for (size_t i = 0; i < CORE_COUNT_OF(broken); i++)
        assert_true(auth_revocation_until(core_slice_text(broken[i])) == AUTH_NEVER_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_as_made_and_differ),
        cmocka_unit_test(the_checksum_is_what_the_docs_say),
        cmocka_unit_test(every_other_text_is_refused),
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(the_largest_record_fits),
        cmocka_unit_test(what_a_later_version_adds_is_passed_over),
        cmocka_unit_test(an_unknown_state_does_not_count),
        cmocka_unit_test(broken_records_are_refused),
        cmocka_unit_test(names_of_different_places_differ),
        cmocka_unit_test(a_revoked_jti_comes_back_from_its_key),
        cmocka_unit_test(a_revocation_that_cannot_be_read_is_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
