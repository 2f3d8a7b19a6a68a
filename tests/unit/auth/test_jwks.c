/* Key sets: which keys count, for which algorithms, and signatures with all of them. Examples of
 * RFC 7515 (A.2 to A.4) and RFC 8037 (A.4), and keys that OpenSSL makes here. */
#include "auth/jwks.h"

#include "keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static auth_jwks *parse(const char *json) {
    core_error error = {.code = CORE_ERROR_NONE};
    auth_jwks *keys = auth_jwks_parse(core_slice_text(json), &error);
    if (keys == NULL)
        fail_msg("%s: %s", json, error.text);
    return keys;
}

static bool verifies(const auth_jwks *keys, size_t index, core_slice token) {
    auth_jwt jwt;
    bool holds =
        auth_jwt_read(&jwt, token) == AUTH_OK && auth_jwk_verify(auth_jwks_at(keys, index), &jwt);
    auth_jwt_fini(&jwt);
    return holds;
}

/* ---- The RFCs' examples ---- */

#define RFC_PAYLOAD                                                                                \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"

static const struct {
    const char *name, *key, *token;
} examples[] = {
    {"RFC 7515 A.2",
     "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-"
     "Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_"
     "7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3"
     "qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"
     "yuXpoQ\",\"e\":\"AQAB\"}",
     "eyJhbGciOiJSUzI1NiJ9." RFC_PAYLOAD
     ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2F"
     "p5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB"
     "MHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeY"
     "I2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    {"RFC 7515 A.3",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD
     ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {"RFC 7515 A.4",
     "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpX"
     "p5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxV"
     "g_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
     "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWRO"
     "c-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vc"
     "nwNrmxYbSW9ERBXukOXolLzeO_Jn"},
    {"RFC 8037 A.4",
     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGc"
     "vMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
};

static void the_rfcs_examples_verify(void **state) {
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(examples); i++) {
        char json[2048];
        snprintf(json, sizeof json, "{\"keys\":[%s]}", examples[i].key);
        auth_jwks *keys = parse(json);
        assert_int_equal(auth_jwks_count(keys), 1);
        if (!verifies(keys, 0, core_slice_text(examples[i].token)))
            fail_msg("%s", examples[i].name);
        auth_jwks_release(keys);
    }
}

/* ---- Every algorithm against every key ---- */

enum { RSA_KEY, P256_KEY, P384_KEY, P521_KEY, ED_KEY, OTHER_RSA_KEY, KEYS };

static const struct {
    const char *name;
    int key;
    unsigned bits;
} algorithms[] = {
    {"RS256", RSA_KEY, 256},  {"RS384", RSA_KEY, 384},  {"RS512", RSA_KEY, 512},
    {"ES256", P256_KEY, 256}, {"ES384", P384_KEY, 384}, {"ES512", P521_KEY, 512},
    {"EdDSA", ED_KEY, 0},     {"Ed25519", ED_KEY, 0},
};

typedef struct {
    EVP_PKEY *made[KEYS];
    auth_jwks *set;
} fixture;

static int fixture_new(void **state) {
    static fixture it;
    core_buffer json;
    core_buffer_init(&json, 1 << 16);
    it.made[RSA_KEY] = EVP_RSA_gen(2048);
    it.made[OTHER_RSA_KEY] = EVP_RSA_gen(2048);
    it.made[P256_KEY] = EVP_EC_gen("P-256");
    it.made[P384_KEY] = EVP_EC_gen("P-384");
    it.made[P521_KEY] = EVP_EC_gen("P-521");
    it.made[ED_KEY] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    core_buffer_text(&json, "{\"keys\":[");
    for (int i = 0; i < KEYS; i++) {
        core_buffer_text(&json, i > 0 ? "," : "");
        test_jwk(&json, it.made[i], "\"kid\":\"\\u006b\"");
    }
    core_buffer_text(&json, "]}");
    core_buffer_u8(&json, 0);
    it.set = parse((const char *)json.data);
    core_buffer_fini(&json);
    *state = &it;
    return auth_jwks_count(it.set) != KEYS;
}

static int fixture_free(void **state) {
    fixture *it = *state;
    auth_jwks_release(it->set);
    for (int i = 0; i < KEYS; i++)
        EVP_PKEY_free(it->made[i]);
    return 0;
}

static void each_algorithm_is_for_its_own_keys_only(void **state) {
    const fixture *it = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(algorithms); i++) {
        core_buffer token;
        char header[64];
        core_buffer_init(&token, AUTH_TOKEN_MAX);
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algorithms[i].name);
        test_sign(&token, it->made[algorithms[i].key], algorithms[i].bits, header, "{}");
        for (int key = 0; key < KEYS; key++)
            if (verifies(it->set, (size_t)key, core_buffer_slice(&token)) !=
                (key == algorithms[i].key))
                fail_msg("%s with key %d", algorithms[i].name, key);
        core_buffer_fini(&token);
    }
}

/* The signature is good, but for another algorithm than the header's. */
static void another_digest_than_the_headers_is_refused(void **state) {
    const fixture *it = *state;
    static const char *const headers[] = {"{\"alg\":\"RS256\"}", "{\"alg\":\"PS512\"}",
                                          "{\"alg\":\"ES256\"}", "{\"alg\":\"HS512\"}",
                                          "{\"alg\":\"none\"}"};
    for (size_t i = 0; i < CORE_COUNT_OF(headers); i++) {
        core_buffer token;
        core_buffer_init(&token, AUTH_TOKEN_MAX);
        test_sign(&token, it->made[RSA_KEY], 512, headers[i], "{}");
        for (size_t key = 0; key < KEYS; key++)
            assert_false(verifies(it->set, key, core_buffer_slice(&token)));
        core_buffer_fini(&token);
    }
}

static void any_changed_byte_of_a_signature_is_refused(void **state) {
    const fixture *it = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(algorithms); i++) {
        core_buffer token;
        auth_jwt jwt;
        char header[64];
        core_buffer_init(&token, AUTH_TOKEN_MAX);
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algorithms[i].name);
        test_sign(&token, it->made[algorithms[i].key], algorithms[i].bits, header, "{}");
        const auth_jwk *key = auth_jwks_at(it->set, (size_t)algorithms[i].key);
        assert_int_equal(auth_jwt_read(&jwt, core_buffer_slice(&token)), AUTH_OK);
        for (size_t at = 0; at < jwt.signature.length; at += 7) {
            jwt.signature.data[at] ^= 1;
            assert_false(auth_jwk_verify(key, &jwt));
            jwt.signature.data[at] ^= 1;
        }
        assert_true(auth_jwk_verify(key, &jwt));
        for (size_t length = 0; length < jwt.signature.length; length += 5) {
            size_t whole = jwt.signature.length;
            jwt.signature.length = length;
            assert_false(auth_jwk_verify(key, &jwt));
            jwt.signature.length = whole;
        }
        memset(jwt.signature.data, 0, jwt.signature.length);
        assert_false(auth_jwk_verify(key, &jwt));
        auth_jwt_fini(&jwt);
        core_buffer_fini(&token);
    }
}

/* ---- Which keys count ---- */

static void keys_say_what_they_are_for(void **state) {
    const fixture *it = *state;
    static const struct {
        const char *more;
        int key;
        const char *note; /* NULL: it counts */
    } cases[] = {
        {"\"kid\":\"a\",\"use\":\"sig\"", RSA_KEY, NULL},
        {"\"kid\":\"a\",\"alg\":\"RS384\",\"key_ops\":[\"verify\"],\"x5c\":[{}]", RSA_KEY, NULL},
        {"\"kid\":\"a\",\"alg\":\"ES256\",\"more\":{\"use\":\"enc\"}", P256_KEY, NULL},
        {"\"kid\":\"a\",\"use\":\"enc\"", RSA_KEY, "key a is not for signatures"},
        {"\"key_ops\":[\"encrypt\",{\"verify\":1}]", RSA_KEY, "key without an id is not for"},
        {"\"key_ops\":\"verify\"", RSA_KEY, "is not for signatures"},
        {"\"alg\":\"PS256\"", RSA_KEY, "is for an algorithm"},
        {"\"alg\":\"ES256\"", RSA_KEY, "is for an algorithm"},
        {"\"alg\":\"ES384\"", P256_KEY, "is for an algorithm"},
        {"\"alg\":\"HS256\"", RSA_KEY, "is for an algorithm"},
        {"\"d\":\"AQAB\"", RSA_KEY, "private part"},
        {"\"kid\":\"a\",\"kid\":\"b\"", ED_KEY, "twice"},
        {"\"kid\":7", ED_KEY, "another type"},
        {"\"kid\":\"\\ud800\"", ED_KEY, "id (kid)"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        core_buffer json;
        const char *note;
        core_buffer_init(&json, 1 << 14);
        core_buffer_text(&json, "{\"keys\":[");
        test_jwk(&json, it->made[cases[i].key], cases[i].more);
        core_buffer_text(&json, "]}");
        core_buffer_u8(&json, 0);
        auth_jwks *keys = parse((const char *)json.data);
        assert_int_equal(auth_jwks_count(keys), cases[i].note == NULL);
        assert_int_equal(auth_jwks_left_out(keys, &note), cases[i].note != NULL);
        if (cases[i].note != NULL && strstr(note, cases[i].note) == NULL)
            fail_msg("%s: %s", cases[i].more, note);
        auth_jwks_release(keys);
        core_buffer_fini(&json);
    }
}

static void a_key_for_one_algorithm_is_for_no_other(void **state) {
    const fixture *it = *state;
    core_buffer json, token;
    core_buffer_init(&json, 1 << 14);
    core_buffer_text(&json, "{\"keys\":[");
    test_jwk(&json, it->made[RSA_KEY], "\"alg\":\"RS384\"");
    core_buffer_text(&json, "]}");
    core_buffer_u8(&json, 0);
    auth_jwks *keys = parse((const char *)json.data);
    for (unsigned bits = 256; bits <= 512; bits += 128) {
        char header[64];
        snprintf(header, sizeof header, "{\"alg\":\"RS%u\"}", bits);
        core_buffer_init(&token, AUTH_TOKEN_MAX);
        test_sign(&token, it->made[RSA_KEY], bits, header, "{}");
        assert_int_equal(verifies(keys, 0, core_buffer_slice(&token)), bits == 384);
        core_buffer_fini(&token);
    }
    auth_jwks_release(keys);
    core_buffer_fini(&json);
}

static void weak_and_broken_keys_do_not_count(void **state) {
    (void)state;
    static const struct {
        const char *key, *note;
    } cases[] = {
        {"{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}", "secrets do not travel"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "expected 2048"},
        {"{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "no RSA key"},
        {"{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}", "no RSA key"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQ\"}", "no RSA key"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"Ag\"}", "no RSA key"},
        {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"\",\"y\":\"\"}", "not P-256"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
         "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
         "no point"},
        {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
         "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
         "no point"},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_"
         "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
         "not Ed25519"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg\"}", "no Ed25519"},
        {"{\"kty\":\"PEM\"}", "not RSA, EC or OKP"},
        {"{}", "not RSA, EC or OKP"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        char json[1024];
        const char *note;
        snprintf(json, sizeof json, "{\"keys\":[%s]}", cases[i].key);
        auth_jwks *keys = parse(json);
        assert_int_equal(auth_jwks_count(keys), 0);
        assert_int_equal(auth_jwks_left_out(keys, &note), 1);
        if (strstr(note, cases[i].note) == NULL)
            fail_msg("%s: %s", cases[i].key, note);
        auth_jwks_release(keys);
    }
}

/* ---- Documents ---- */

static void what_is_no_key_set_is_refused(void **state) {
    (void)state;
    static const char *const documents[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[1]}",
        "{\"keys\":[]",
        "{\"keys\":[]}x",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[{\"kty\":}]}",
        "{\"keys\":[{\"kty\":\"RSA\"]}",
        "{\"keys\":[{},]}",
        "{\"keys\":[],\"a\":\"\xff\"}",
        "<html>Not found</html>",
    };
    for (size_t i = 0; i < CORE_COUNT_OF(documents); i++) {
        core_error error = {.code = CORE_ERROR_NONE};
        if (auth_jwks_parse(core_slice_text(documents[i]), &error) != NULL)
            fail_msg("%s", documents[i]);
        assert_int_equal(error.code, CORE_ERROR_INPUT);
        assert_non_null(strstr(error.text, "not a JSON Web Key Set"));
    }
}

static void an_empty_set_is_one(void **state) {
    (void)state;
    auth_jwks *keys = parse("{\"issuer\":{\"keys\":1},\"keys\":[]}");
    assert_int_equal(auth_jwks_count(keys), 0);
    auth_jwks_release(keys);
}

static void a_set_has_a_largest_size(void **state) {
    (void)state;
    for (size_t count = AUTH_JWKS_MAX_KEYS; count <= AUTH_JWKS_MAX_KEYS + 1; count++) {
        core_buffer json;
        core_error error = {.code = CORE_ERROR_NONE};
        core_buffer_init(&json, 1 << 14);
        core_buffer_text(&json, "{\"keys\":[{}");
        for (size_t i = 1; i < count; i++)
            core_buffer_text(&json, ",{}");
        core_buffer_text(&json, "]}");
        auth_jwks *keys = auth_jwks_parse(core_buffer_slice(&json), &error);
        assert_int_equal(keys != NULL, count == AUTH_JWKS_MAX_KEYS);
        assert_int_equal(error.code, keys != NULL ? CORE_ERROR_NONE : CORE_ERROR_LIMIT);
        auth_jwks_release(keys);
        core_buffer_fini(&json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_examples_verify),
        cmocka_unit_test(each_algorithm_is_for_its_own_keys_only),
        cmocka_unit_test(another_digest_than_the_headers_is_refused),
        cmocka_unit_test(any_changed_byte_of_a_signature_is_refused),
        cmocka_unit_test(keys_say_what_they_are_for),
        cmocka_unit_test(a_key_for_one_algorithm_is_for_no_other),
        cmocka_unit_test(weak_and_broken_keys_do_not_count),
        cmocka_unit_test(what_is_no_key_set_is_refused),
        cmocka_unit_test(an_empty_set_is_one),
        cmocka_unit_test(a_set_has_a_largest_size),
    };
    return cmocka_run_group_tests(tests, fixture_new, fixture_free);
}
