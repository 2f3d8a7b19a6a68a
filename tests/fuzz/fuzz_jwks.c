/* Any bytes as an issuer's key set: they give a set within its limits, or an error with a text; and
 * whatever key comes of them refuses a token that it did not sign. */
#include "auth/jwks.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keys_try(const auth_jwks *keys, const char *token) {
    auth_jwt jwt;
    if (auth_jwt_read(&jwt, core_slice_text(token)) != AUTH_OK)
        abort();
    for (size_t i = 0; i < auth_jwks_count(keys); i++)
        if (auth_jwk_verify(auth_jwks_at(keys, i), &jwt))
            abort();
    auth_jwt_fini(&jwt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_error error = {.code = CORE_ERROR_NONE};
    const char *note;
    auth_jwks *keys = auth_jwks_parse(core_slice_make(data, size), &error);
    if (keys == NULL) {
        if (error.code == CORE_ERROR_NONE || error.text[0] == '\0')
            abort();
        return 0;
    }
    size_t left_out = auth_jwks_left_out(keys, &note);
    if (auth_jwks_count(keys) + left_out > AUTH_JWKS_MAX_KEYS ||
        (left_out > 0) != (note[0] != '\0'))
        abort();
    keys_try(keys, "eyJhbGciOiJSUzI1NiJ9.e30.AQAB");
    keys_try(keys, "eyJhbGciOiJFUzI1NiJ9.e30.AQAB");
    keys_try(keys, "eyJhbGciOiJFZERTQSJ9.e30.AQAB");
    auth_jwks_release(keys);
    return 0;
}
