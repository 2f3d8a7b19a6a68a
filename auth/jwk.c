/* Public keys by OpenSSL; see jwk.h.
 *
 * What is refused, so that no weak or mistaken key counts: RSA under 2048 bits or with an odd
 * exponent of another kind, points that are not on their curve, keys for encryption, secrets, and
 * keys that were published with their private part. Each failure leaves OpenSSL's error queue
 * empty: the thread's TLS must not find errors there that are not its own. */
#include "auth/jwk.h"

#include "auth/base64url.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>

enum {
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 8192,
    RSA_EXPONENT_MAX_BYTES = 4,
    COORDINATE_MAX = 66, /* P-521 */
    NUMBER_MAX = RSA_BITS_MAX / 8 + 1,
};

static bool note_set(char note[AUTH_JWK_NOTE_MAX], const char *text) {
    (void)snprintf(note, AUTH_JWK_NOTE_MAX, "%s", text);
    return false;
}

/* ---- RSA ---- */

static BIGNUM *number_read(core_slice text, size_t max_bytes) {
    uint8_t memory[NUMBER_MAX];
    core_buffer bytes = core_buffer_over(memory, sizeof memory);
    if (!auth_base64url_decode(text, &bytes) || bytes.length == 0 || bytes.length > max_bytes)
        return NULL;
    return BN_bin2bn(bytes.data, (int)bytes.length, NULL);
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM *params) {
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    bool made = context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(context);
    return made ? pkey : NULL;
}

static EVP_PKEY *rsa_from(const BIGNUM *n, const BIGNUM *e) {
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder != NULL && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(builder);
    if (params != NULL)
        pkey = pkey_from("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

static bool rsa_init(auth_jwk *key, const auth_jwk_text *text, char note[AUTH_JWK_NOTE_MAX]) {
    BIGNUM *n = number_read(text->n, NUMBER_MAX);
    BIGNUM *e = number_read(text->e, RSA_EXPONENT_MAX_BYTES);
    key->kind = AUTH_KEY_RSA;
    if (n == NULL || e == NULL || !BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e))
        (void)note_set(note, "is no RSA key: its n or e is not one");
    else if (BN_num_bits(n) < RSA_BITS_MIN || BN_num_bits(n) > RSA_BITS_MAX)
        (void)snprintf(note, AUTH_JWK_NOTE_MAX, "has %d bits; expected %d to %d", BN_num_bits(n),
                       RSA_BITS_MIN, RSA_BITS_MAX);
    else
        key->pkey = rsa_from(n, e);
    BN_free(n);
    BN_free(e);
    return key->pkey != NULL;
}

/* ---- Curves ---- */

static const struct {
    const char *name; /* both RFC 7518's and OpenSSL's */
    auth_key_kind kind;
    size_t bytes; /* of a coordinate, and of each half of a signature */
} curves[] = {
    {"P-256", AUTH_KEY_P256, 32},
    {"P-384", AUTH_KEY_P384, 48},
    {"P-521", AUTH_KEY_P521, COORDINATE_MAX},
};

static size_t curve_bytes(auth_key_kind kind) {
    for (size_t i = 0; i < CORE_COUNT_OF(curves); i++)
        if (curves[i].kind == kind)
            return curves[i].bytes;
    return 0;
}

static bool point_on_curve(EVP_PKEY *pkey) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool good = context != NULL && EVP_PKEY_public_check_quick(context) == 1;
    EVP_PKEY_CTX_free(context);
    return good;
}

static EVP_PKEY *point_from(size_t curve, const auth_jwk_text *text) {
    uint8_t memory[1 + 2 * COORDINATE_MAX + 1];
    char name[8];
    core_buffer point = core_buffer_over(memory, sizeof memory);
    size_t bytes = curves[curve].bytes;
    core_buffer_u8(&point, 4); /* uncompressed */
    if (!auth_base64url_decode(text->x, &point) || point.length != 1 + bytes ||
        !auth_base64url_decode(text->y, &point) || point.length != 1 + 2 * bytes)
        return NULL;
    (void)snprintf(name, sizeof name, "%s", curves[curve].name);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data, point.length),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *pkey = pkey_from("EC", params);
    if (pkey == NULL || point_on_curve(pkey))
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

static bool ec_init(auth_jwk *key, const auth_jwk_text *text, char note[AUTH_JWK_NOTE_MAX]) {
    for (size_t i = 0; i < CORE_COUNT_OF(curves); i++)
        if (core_json_raw_is(text->crv, curves[i].name)) {
            key->kind = curves[i].kind;
            key->pkey = point_from(i, text);
            return key->pkey != NULL || note_set(note, "is no point of its curve");
        }
    return note_set(note, "is on a curve that is not P-256, P-384 or P-521");
}

static bool okp_init(auth_jwk *key, const auth_jwk_text *text, char note[AUTH_JWK_NOTE_MAX]) {
    uint8_t memory[33];
    core_buffer bytes = core_buffer_over(memory, sizeof memory);
    key->kind = AUTH_KEY_ED25519;
    if (!core_json_raw_is(text->crv, "Ed25519"))
        return note_set(note, "is on a curve that is not Ed25519");
    if (auth_base64url_decode(text->x, &bytes) && bytes.length == 32)
        key->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes.data, bytes.length);
    return key->pkey != NULL || note_set(note, "is no Ed25519 key");
}

/* ---- A key ---- */

static bool pkey_tag(EVP_PKEY *pkey, uint64_t *tag) {
    uint8_t hash[SHA256_DIGEST_LENGTH];
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(pkey, &der);
    bool hashed = length > 0 && SHA256(der, (size_t)length, hash) != NULL;
    OPENSSL_free(der);
    if (hashed)
        memcpy(tag, hash, sizeof *tag);
    return hashed;
}

static bool id_read(auth_jwk *key, core_slice raw) {
    uint8_t memory[6 * AUTH_CLAIM_MAX];
    core_buffer plain = core_buffer_over(memory, sizeof memory);
    return core_json_unescape(raw, &plain) &&
           core_slice_to_text(core_buffer_slice(&plain), key->id, sizeof key->id);
}

/* What it is for. */
static bool use_check(auth_jwk *key, const auth_jwk_text *text, char note[AUTH_JWK_NOTE_MAX]) {
    if (text->malformed)
        return note_set(note, "has a member twice, or one of another type");
    if (text->is_private)
        return note_set(note, "is published with its private part, so anybody may have signed");
    if ((text->use.length > 0 && !core_json_raw_is(text->use, "sig")) || text->cannot_verify)
        return note_set(note, "is not for signatures (use, key_ops)");
    const auth_algorithm *algorithm = auth_algorithm_find(text->alg);
    if (text->alg.length > 0 && (algorithm == NULL || algorithm->kind != key->kind))
        return note_set(note, "is for an algorithm (alg) that is not taken, or not its kind's");
    key->bits = algorithm != NULL ? algorithm->bits : 0;
    return true;
}

static bool kind_init(auth_jwk *key, const auth_jwk_text *text, char note[AUTH_JWK_NOTE_MAX]) {
    if (core_json_raw_is(text->kty, "RSA"))
        return rsa_init(key, text, note);
    if (core_json_raw_is(text->kty, "EC"))
        return ec_init(key, text, note);
    if (core_json_raw_is(text->kty, "OKP"))
        return okp_init(key, text, note);
    if (core_json_raw_is(text->kty, "oct"))
        return note_set(note, "is a secret, and secrets do not travel (kty oct)");
    return note_set(note, "is of a type (kty) that is not RSA, EC or OKP");
}

bool auth_jwk_init(auth_jwk *key, const auth_jwk_text *text, char note[AUTH_JWK_NOTE_MAX]) {
    *key = (auth_jwk){.pkey = NULL};
    (void)note_set(note, "cannot be used");
    if (!id_read(key, text->kid))
        return note_set(note, "has an id (kid) that is too long or not valid");
    if (kind_init(key, text, note) && use_check(key, text, note) && pkey_tag(key->pkey, &key->tag))
        return true;
    ERR_clear_error();
    auth_jwk_fini(key);
    return false;
}

void auth_jwk_fini(auth_jwk *key) {
    EVP_PKEY_free(key->pkey);
    key->pkey = NULL;
}

bool auth_jwk_fits(const auth_jwk *key, const auth_algorithm *algorithm) {
    return key->kind == algorithm->kind && (key->bits == 0 || key->bits == algorithm->bits);
}

/* ---- Verifying ---- */

/* JWS has r and s side by side; OpenSSL wants them in DER. */
static bool ec_signature(core_slice given, size_t bytes, unsigned char **der, size_t *length) {
    if (given.length != 2 * bytes)
        return false;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(given.data, (int)bytes, NULL);
    BIGNUM *s = BN_bin2bn(given.data + bytes, (int)bytes, NULL);
    bool set = signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1;
    if (!set) {
        BN_free(r);
        BN_free(s);
    }
    int made = set ? i2d_ECDSA_SIG(signature, der) : -1;
    ECDSA_SIG_free(signature);
    *length = made > 0 ? (size_t)made : 0;
    return made > 0;
}

static bool signature_holds(const auth_jwk *key, const auth_jwt *jwt, core_slice signature) {
    static const char *const digests[] = {"SHA256", "SHA384", "SHA512"};
    unsigned bits = jwt->algorithm->bits;
    const char *digest = bits == 0 ? NULL : digests[bits / 128 - 2];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds = context != NULL &&
                 EVP_DigestVerifyInit_ex(context, NULL, digest, NULL, NULL, key->pkey, NULL) == 1 &&
                 EVP_DigestVerify(context, signature.data, signature.length, jwt->signed_text.data,
                                  jwt->signed_text.length) == 1;
    EVP_MD_CTX_free(context);
    return holds;
}

bool auth_jwk_verify(const auth_jwk *key, const auth_jwt *jwt) {
    core_slice signature = core_buffer_slice(&jwt->signature);
    unsigned char *der = NULL;
    size_t bytes = curve_bytes(key->kind);
    if (!auth_jwk_fits(key, jwt->algorithm) || signature.length == 0)
        return false;
    bool holds = bytes == 0 || ec_signature(signature, bytes, &der, &signature.length);
    if (der != NULL)
        signature.data = der;
    holds = holds && signature_holds(key, jwt, signature);
    OPENSSL_free(der);
    if (!holds)
        ERR_clear_error();
    return holds;
}
