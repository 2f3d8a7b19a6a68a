/* The master keys that secrets at rest are sealed under: the first seals, the others only open what
 * was sealed under them before, until `walcast secret rotate` has sealed it anew.
 *
 * From `secrets.key` or `secrets.key_file`. Keys are never logged and never part of an error's
 * text; their memory is wiped. Private to auth. */
#ifndef WALCAST_AUTH_SECRET_KEYS_H
#define WALCAST_AUTH_SECRET_KEYS_H

#include "auth/gcm.h"

#define AUTH_SECRET_KEYS_MAX      16
#define AUTH_SECRET_KEYS_TEXT_MAX 8192 /* bytes of the file */

typedef struct {
    uint64_t id; /* tells keys apart, and nothing of the key itself */
    uint8_t key[AUTH_GCM_KEY_SIZE];
} auth_secret_key;

typedef struct {
    auth_secret_key keys[AUTH_SECRET_KEYS_MAX];
    size_t count;     /* 0: none is configured */
    unsigned exposed; /* the file's mode, where others than its owner may read it; else 0 */
} auth_secret_keys;

/* Adds the keys of `text`: 32 bytes each, as 64 hexadecimal digits or as base64, with blanks,
 * commas or line ends between them; a line's rest behind # says nothing. `where` is for errors. */
CORE_MUST_CHECK bool auth_secret_keys_read(auth_secret_keys *keys, core_slice text,
                                           const char *where, core_error *error);
/* Those that are configured; `keys` is overwritten, and must be wiped in any case. CONFIG error
 * when one of them is none, or both places have some. Reads a file. */
CORE_MUST_CHECK bool auth_secret_keys_load(auth_secret_keys *keys, const core_config *config,
                                           core_error *error);
/* NULL: none of that id. */
const auth_secret_key *auth_secret_keys_find(const auth_secret_keys *keys, uint64_t id);
void auth_secret_keys_wipe(auth_secret_keys *keys);

#endif
