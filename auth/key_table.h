/* What a process knows of the bucket: the keys that there are, and the tokens that are revoked.
 *
 * Private to auth. One thread writes (the watch's), any thread looks up. A mutex is held for one
 * look or one change, never over a call, so a look waits for a microsecond at most. Bounded:
 * AUTH_KEYS_MAX keys in AUTH_KEY_BYTES_MAX, and AUTH_REVOCATIONS_MAX revoked tokens; what is beyond
 * has no key, or makes every token with a jti one that cannot be checked. */
#ifndef WALCAST_AUTH_KEY_TABLE_H
#define WALCAST_AUTH_KEY_TABLE_H

#include "auth/key.h"

typedef struct auth_key_table auth_key_table;

/* NULL when memory is out. */
CORE_MUST_CHECK auth_key_table *auth_key_table_new(void);
void auth_key_table_free(auth_key_table *table);

/* ---- The writer ---- */
/* All that there is will be told again, up to _all; what was told before counts until then. */
void auth_key_table_begin(auth_key_table *table);
/* The record at that key of the bucket, instead of the one before. False: there is no room, and
 * none of its keys count. */
CORE_MUST_CHECK bool auth_key_table_put(auth_key_table *table, core_slice place,
                                        const auth_key_record *record);
void auth_key_table_remove(auth_key_table *table, core_slice place);
/* The tokens of this jti are revoked until then. False: there is no room (see above). */
CORE_MUST_CHECK bool auth_key_table_revoke(auth_key_table *table, core_slice jti, int64_t until_s,
                                           int64_t now_s);
void auth_key_table_unrevoke(auth_key_table *table, core_slice jti);
/* What was not told since _begin goes; from the first time on it can be looked into. */
void auth_key_table_all(auth_key_table *table);

/* ---- Any thread ---- */
/* _all was called. */
bool auth_key_table_loaded(auth_key_table *table);
/* Who a whole key, by its prefix and hash, is: AUTH_OK with the claims, and their JSON appended
 * unless NULL; AUTH_UNAVAILABLE before the first _all, AUTH_KEY_UNKNOWN, AUTH_KEY_EXPIRED,
 * AUTH_REVOKED. */
CORE_MUST_CHECK auth_verdict auth_key_table_find(auth_key_table *table, const char *prefix,
                                                 const uint8_t hash[32], int64_t now_s,
                                                 auth_claims *claims, core_buffer *json);
/* The same of one that was found before: by prefix and claims.key. */
CORE_MUST_CHECK auth_verdict auth_key_table_stands(auth_key_table *table, const char *prefix,
                                                   uint64_t key, int64_t now_s);
/* AUTH_OK: not revoked. */
CORE_MUST_CHECK auth_verdict auth_key_table_token(auth_key_table *table, const char *jti,
                                                  int64_t now_s);
/* How many keys and revoked tokens there are. */
void auth_key_table_counts(auth_key_table *table, size_t *keys, size_t *tokens);
/* When the next key ends by itself, after `now_s`; AUTH_NEVER_S: none does. Looks at all. */
int64_t auth_key_table_next_end(auth_key_table *table, int64_t now_s);

#endif
