/* The verifier: a secret, a clock and the projects that the process hosts; see auth.h.
 *
 * Happy path: form, algorithm and signature (jwt_verify.c), then times, then who it is. Everything
 * else is a verdict that names the first thing that is wrong. There is no leeway for clocks that
 * differ: a token is over at its `exp` and does not count before its `nbf`. */
#include "auth/claims.h"
#include "auth/jwt.h"
#include "auth/keys.h"
#include "auth/place.h"

#include <stdlib.h>

#define US_PER_S INT64_C(1000000)

struct auth_verifier {
    core_slice secret; /* the config's text; empty: closed */
    const core_config *config;
    const core_clock *clock;
    auth_keys *keys; /* API keys and revoked tokens; NULL: neither is known here */
};

auth_verifier *auth_verifier_new(const auth_verifier_spec *spec, core_error *error) {
    const core_config *config = spec->config;
    auth_verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the token verifier");
        return NULL;
    }
    *verifier = (auth_verifier){
        .secret = core_slice_text(core_config_text(config, "auth.jwt_secret")),
        .config = config,
        .clock = spec->clock,
        .keys = spec->keys ? auth_keys_new(spec, error) : NULL,
    };
    if (verifier->keys != NULL || !spec->keys)
        return verifier;
    auth_verifier_free(verifier);
    return NULL;
}

void auth_verifier_free(auth_verifier *verifier) {
    if (verifier != NULL)
        auth_keys_free(verifier->keys);
    free(verifier);
}

bool auth_verifier_open(const auth_verifier *verifier) {
    return verifier->secret.length > 0;
}

static int64_t seconds_floor(int64_t time_us) {
    return time_us / US_PER_S - (time_us % US_PER_S < 0 ? 1 : 0);
}

static auth_verdict times_check(const auth_claim_set *set, int64_t now_us, auth_claims *claims) {
    bool has_expiry = false;
    bool has_start = false;
    int64_t expiry_us = 0;
    int64_t start_us = 0;
    if (auth_claim_time(set, "exp", &has_expiry, &expiry_us) != AUTH_OK ||
        auth_claim_time(set, "nbf", &has_start, &start_us) != AUTH_OK)
        return AUTH_CLAIM_INVALID;
    if (!has_expiry)
        return AUTH_CLAIM_MISSING;
    if (expiry_us <= now_us)
        return AUTH_EXPIRED;
    if (has_start && start_us > now_us)
        return AUTH_NOT_YET;
    claims->expires_s = seconds_floor(expiry_us);
    return AUTH_OK;
}

static auth_verdict identity_check(const auth_verifier *verifier, const auth_claim_set *set,
                                   auth_claims *claims) {
    auth_verdict verdict = auth_claim_text(set, "role", claims->role);
    if (verdict == AUTH_OK && claims->role[0] == '\0')
        return AUTH_CLAIM_MISSING;
    if (verdict == AUTH_OK)
        verdict = auth_claim_text(set, "sub", claims->subject);
    if (verdict == AUTH_OK)
        verdict = auth_claim_text(set, "jti", claims->id);
    if (verdict == AUTH_OK)
        verdict = auth_claim_text(set, "project_id", claims->project);
    if (verdict == AUTH_OK)
        verdict = auth_claim_text(set, "environment_id", claims->environment);
    if (verdict == AUTH_OK)
        verdict = auth_place_settle(verifier->config, claims);
    bool all = strcmp(claims->role, "service_role") == 0;
    claims->scopes = all ? CORE_SCOPES_ALL : CORE_SCOPES_CLIENT;
    return verdict;
}

static auth_verdict payload_check(const auth_verifier *verifier, core_slice payload,
                                  auth_claims *claims) {
    auth_claim_set set;
    auth_verdict verdict = auth_claim_set_parse(&set, payload);
    if (verdict == AUTH_OK)
        verdict = times_check(&set, core_clock_wall_us(verifier->clock), claims);
    if (verdict == AUTH_OK)
        verdict = identity_check(verifier, &set, claims);
    if (verdict == AUTH_OK && !auth_claim_set_hash(&set, verifier->secret, &claims->claims_hash))
        verdict = AUTH_SIGNATURE; /* no memory for a MAC: refuse */
    auth_claim_set_fini(&set);
    return verdict;
}

/* An API key, which is of a project and environment that the process hosts. */
static auth_verdict key_verify(const auth_verifier *verifier, core_slice text, auth_claims *claims,
                               core_buffer *json) {
    core_buffer payload;
    core_buffer_init(&payload, AUTH_TOKEN_MAX);
    auth_verdict verdict = AUTH_UNAVAILABLE;
    if (verifier->keys != NULL)
        verdict = auth_keys_verify(verifier->keys, text, claims, &payload);
    if (verdict == AUTH_OK && auth_place_settle(verifier->config, claims) != AUTH_OK)
        verdict = AUTH_KEY_ELSEWHERE;
    if (verdict == AUTH_OK && json != NULL)
        core_buffer_slice_append(json, core_buffer_slice(&payload));
    core_buffer_fini(&payload);
    if (verdict != AUTH_OK)
        *claims = (auth_claims){.expires_s = 0};
    return verdict;
}

auth_verdict auth_verifier_recheck(const auth_verifier *verifier, const auth_claims *claims) {
    if (verifier->keys != NULL)
        return auth_keys_recheck(verifier->keys, claims);
    return claims->key != 0 ? AUTH_UNAVAILABLE : AUTH_OK;
}

void auth_verifier_listen(const auth_verifier *verifier, auth_ended ended, void *context) {
    if (verifier->keys != NULL)
        auth_keys_listen(verifier->keys, ended, context);
}

auth_verdict auth_verify(const auth_verifier *verifier, core_slice token, auth_claims *claims,
                         core_buffer *json) {
    *claims = (auth_claims){.expires_s = 0};
    if (auth_key_is(token))
        return key_verify(verifier, token, claims, json);
    if (!auth_verifier_open(verifier))
        return AUTH_CLOSED;
    core_buffer payload;
    core_buffer_init(&payload, AUTH_TOKEN_MAX);
    auth_verdict verdict = auth_jwt_verify(token, verifier->secret, &payload);
    if (verdict == AUTH_OK)
        verdict = payload_check(verifier, core_buffer_slice(&payload), claims);
    if (verdict == AUTH_OK)
        verdict = auth_verifier_recheck(verifier, claims);
    if (verdict == AUTH_OK && json != NULL)
        core_buffer_slice_append(json, core_buffer_slice(&payload));
    core_buffer_fini(&payload);
    if (verdict != AUTH_OK)
        *claims = (auth_claims){.expires_s = 0};
    return verdict;
}

const char *auth_verdict_text(auth_verdict verdict) {
    switch (verdict) {
    case AUTH_OK:
        return "The token is valid.";
    case AUTH_MISSING:
        return "No token was given.";
    case AUTH_MALFORMED:
        return "The token is not a JSON Web Token.";
    case AUTH_SIGNATURE:
        return "The token's signature does not match, or its algorithm is not HS256.";
    case AUTH_EXPIRED:
        return "The token has expired.";
    case AUTH_NOT_YET:
        return "The token is not valid yet (nbf).";
    case AUTH_CLAIM_MISSING:
        return "The token lacks one of the claims role and exp.";
    case AUTH_CLAIM_INVALID:
        return "A claim of the token is not valid: wrong type, too long, given twice, or of "
               "another project or environment.";
    case AUTH_CLOSED:
        return "No tokens are accepted: auth.jwt_secret is not set on this server.";
    case AUTH_ISSUER:
        return "The token is not of the issuer that this server takes (iss).";
    case AUTH_AUDIENCE:
        return "The token is not meant for this server (aud).";
    case AUTH_UNAVAILABLE:
        return "The token or API key cannot be checked now: what it is checked with could not be "
               "fetched. Try again.";
    case AUTH_KEY_MALFORMED:
        return "This begins like an API key (wc_) and is none: was it cut or mistyped?";
    case AUTH_KEY_UNKNOWN:
        return "There is no such API key.";
    case AUTH_KEY_EXPIRED:
        return "The API key has expired, or another has taken its place.";
    case AUTH_KEY_ELSEWHERE:
        return "The API key is of another project or environment.";
    case AUTH_REVOKED:
        return "The token or API key has been revoked.";
    }
    return "The token is refused.";
}
