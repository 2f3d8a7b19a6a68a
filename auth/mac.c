/* HMAC-SHA256 by OpenSSL; see mac.h. */
#include "auth/mac.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

bool auth_mac(core_slice key, core_slice data, uint8_t code[AUTH_MAC_SIZE]) {
    static const uint8_t nothing[1]; /* HMAC takes a NULL key for "the key of before" */
    unsigned length = 0;
    if (key.length > INT_MAX)
        return false;
    const void *key_bytes = key.length > 0 ? key.data : nothing;
    return HMAC(EVP_sha256(), key_bytes, (int)key.length, data.data, data.length, code, &length) !=
               NULL &&
           length == AUTH_MAC_SIZE;
}

bool auth_digest(core_slice data, uint8_t digest[AUTH_MAC_SIZE]) {
    unsigned length = 0;
    return EVP_Digest(data.data, data.length, digest, &length, EVP_sha256(), NULL) == 1 &&
           length == AUTH_MAC_SIZE;
}

bool auth_mac_equal(const uint8_t code[AUTH_MAC_SIZE], core_slice given) {
    return given.length == AUTH_MAC_SIZE && CRYPTO_memcmp(code, given.data, AUTH_MAC_SIZE) == 0;
}
