/* Keys made for a test, their JWKs, and tokens signed with them: by OpenSSL, as an issuer would. */
#ifndef WALCAST_TESTS_UNIT_AUTH_KEYS_H
#define WALCAST_TESTS_UNIT_AUTH_KEYS_H

#include "auth/base64url.h"
#include "auth/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

static inline void test_encode(core_buffer *out, const char *name, const uint8_t *data,
                               size_t length) {
    core_buffer_format(out, ",\"%s\":\"", name);
    auth_base64url_encode(core_slice_make(data, length), out);
    core_buffer_text(out, "\"");
}

static inline void test_encode_number(core_buffer *out, const char *name, EVP_PKEY *key,
                                      const char *parameter, size_t width) {
    uint8_t bytes[1100];
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(key, parameter, &number) != 1)
        abort();
    int length = BN_bn2binpad(number, bytes, width > 0 ? (int)width : BN_num_bytes(number));
    if (length < 0)
        abort();
    test_encode(out, name, bytes, (size_t)length);
    BN_free(number);
}

/* The key's JWK with `more` members in front: `"kid":"a"`. */
static inline void test_jwk(core_buffer *out, EVP_PKEY *key, const char *more) {
    core_buffer_format(out, "{%s", more);
    if (EVP_PKEY_is_a(key, "RSA")) {
        core_buffer_text(out, ",\"kty\":\"RSA\"");
        test_encode_number(out, "n", key, OSSL_PKEY_PARAM_RSA_N, 0);
        test_encode_number(out, "e", key, OSSL_PKEY_PARAM_RSA_E, 0);
    } else if (EVP_PKEY_is_a(key, "EC")) {
        size_t width = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
        core_buffer_format(out, ",\"kty\":\"EC\",\"crv\":\"P-%d\"", EVP_PKEY_get_bits(key));
        test_encode_number(out, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, width);
        test_encode_number(out, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, width);
    } else {
        uint8_t bytes[64];
        size_t length = sizeof bytes;
        if (EVP_PKEY_get_raw_public_key(key, bytes, &length) != 1)
            abort();
        core_buffer_text(out, ",\"kty\":\"OKP\",\"crv\":\"Ed25519\"");
        test_encode(out, "x", bytes, length);
    }
    core_buffer_text(out, "}");
}

/* OpenSSL's DER as JWS wants it. */
static inline size_t test_ec_raw(uint8_t *signature, size_t length, size_t width) {
    const unsigned char *der = signature;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &der, (long)length);
    if (parsed == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(parsed), signature, (int)width) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(parsed), signature + width, (int)width) < 0)
        abort();
    ECDSA_SIG_free(parsed);
    return 2 * width;
}

/* `bits` of the digest, 0 for Ed25519. */
static inline void test_sign(core_buffer *out, EVP_PKEY *key, unsigned bits, const char *header,
                             const char *payload) {
    uint8_t signature[2048];
    size_t start = out->length, length = sizeof signature;
    const char *digest = bits == 0     ? NULL
                         : bits == 256 ? "SHA256"
                         : bits == 384 ? "SHA384"
                                       : "SHA512";
    auth_base64url_encode(core_slice_text(header), out);
    core_buffer_text(out, ".");
    auth_base64url_encode(core_slice_text(payload), out);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, key, NULL) != 1 ||
        EVP_DigestSign(context, signature, &length, out->data + start, out->length - start) != 1)
        abort();
    EVP_MD_CTX_free(context);
    if (EVP_PKEY_is_a(key, "EC"))
        length = test_ec_raw(signature, length, ((size_t)EVP_PKEY_get_bits(key) + 7) / 8);
    core_buffer_text(out, ".");
    auth_base64url_encode(core_slice_make(signature, length), out);
}

#endif
