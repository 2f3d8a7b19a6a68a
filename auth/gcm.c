/* AES-256-GCM by OpenSSL; see gcm.h. */
#include "auth/gcm.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

/* The library takes NULL for "nothing is given now". */
static const uint8_t *gcm_bytes(core_slice slice) {
    static const uint8_t nothing[1];
    return slice.length > 0 ? slice.data : nothing;
}

static bool gcm_fits(core_slice associated, core_slice text) {
    return associated.length <= INT_MAX && text.length <= INT_MAX - AUTH_GCM_TAG_SIZE;
}

static bool gcm_seal_with(EVP_CIPHER_CTX *cipher, core_slice associated, core_slice plain,
                          uint8_t *sealed) {
    int length = 0;
    return EVP_EncryptUpdate(cipher, NULL, &length, gcm_bytes(associated),
                             (int)associated.length) == 1 &&
           EVP_EncryptUpdate(cipher, sealed, &length, gcm_bytes(plain), (int)plain.length) == 1 &&
           EVP_EncryptFinal_ex(cipher, sealed + length, &length) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, AUTH_GCM_TAG_SIZE,
                               sealed + plain.length) == 1;
}

bool auth_gcm_seal(const uint8_t key[AUTH_GCM_KEY_SIZE], const uint8_t nonce[AUTH_GCM_NONCE_SIZE],
                   core_slice associated, core_slice plain, uint8_t *sealed) {
    EVP_CIPHER_CTX *cipher = gcm_fits(associated, plain) ? EVP_CIPHER_CTX_new() : NULL;
    bool ok = cipher != NULL &&
              EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
              gcm_seal_with(cipher, associated, plain, sealed);
    EVP_CIPHER_CTX_free(cipher);
    return ok;
}

static bool gcm_open_with(EVP_CIPHER_CTX *cipher, core_slice associated, core_slice text,
                          const uint8_t *tag, uint8_t *plain) {
    uint8_t expected[AUTH_GCM_TAG_SIZE];
    int length = 0;
    memcpy(expected, tag, sizeof expected); /* the library wants to write there */
    return EVP_DecryptUpdate(cipher, NULL, &length, gcm_bytes(associated),
                             (int)associated.length) == 1 &&
           EVP_DecryptUpdate(cipher, plain, &length, gcm_bytes(text), (int)text.length) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, AUTH_GCM_TAG_SIZE, expected) == 1 &&
           EVP_DecryptFinal_ex(cipher, plain + length, &length) == 1;
}

bool auth_gcm_open(const uint8_t key[AUTH_GCM_KEY_SIZE], const uint8_t nonce[AUTH_GCM_NONCE_SIZE],
                   core_slice associated, core_slice sealed, uint8_t *plain) {
    if (sealed.length < AUTH_GCM_TAG_SIZE || !gcm_fits(associated, sealed))
        return false;
    core_slice text = core_slice_make(sealed.data, sealed.length - AUTH_GCM_TAG_SIZE);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool ok = cipher != NULL &&
              EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
              gcm_open_with(cipher, associated, text, sealed.data + text.length, plain);
    EVP_CIPHER_CTX_free(cipher);
    if (!ok)
        auth_wipe(plain, text.length);
    return ok;
}

bool auth_random(uint8_t *bytes, size_t length) {
    return length <= INT_MAX && RAND_bytes(bytes, (int)length) == 1;
}

void auth_wipe(void *memory, size_t length) {
    OPENSSL_cleanse(memory, length);
}

void auth_wipe_buffer(core_buffer *buffer) {
    if (buffer->data != NULL)
        auth_wipe(buffer->data, buffer->capacity);
    core_buffer_fini(buffer);
}
