/* Signatures that were found good, so that the same token costs a hash and not a public key's
 * arithmetic each time that it comes.
 *
 * Private to auth. An entry is a keyed hash of the whole token, with the tag of the key that
 * verified it; neither token nor claims are kept. So it says nothing of expiry, issuer or claims,
 * which are looked at every time, and it is of no use once its key is not among the issuer's. Full,
 * it forgets what was not used for longest in the part where the new one belongs. Any thread. */
#ifndef WALCAST_AUTH_TOKEN_CACHE_H
#define WALCAST_AUTH_TOKEN_CACHE_H

#include "core/core.h"

#define AUTH_TOKEN_CACHE_ENTRY_BYTES 48

typedef struct auth_token_cache auth_token_cache;

/* Of `entries`, rounded up; 0: it never knows anything. NULL with INTERNAL when memory or random
 * numbers are out. */
CORE_MUST_CHECK auth_token_cache *auth_token_cache_new(size_t entries, core_error *error);
void auth_token_cache_free(auth_token_cache *cache);

/* What the cache knows a token by. False when the hash fails: then nothing is known of it. */
typedef struct {
    uint8_t hash[32];
} auth_token_print;
CORE_MUST_CHECK bool auth_token_cache_print(const auth_token_cache *cache, core_slice token,
                                            auth_token_print *print);
/* Whether that token was found good with the key of that tag. */
CORE_MUST_CHECK bool auth_token_cache_holds(auth_token_cache *cache, const auth_token_print *print,
                                            uint64_t key_tag);
void auth_token_cache_put(auth_token_cache *cache, const auth_token_print *print, uint64_t key_tag);

#endif
