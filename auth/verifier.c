/* The verifier: whose signatures count, a clock, how claims are named, and the projects that the
 * process hosts; see auth.h.
 *
 * Happy path: form and algorithm (jwt_verify.c), the signature with the secret or the issuer's keys
 * (issuer.c), then times, issuer and audience, then who it is, and whether it was revoked.
 * Everything else is a verdict that names the first thing that is wrong. A token counts from its
 * `nbf` and is over at its `exp`, with auth.clock_skew of leeway for both. */
#include "auth/claims.h"
#include "auth/issuer.h"
#include "auth/jwt.h"
#include "auth/keys.h"
#include "auth/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct auth_verifier {
    const core_config *config; /* its texts are used as they are */
    core_slice secret;         /* empty: no token is signed with one */
    auth_issuer *issuer;       /* NULL: none is signed elsewhere */
    auth_keys *keys;           /* API keys and revoked tokens; NULL: neither is known here */
    const core_clock *clock;
    int64_t skew_us;
    const char *role_claim; /* paths, as auth_claim_at takes them */
    const char *project_claim;
    const char *environment_claim;
    const char *scopes_claim; /* NULL: scopes come with the role */
    const char *default_role; /* NULL: a token without one is refused */
    const char *own_issuer;   /* NULL: any */
    uint8_t hash_key[32];     /* of this process: claims' hashes go no further */
};

static auth_verifier verifier_make(const auth_verifier_spec *spec) {
    const core_config *config = spec->config;
    return (auth_verifier){
        .config = config,
        .secret = core_slice_text(core_config_text(config, "auth.jwt_secret")),
        .clock = spec->clock,
        .skew_us = core_config_integer(config, "auth.clock_skew") * CORE_US_PER_MS,
        .role_claim = core_config_text(config, "auth.claims.role"),
        .project_claim = core_config_text(config, "auth.claims.project"),
        .environment_claim = core_config_text(config, "auth.claims.environment"),
        .scopes_claim = core_config_text(config, "auth.claims.scopes"),
        .default_role = core_config_text(config, "auth.default_role"),
        .own_issuer = core_config_text(config, "auth.issuer"),
    };
}

auth_verifier *auth_verifier_new(const auth_verifier_spec *spec, core_error *error) {
    auth_verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the token verifier");
        return NULL;
    }
    *verifier = verifier_make(spec);
    bool made = getrandom(verifier->hash_key, sizeof verifier->hash_key, 0) ==
                    (ssize_t)sizeof verifier->hash_key ||
                core_error_set(error, CORE_ERROR_INTERNAL, "no random bytes for the verifier");
    auth_tokens_warn(spec->config, spec->log);
    if (made && core_config_text(spec->config, "auth.jwks_url") != NULL) {
        verifier->issuer = auth_issuer_new(spec, error);
        made = verifier->issuer != NULL;
    }
    if (made && spec->keys) {
        verifier->keys = auth_keys_new(spec, error);
        made = verifier->keys != NULL;
    }
    if (made)
        return verifier;
    auth_verifier_free(verifier);
    return NULL;
}

void auth_verifier_free(auth_verifier *verifier) {
    if (verifier != NULL) {
        auth_keys_free(verifier->keys);
        auth_issuer_free(verifier->issuer);
    }
    free(verifier);
}

bool auth_verifier_open(const auth_verifier *verifier) {
    return verifier->secret.length > 0 || verifier->issuer != NULL;
}

static int64_t seconds_floor(int64_t time_us) {
    return time_us / CORE_US_PER_S - (time_us % CORE_US_PER_S < 0 ? 1 : 0);
}

/* Far ends stay where they are. */
static int64_t time_add(int64_t time_us, int64_t skew_us) {
    int64_t sum;
    if (__builtin_add_overflow(time_us, skew_us, &sum))
        return skew_us < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static auth_verdict times_check(const auth_verifier *verifier, const auth_claim_set *set,
                                auth_claims *claims) {
    int64_t now_us = core_clock_wall_us(verifier->clock);
    bool has_expiry = false;
    bool has_start = false;
    int64_t expiry_us = 0;
    int64_t start_us = 0;
    if (auth_claim_time(set, "exp", &has_expiry, &expiry_us) != AUTH_OK ||
        auth_claim_time(set, "nbf", &has_start, &start_us) != AUTH_OK)
        return AUTH_CLAIM_INVALID;
    if (!has_expiry)
        return AUTH_CLAIM_MISSING;
    expiry_us = time_add(expiry_us, verifier->skew_us);
    if (expiry_us <= now_us)
        return AUTH_EXPIRED;
    if (has_start && time_add(start_us, -verifier->skew_us) > now_us)
        return AUTH_NOT_YET;
    claims->expires_s = seconds_floor(expiry_us);
    return AUTH_OK;
}

/* Who made it, and for whom: looked at where the configuration says what it must be. */
static auth_verdict origin_check(const auth_verifier *verifier, const auth_claim_set *set) {
    const auth_claim *issuer = auth_claim_find(set, "iss");
    const auth_claim *audience = auth_claim_find(set, "aud");
    if (verifier->own_issuer != NULL && (issuer == NULL || issuer->kind != CORE_JSON_STRING ||
                                         !core_json_raw_is(issuer->value, verifier->own_issuer)))
        return AUTH_ISSUER;
    size_t count = core_config_list_count(verifier->config, "auth.audience");
    for (size_t i = 0; i < count && audience != NULL; i++)
        if (auth_claim_has(audience, core_config_list_item(verifier->config, "auth.audience", i)))
            return AUTH_OK;
    return count == 0 ? AUTH_OK : AUTH_AUDIENCE;
}

static auth_verdict scopes_take(const auth_verifier *verifier, const auth_claim_set *set,
                                auth_claims *claims) {
    auth_claim named = {.kind = CORE_JSON_NULL};
    auth_verdict verdict = AUTH_OK;
    bool all = strcmp(claims->role, "service_role") == 0;
    if (verifier->scopes_claim != NULL)
        verdict = auth_claim_at(set, verifier->scopes_claim, &named);
    if (named.kind != CORE_JSON_NULL)
        claims->scopes = auth_claim_scopes(&named);
    else if (all)
        claims->scopes = CORE_SCOPES_ALL;
    else
        claims->scopes = verifier->scopes_claim != NULL ? 0 : CORE_SCOPES_CLIENT;
    return verdict;
}

static auth_verdict role_take(const auth_verifier *verifier, const auth_claim_set *set,
                              auth_claims *claims) {
    auth_verdict verdict = auth_claim_text(set, verifier->role_claim, claims->role);
    if (verdict == AUTH_OK && claims->role[0] == '\0' && verifier->default_role != NULL)
        (void)snprintf(claims->role, sizeof claims->role, "%s", verifier->default_role);
    if (verdict == AUTH_OK && claims->role[0] == '\0')
        return AUTH_CLAIM_MISSING;
    return verdict;
}

static auth_verdict identity_check(const auth_verifier *verifier, const auth_claim_set *set,
                                   auth_claims *claims) {
    auth_verdict verdict = role_take(verifier, set, claims);
    if (verdict == AUTH_OK)
        verdict = auth_claim_text(set, "sub", claims->subject);
    if (verdict == AUTH_OK)
        verdict = auth_claim_text(set, "jti", claims->id);
    if (verdict == AUTH_OK)
        verdict = auth_claim_text(set, verifier->project_claim, claims->project);
    if (verdict == AUTH_OK)
        verdict = auth_claim_text(set, verifier->environment_claim, claims->environment);
    if (verdict == AUTH_OK)
        verdict = auth_place_settle(verifier->config, claims);
    return verdict == AUTH_OK ? scopes_take(verifier, set, claims) : verdict;
}

/* As it was signed, unless the role that counts stands elsewhere or comes from the configuration:
 * policies find it in the member "role". */
static bool payload_give(const auth_claim_set *set, core_slice payload, const auth_claims *claims,
                         core_buffer *json) {
    const auth_claim *role = auth_claim_find(set, "role");
    if (json == NULL)
        return true;
    if (role != NULL && role->kind == CORE_JSON_STRING &&
        core_json_raw_is(role->value, claims->role))
        core_buffer_slice_append(json, payload);
    else
        auth_claim_set_write(set, claims->role, json);
    return core_buffer_ok(json);
}

static auth_verdict payload_check(const auth_verifier *verifier, core_slice payload,
                                  auth_claims *claims, core_buffer *json) {
    const core_slice hash_key = core_slice_make(verifier->hash_key, sizeof verifier->hash_key);
    auth_claim_set set;
    auth_verdict verdict = auth_claim_set_parse(&set, payload);
    if (verdict == AUTH_OK)
        verdict = times_check(verifier, &set, claims);
    if (verdict == AUTH_OK)
        verdict = origin_check(verifier, &set);
    if (verdict == AUTH_OK)
        verdict = identity_check(verifier, &set, claims);
    if (verdict == AUTH_OK && !auth_claim_set_hash(&set, hash_key, &claims->claims_hash))
        verdict = AUTH_SIGNATURE; /* no memory for a MAC: refuse */
    if (verdict == AUTH_OK)
        verdict = auth_verifier_recheck(verifier, claims);
    if (verdict == AUTH_OK && !payload_give(&set, payload, claims, json))
        verdict = AUTH_CLAIM_INVALID;
    auth_claim_set_fini(&set);
    return verdict;
}

/* An algorithm is for keys of one kind: the secret is never tried as a public key, nor a key as the
 * secret. */
static auth_verdict signature_check(const auth_verifier *verifier, const auth_jwt *jwt) {
    if (jwt->algorithm->kind == AUTH_KEY_SECRET)
        return auth_jwt_verify_secret(jwt, verifier->secret) ? AUTH_OK : AUTH_SIGNATURE;
    return verifier->issuer != NULL ? auth_issuer_verify(verifier->issuer, jwt) : AUTH_SIGNATURE;
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

bool auth_verifier_known(const auth_verifier *verifier) {
    return verifier->keys == NULL || auth_keys_known(verifier->keys);
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
    auth_jwt jwt;
    core_buffer payload;
    *claims = (auth_claims){.expires_s = 0};
    if (auth_key_is(token))
        return key_verify(verifier, token, claims, json);
    if (!auth_verifier_open(verifier))
        return AUTH_CLOSED;
    core_buffer_init(&payload, AUTH_TOKEN_MAX);
    auth_verdict verdict = auth_jwt_read(&jwt, token);
    if (verdict == AUTH_OK)
        verdict = signature_check(verifier, &jwt);
    if (verdict == AUTH_OK && !auth_jwt_payload(&jwt, &payload))
        verdict = AUTH_MALFORMED;
    if (verdict == AUTH_OK)
        verdict = payload_check(verifier, core_buffer_slice(&payload), claims, json);
    core_buffer_fini(&payload);
    auth_jwt_fini(&jwt);
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
        return "The token's signature does not match, or its algorithm or key is none that this "
               "server "
               "takes.";
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
        return "No tokens are accepted: neither auth.jwt_secret nor auth.jwks_url is set on this "
               "server.";
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
