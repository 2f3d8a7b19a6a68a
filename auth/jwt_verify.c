/* A token's form, algorithm and signature; see jwt.h.
 *
 * The signature is checked before anything of the payload is looked at, and the algorithm comes
 * from what we accept, never from what the token asks for: `none`, a public-key algorithm or an
 * extension that we do not know (`crit`) is refused as a signature that does not hold. */
#include "auth/base64url.h"
#include "auth/claims.h"
#include "auth/jwt.h"
#include "auth/mac.h"

typedef struct {
    core_slice header;
    core_slice payload;
    core_slice signature;
    core_slice signed_text; /* header.payload */
} jwt_parts;

/* Up to the next dot, which is taken too. */
static bool part_take(core_slice *rest, core_slice *part) {
    const uint8_t *dot = rest->length > 0 ? memchr(rest->data, '.', rest->length) : NULL;
    if (dot == NULL)
        return false;
    *part = core_slice_make(rest->data, (size_t)(dot - rest->data));
    *rest = core_slice_make(dot + 1, rest->length - part->length - 1);
    return true;
}

static bool parts_split(core_slice token, jwt_parts *parts) {
    core_slice rest = token;
    if (!part_take(&rest, &parts->header) || !part_take(&rest, &parts->payload))
        return false;
    parts->signature = rest;
    parts->signed_text = core_slice_make(token.data, token.length - rest.length - 1);
    return memchr(rest.data, '.', rest.length) == NULL;
}

static auth_verdict header_check(core_slice encoded) {
    core_buffer json;
    core_buffer_init(&json, AUTH_TOKEN_MAX);
    auth_claim_set header = {.count = 0};
    auth_verdict verdict = AUTH_MALFORMED;
    if (auth_base64url_decode(encoded, &json)) {
        verdict = auth_claim_set_parse(&header, core_buffer_slice(&json));
        const auth_claim *algorithm = auth_claim_find(&header, "alg");
        if (verdict != AUTH_OK)
            verdict = AUTH_MALFORMED;
        else if (algorithm == NULL || algorithm->kind != CORE_JSON_STRING ||
                 !core_slice_is(algorithm->value, "HS256") ||
                 auth_claim_find(&header, "crit") != NULL)
            verdict = AUTH_SIGNATURE;
        auth_claim_set_fini(&header);
    }
    core_buffer_fini(&json);
    return verdict;
}

static auth_verdict signature_check(const jwt_parts *parts, core_slice secret) {
    core_buffer given;
    core_buffer_init(&given, AUTH_TOKEN_MAX);
    uint8_t code[AUTH_MAC_SIZE];
    auth_verdict verdict = AUTH_MALFORMED;
    if (auth_base64url_decode(parts->signature, &given))
        verdict = auth_mac(secret, parts->signed_text, code) &&
                          auth_mac_equal(code, core_buffer_slice(&given))
                      ? AUTH_OK
                      : AUTH_SIGNATURE;
    core_buffer_fini(&given);
    return verdict;
}

auth_verdict auth_jwt_verify(core_slice token, core_slice secret, core_buffer *payload) {
    jwt_parts parts;
    if (token.length == 0)
        return AUTH_MISSING;
    if (token.length > AUTH_TOKEN_MAX || !parts_split(token, &parts))
        return AUTH_MALFORMED;
    auth_verdict verdict = header_check(parts.header);
    if (verdict == AUTH_OK)
        verdict = signature_check(&parts, secret);
    if (verdict == AUTH_OK && !auth_base64url_decode(parts.payload, payload))
        verdict = AUTH_MALFORMED;
    return verdict;
}
