/* A JSON Web Token in compact form (RFC 7515, RFC 7518, RFC 7519, RFC 8037).
 *
 * Private to auth. Reading gives the token's parts and its algorithm, which must be one of ours;
 * whose signature it is, the verifier decides: with the secret for HS256 to HS512 (here), with the
 * issuer's keys for all others (issuer.h). */
#ifndef WALCAST_AUTH_JWT_H
#define WALCAST_AUTH_JWT_H

#include "auth/auth.h"

/* What a key is. An algorithm is for keys of one kind, so none can be used with another's. */
typedef enum {
    AUTH_KEY_SECRET,
    AUTH_KEY_RSA,
    AUTH_KEY_P256,
    AUTH_KEY_P384,
    AUTH_KEY_P521,
    AUTH_KEY_ED25519,
} auth_key_kind;

typedef struct {
    const char *name;
    auth_key_kind kind;
    unsigned bits; /* of the digest; 0: the algorithm has its own */
} auth_algorithm;

/* NULL: none of ours. `none` is none of ours. */
const auth_algorithm *auth_algorithm_find(core_slice name);

/* A token that was read. The slices point into the token, which must outlive it. */
typedef struct {
    core_slice token;
    core_slice signed_text; /* header.payload */
    core_slice payload;     /* base64url */
    core_buffer signature;  /* decoded */
    const auth_algorithm *algorithm;
    char key_id[AUTH_CLAIM_MAX]; /* "kid"; "": none */
} auth_jwt;

/* AUTH_OK, AUTH_MISSING, AUTH_MALFORMED, or AUTH_SIGNATURE for an algorithm that is not ours and
 * for an extension that must be understood (`crit`). `_fini` in every case. */
CORE_MUST_CHECK auth_verdict auth_jwt_read(auth_jwt *jwt, core_slice token);
void auth_jwt_fini(auth_jwt *jwt);
/* Whether it is an HS256, HS384 or HS512 signature with the secret. */
CORE_MUST_CHECK bool auth_jwt_verify_secret(const auth_jwt *jwt, core_slice secret);
/* Appends the decoded payload; whether it is JSON is not looked at. False: not base64url, or the
 * buffer is full. */
CORE_MUST_CHECK bool auth_jwt_payload(const auth_jwt *jwt, core_buffer *payload);

/* HS256. Appends header, payload and signature. False when memory is out or the buffer's maximum is
 * reached. */
CORE_MUST_CHECK bool auth_jwt_sign(core_slice payload, core_slice secret, core_buffer *out);

#endif
