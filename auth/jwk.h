/* One public key of an issuer (RFC 7517, RFC 7518 section 6, RFC 8037), ready to verify with.
 *
 * Private to auth. A key is for the algorithms of its kind only, and for one of them where the
 * issuer says so (`alg`). */
#ifndef WALCAST_AUTH_JWK_H
#define WALCAST_AUTH_JWK_H

#include "auth/jwt.h"

#define AUTH_JWK_NOTE_MAX 160

/* A key as it stands in JSON: members' texts between their quotes, escapes not undone; empty:
 * absent. */
typedef struct {
    core_slice kty, kid, use, alg, crv, n, e, x, y;
    bool cannot_verify; /* key_ops without "verify" */
    bool is_private;    /* has a private part */
    bool malformed;     /* a member twice, or of another type */
} auth_jwk_text;

typedef struct {
    char id[AUTH_CLAIM_MAX]; /* "": none */
    auth_key_kind kind;
    unsigned bits;            /* of the one digest it is for; 0: any */
    uint64_t tag;             /* of the key itself: another key has another */
    struct evp_pkey_st *pkey; /* EVP_PKEY */
} auth_jwk;

/* False: the key is not used, and `note` says why (never with any of its values but the id). */
CORE_MUST_CHECK bool auth_jwk_init(auth_jwk *key, const auth_jwk_text *text,
                                   char note[AUTH_JWK_NOTE_MAX]);
void auth_jwk_fini(auth_jwk *key);
bool auth_jwk_fits(const auth_jwk *key, const auth_algorithm *algorithm);
/* False too when it does not fit, or memory is out. Any thread. */
CORE_MUST_CHECK bool auth_jwk_verify(const auth_jwk *key, const auth_jwt *jwt);

#endif
