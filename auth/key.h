/* An API key's text, and the record of a name's keys as JSON. Pure.
 *
 * Private to auth. The text is wc_PPPPPPPP_S{40}C{6}: prefix and secret of base 62 (48 and 238
 * random bits), and a CRC-32 of what is before it, so that a key that was cut or mistyped is told
 * from one that is unknown, and tools that look for leaked keys find few wrong ones. */
#ifndef WALCAST_AUTH_KEY_H
#define WALCAST_AUTH_KEY_H

#include "auth/auth.h"

#define AUTH_KEY_RECORD_MAX 16384 /* bytes of JSON */
#define AUTH_KEY_TOKEN      "key" /* what the bucket's keys of records begin with */

/* Begins like a key: whatever it is, it is no token. */
bool auth_key_is(core_slice text);
/* The prefix of a whole key. False: cut, mistyped, too long. */
CORE_MUST_CHECK bool auth_key_read(core_slice text, char prefix[AUTH_KEY_PREFIX_MAX]);
/* A new key of random bytes, as text and as `secret` with prefix and hash. */
CORE_MUST_CHECK bool auth_key_make(char text[AUTH_KEY_TEXT_MAX], auth_key_secret *secret,
                                   core_error *error);

/* The bucket's key of a name's record, before it is escaped. False when it does not fit. */
CORE_MUST_CHECK bool auth_key_place(const auth_key_record *record, core_buffer *out);
/* INPUT error that says what is allowed, where name, project, environment or role are not. */
CORE_MUST_CHECK bool auth_key_valid(const auth_key_record *record, core_error *error);
void auth_key_encode(const auth_key_record *record, core_buffer *out);
/* Members that it does not know are passed over, as are scopes of a later version. INPUT error when
 * it is no record, or of another version. */
CORE_MUST_CHECK bool auth_key_decode(core_slice json, auth_key_record *record, core_error *error);

#endif
