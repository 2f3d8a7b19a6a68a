/* A token's form and algorithm, and signatures with the secret; see jwt.h.
 *
 * The signature is checked before anything of the payload is looked at, and the algorithm is one of
 * the table below, each for keys of one kind: `none`, or an extension that we do not know (`crit`)
 * is refused as a signature that does not hold. What else the header offers (jku, jwk, x5c) is
 * never looked at: keys come from the configuration. */
#include "auth/base64url.h"
#include "auth/claims.h"
#include "auth/jwt.h"
#include "auth/mac.h"

static const auth_algorithm algorithms[] = {
    {"HS256", AUTH_KEY_SECRET, 256},  {"HS384", AUTH_KEY_SECRET, 384},
    {"HS512", AUTH_KEY_SECRET, 512},  {"RS256", AUTH_KEY_RSA, 256},
    {"RS384", AUTH_KEY_RSA, 384},     {"RS512", AUTH_KEY_RSA, 512},
    {"ES256", AUTH_KEY_P256, 256},    {"ES384", AUTH_KEY_P384, 384},
    {"ES512", AUTH_KEY_P521, 512},    {"EdDSA", AUTH_KEY_ED25519, 0},
    {"Ed25519", AUTH_KEY_ED25519, 0},
};

const auth_algorithm *auth_algorithm_find(core_slice name) {
    for (size_t i = 0; i < CORE_COUNT_OF(algorithms); i++)
        if (core_slice_is(name, algorithms[i].name))
            return &algorithms[i];
    return NULL;
}

/* Up to the next dot, which is taken too. */
static bool part_take(core_slice *rest, core_slice *part) {
    const uint8_t *dot = rest->length > 0 ? memchr(rest->data, '.', rest->length) : NULL;
    if (dot == NULL)
        return false;
    *part = core_slice_make(rest->data, (size_t)(dot - rest->data));
    *rest = core_slice_make(dot + 1, rest->length - part->length - 1);
    return true;
}

static auth_verdict header_take(auth_jwt *jwt, core_slice json) {
    auth_claim_set header = {.count = 0};
    auth_verdict verdict = auth_claim_set_parse(&header, json);
    const auth_claim *algorithm = auth_claim_find(&header, "alg");
    if (verdict == AUTH_OK && algorithm != NULL && algorithm->kind == CORE_JSON_STRING)
        jwt->algorithm = auth_algorithm_find(algorithm->value);
    if (verdict != AUTH_OK)
        verdict = AUTH_MALFORMED;
    else if (jwt->algorithm == NULL || auth_claim_find(&header, "crit") != NULL ||
             auth_claim_text(&header, "kid", jwt->key_id) != AUTH_OK)
        verdict = AUTH_SIGNATURE;
    auth_claim_set_fini(&header);
    return verdict;
}

static auth_verdict header_read(auth_jwt *jwt, core_slice encoded) {
    core_buffer json;
    core_buffer_init(&json, AUTH_TOKEN_MAX);
    auth_verdict verdict = AUTH_MALFORMED;
    if (auth_base64url_decode(encoded, &json))
        verdict = header_take(jwt, core_buffer_slice(&json));
    core_buffer_fini(&json);
    return verdict;
}

auth_verdict auth_jwt_read(auth_jwt *jwt, core_slice token) {
    core_slice header, rest = token;
    *jwt = (auth_jwt){.token = token};
    core_buffer_init(&jwt->signature, AUTH_TOKEN_MAX);
    if (token.length == 0)
        return AUTH_MISSING;
    if (token.length > AUTH_TOKEN_MAX || !part_take(&rest, &header) ||
        !part_take(&rest, &jwt->payload) ||
        (rest.length > 0 && memchr(rest.data, '.', rest.length) != NULL))
        return AUTH_MALFORMED;
    jwt->signed_text = core_slice_make(token.data, token.length - rest.length - 1);
    auth_verdict verdict = header_read(jwt, header);
    if (verdict == AUTH_OK && !auth_base64url_decode(rest, &jwt->signature))
        verdict = AUTH_MALFORMED;
    return verdict;
}

void auth_jwt_fini(auth_jwt *jwt) {
    core_buffer_fini(&jwt->signature);
}

bool auth_jwt_verify_secret(const auth_jwt *jwt, core_slice secret) {
    return jwt->algorithm->kind == AUTH_KEY_SECRET && secret.length > 0 &&
           auth_mac_verify(jwt->algorithm->bits, secret, jwt->signed_text,
                           core_buffer_slice(&jwt->signature));
}

bool auth_jwt_payload(const auth_jwt *jwt, core_buffer *payload) {
    return auth_base64url_decode(jwt->payload, payload);
}
