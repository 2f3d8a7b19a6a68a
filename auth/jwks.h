/* An issuer's set of public keys (RFC 7517 section 5), as of one moment: immutable and counted.
 *
 * Private to auth. Keys that cannot be used are left out, as the RFC wants it; the set keeps how
 * many, and why the first. A document beyond the limits is refused whole. */
#ifndef WALCAST_AUTH_JWKS_H
#define WALCAST_AUTH_JWKS_H

#include "auth/jwk.h"

#define AUTH_JWKS_MAX_BYTES ((size_t)256 << 10)
#define AUTH_JWKS_MAX_KEYS  64
#define AUTH_JWKS_NOTE_MAX  (AUTH_JWK_NOTE_MAX + AUTH_CLAIM_MAX + 16)

typedef struct auth_jwks auth_jwks;

/* With one reference. NULL with INPUT when it is no such document, LIMIT when it has too many keys,
 * INTERNAL when memory is out. */
CORE_MUST_CHECK auth_jwks *auth_jwks_parse(core_slice json, core_error *error);
auth_jwks *auth_jwks_retain(auth_jwks *keys);
/* NULL is allowed. */
void auth_jwks_release(auth_jwks *keys);

size_t auth_jwks_count(const auth_jwks *keys);
const auth_jwk *auth_jwks_at(const auth_jwks *keys, size_t index);
/* How many were left out, and why the first was; "" when none. */
size_t auth_jwks_left_out(const auth_jwks *keys, const char **note);
/* The same for sets of the same keys. */
uint64_t auth_jwks_fingerprint(const auth_jwks *keys);

#endif
