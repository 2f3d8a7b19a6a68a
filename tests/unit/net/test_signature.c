/* Signatures against the specification's own vector, secrets in every form, and what is refused.
 * That receivers' libraries accept them is tests/integration/signature.test.mjs's. */
#include "auth/mac.h"
#include "net/signature.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECRET    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID        "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TIME      INT64_C(1614265330)
#define BODY      "{\"test\": 2432232314}"
#define SIX_BYTES "U0VDUkVU"
#define CODE      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static bool sign(const char *const *secrets, size_t count, const char *id, core_buffer *out,
                 core_error *error) {
    net_signing_key keys[NET_SIGNING_KEYS_MAX];
    core_buffer work;
    for (size_t i = 0; i < count; i++)
        assert_true(net_signing_key_read(core_slice_text(secrets[i]), &keys[i], error));
    core_buffer_init(&work, 1024);
    core_buffer_init(out, 1024);
    bool signed_now = net_signature_write(auth_mac, keys, count, core_slice_text(id), TIME,
                                          core_slice_text(BODY), &work, out, error);
    core_buffer_fini(&work);
    return signed_now;
}

static void signs(const char *const *secrets, size_t count, const char *expected) {
    core_buffer out;
    core_error error;
    assert_true(sign(secrets, count, ID, &out, &error));
    core_buffer_u8(&out, 0);
    assert_string_equal((const char *)out.data, expected);
    core_buffer_fini(&out);
}

static void the_published_vector_holds(void **state) {
    static const char *const secret[] = {SECRET};
    (void)state;
    signs(secret, 1, CODE);
}

/* As the reference libraries have it: the prefix may be missing. */
static void a_secret_has_three_forms(void **state) {
    static const char *const plain[] = {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
    static const char *const text[] = {"raw:my secret text"};
    static const char *const same[] = {"my secret text"};
    core_buffer one, other;
    core_error error;
    (void)state;
    signs(plain, 1, CODE);
    assert_true(sign(text, 1, ID, &one, &error) && sign(same, 1, ID, &other, &error));
    assert_true(core_slice_equal(core_buffer_slice(&one), core_buffer_slice(&other)));
    core_buffer_fini(&one);
    core_buffer_fini(&other);
}

static void several_secrets_sign_each(void **state) {
    static const char *const both[] = {SECRET, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SECRET};
    core_buffer out;
    core_error error;
    (void)state;
    assert_true(sign(both, 3, ID, &out, &error));
    assert_int_equal(out.length, 3 * strlen(CODE) + 2);
    assert_memory_equal(out.data, CODE " v1,", strlen(CODE) + 4);
    assert_memory_equal(out.data + 2 * (strlen(CODE) + 1), CODE, strlen(CODE));
    core_buffer_fini(&out);
}

static void a_bad_secret_is_refused_and_not_told(void **state) {
    static const char *const bad[] = {
        "whsec_",
        "whsec_SECRETSECRETSECRETSECRETSECRETS",  /* no multiple of four */
        "whsec_SECRETSECRETSECRETSECRET1234",     /* unpadded */
        "whsec_SECRETSECRETSECRETSECRETSECRE===", /* no such padding */
        "whsec_SECRETSECRETSECRETSECRETSECR-T__", /* base64url */
        "whsec_SECRETSECRETSECRETSECRETSECR",     /* 23 bytes and a rest */
        "whsec_U0VDUkVUU0VDUkVUU0VDUkVUU0VDUkU=", /* 23 bytes */
        "whsec_" SIX_BYTES SIX_BYTES SIX_BYTES SIX_BYTES SIX_BYTES SIX_BYTES SIX_BYTES SIX_BYTES
            SIX_BYTES SIX_BYTES SIX_BYTES,
        "whsk_SECRETSECRETSECRETSECRETSECRETSECR",
        "raw:",
        "",
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(bad); i++) {
        net_signing_key key;
        core_error error = {.code = CORE_ERROR_NONE};
        if (net_signing_key_read(core_slice_text(bad[i]), &key, &error))
            fail_msg("%s", bad[i]);
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        assert_null(strstr(error.text, "SECRET"));
        assert_null(strstr(error.text, "U0VD"));
    }
}

static void an_id_that_could_be_two_messages_is_refused(void **state) {
    static const char *const secret[] = {SECRET};
    static const char *const ids[] = {"", "a.b", "a b", "a\nb", "\x80"};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(ids); i++) {
        core_buffer out;
        core_error error;
        assert_false(sign(secret, 1, ids[i], &out, &error));
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        core_buffer_fini(&out);
    }
    core_buffer out;
    core_error error;
    assert_false(sign(NULL, 0, ID, &out, &error));
    core_buffer_fini(&out);
}

static bool mac_fails(core_slice key, core_slice data, uint8_t code[NET_SIGNATURE_MAC_BYTES]) {
    (void)key;
    (void)data;
    (void)code;
    return false;
}

static void what_cannot_be_signed_is_not(void **state) {
    net_signing_key key;
    core_error error;
    uint8_t small[32], room[512];
    (void)state;
    assert_true(net_signing_key_read(core_slice_text(SECRET), &key, &error));
    core_buffer work = core_buffer_over(room, sizeof room);
    core_buffer out = core_buffer_over(small, sizeof small); /* too small for one */
    assert_false(net_signature_write(auth_mac, &key, 1, core_slice_text(ID), TIME,
                                     core_slice_text(BODY), &work, &out, &error));
    core_buffer tight = core_buffer_over(small, sizeof small);
    core_buffer wide = core_buffer_over(room, sizeof room);
    assert_false(net_signature_write(auth_mac, &key, 1, core_slice_text(ID), TIME,
                                     core_slice_text(BODY), &tight, &wide, &error));
    assert_false(net_signature_write(mac_fails, &key, 1, core_slice_text(ID), TIME,
                                     core_slice_text(BODY), &work, &wide, &error));
    net_signing_key_wipe(&key);
    assert_int_equal(key.length, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vector_holds),
        cmocka_unit_test(a_secret_has_three_forms),
        cmocka_unit_test(several_secrets_sign_each),
        cmocka_unit_test(a_bad_secret_is_refused_and_not_told),
        cmocka_unit_test(an_id_that_could_be_two_messages_is_refused),
        cmocka_unit_test(what_cannot_be_signed_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
