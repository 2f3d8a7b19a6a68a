/* Who signs tokens elsewhere: the keys at auth.jwks_url, kept up to date by a thread, and whether a
 * token is signed with one of them.
 *
 * Private to auth. The thread fetches at the start, every auth.jwks_refresh, and soon after a token
 * named a key that is not known. While the keys cannot be fetched those of before count, for
 * auth.jwks_valid. Whoever verifies never waits for it. */
#ifndef WALCAST_AUTH_ISSUER_H
#define WALCAST_AUTH_ISSUER_H

#include "auth/jwt.h"

typedef struct auth_issuer auth_issuer;

/* Starts the thread; auth.jwks_url must be set. */
CORE_MUST_CHECK auth_issuer *auth_issuer_new(const auth_verifier_spec *spec, core_error *error);
/* Joins the thread: calls off what it asks. NULL is allowed. */
void auth_issuer_free(auth_issuer *issuer);

/* AUTH_OK; AUTH_SIGNATURE; or AUTH_UNAVAILABLE when there are no keys that count, or none of the
 * token's key id but a newer set is being fetched: such a token is refused as soon as that set does
 * not have it either. Any thread, never waits. */
CORE_MUST_CHECK auth_verdict auth_issuer_verify(auth_issuer *issuer, const auth_jwt *jwt);

/* Fetches the keys once and says on `report`, a line each, what there is. For `walcast check`. */
CORE_MUST_CHECK bool auth_issuer_check(const core_config *config, FILE *report);
/* auth_tokens_warning's, on the log. */
void auth_tokens_warn(const core_config *config, core_log *log);

#endif
