/* A revoked token in the bucket: its jti in the key, its end in the value. Pure.
 *
 * Private to auth. Key: `revoked.` and the jti, which the bucket escapes. Value: {"version":1,
 * "expires":S,"revoked":S}; what of it cannot be read revokes for ever. */
#ifndef WALCAST_AUTH_REVOCATION_H
#define WALCAST_AUTH_REVOCATION_H

#include "auth/auth.h"

#define AUTH_REVOCATION_TOKEN     "revoked"
#define AUTH_REVOCATION_VALUE_MAX 1024
#define AUTH_REVOCATION_KEY_MAX   (AUTH_CLAIM_MAX + sizeof AUTH_REVOCATION_TOKEN)

/* INPUT when no token could have such a jti. */
CORE_MUST_CHECK bool auth_revocation_key(const char *jti, char key[AUTH_REVOCATION_KEY_MAX],
                                         core_error *error);
/* The jti of a key as the bucket has it, appended. False: it is no such key. */
CORE_MUST_CHECK bool auth_revocation_jti(core_slice key, core_buffer *jti);
void auth_revocation_encode(int64_t until_s, int64_t now_s, core_buffer *out);
/* Until when; AUTH_NEVER_S where that cannot be read. */
int64_t auth_revocation_until(core_slice value);

#endif
