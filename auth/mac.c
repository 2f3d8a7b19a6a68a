/* HMAC by OpenSSL; see mac.h. */
#include "auth/mac.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static bool mac_make(const EVP_MD *digest, core_slice key, core_slice data, uint8_t *code,
                     size_t size) {
    static const uint8_t nothing[1]; /* HMAC takes a NULL key for "the key of before" */
    unsigned length = 0;
    if (key.length > INT_MAX)
        return false;
    const void *key_bytes = key.length > 0 ? key.data : nothing;
    return HMAC(digest, key_bytes, (int)key.length, data.data, data.length, code, &length) !=
               NULL &&
           length == size;
}

bool auth_mac(core_slice key, core_slice data, uint8_t code[AUTH_MAC_SIZE]) {
    return mac_make(EVP_sha256(), key, data, code, AUTH_MAC_SIZE);
}

bool auth_digest(core_slice data, uint8_t digest[AUTH_MAC_SIZE]) {
    unsigned length = 0;
    return EVP_Digest(data.data, data.length, digest, &length, EVP_sha256(), NULL) == 1 &&
           length == AUTH_MAC_SIZE;
}

bool auth_mac_equal(const uint8_t code[AUTH_MAC_SIZE], core_slice given) {
    return given.length == AUTH_MAC_SIZE && CRYPTO_memcmp(code, given.data, AUTH_MAC_SIZE) == 0;
}

bool auth_mac_verify(unsigned bits, core_slice key, core_slice data, core_slice given) {
    uint8_t code[EVP_MAX_MD_SIZE];
    const EVP_MD *digest = bits == 512 ? EVP_sha512() : bits == 384 ? EVP_sha384() : EVP_sha256();
    size_t size = (size_t)EVP_MD_get_size(digest);
    return mac_make(digest, key, data, code, size) && given.length == size &&
           CRYPTO_memcmp(code, given.data, size) == 0;
}
