/* The auth room's public header: who is asking.
 *
 * A verifier is made from the configuration and then only read, so every thread may use it. Tokens
 * and secrets are never logged and never part of an error's text. */
#ifndef WALCAST_AUTH_AUTH_H
#define WALCAST_AUTH_AUTH_H

#include "core/core.h"

#define AUTH_CLAIM_MAX 256
#define AUTH_TOKEN_MAX 16384

typedef struct auth_verifier auth_verifier;

/* Why a token is refused; the realtime protocol and HTTP give each its own code. */
typedef enum {
    AUTH_OK = 0,
    AUTH_MISSING,   /* no token at all */
    AUTH_MALFORMED, /* not three base64url parts of JSON */
    AUTH_SIGNATURE, /* wrong signature, or an algorithm that is not accepted */
    AUTH_EXPIRED,
    AUTH_NOT_YET,       /* nbf in the future */
    AUTH_CLAIM_MISSING, /* role or exp */
    AUTH_CLAIM_INVALID, /* of the wrong type or too long, or another project's */
    AUTH_CLOSED,        /* no secret is configured: nothing is open */
} auth_verdict;

typedef struct {
    char role[AUTH_CLAIM_MAX];
    char subject[AUTH_CLAIM_MAX]; /* "sub", may be empty */
    char project[AUTH_CLAIM_MAX]; /* the process's own when the token names none */
    char environment[AUTH_CLAIM_MAX];
    int64_t expires_s;    /* since 1970 */
    uint64_t claims_hash; /* equal for tokens of equal claims, times left out */
} auth_claims;

CORE_MUST_CHECK auth_verifier *auth_verifier_new(const core_config *config, const core_clock *clock,
                                                 core_error *error);
void auth_verifier_free(auth_verifier *verifier);
/* False: nothing can be accepted, since neither secret nor JWKS is configured. */
bool auth_verifier_open(const auth_verifier *verifier);
CORE_MUST_CHECK auth_verdict auth_verify(const auth_verifier *verifier, core_slice token,
                                         auth_claims *claims);
/* One sentence for the client. Static. */
const char *auth_verdict_text(auth_verdict verdict);

/* A token signed with auth.jwt_secret, into `out`. `claims_json` are further members of the payload
 * ("" or `"k":"v",...`), already valid JSON. CONFIG error without a secret. */
CORE_MUST_CHECK bool auth_token_sign(const core_config *config, const char *role,
                                     const char *subject, int64_t issued_s, int64_t expires_s,
                                     core_slice claims_json, core_buffer *out, core_error *error);

#endif
