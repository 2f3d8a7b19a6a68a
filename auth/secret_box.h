/* A secret as it is stored: sealed, and bound to its name.
 *
 *   version (1) | key id (8) | created, us since 1970 (8) | project, name (each length 2 and text)
 *   | nonce (12) | text | tag (16)
 *
 * All in front of the nonce is in the clear, so that secrets can be listed without a key, and is
 * authenticated with the text: a value that is put under another name does not open. Pure but for
 * random bytes. Private to auth. */
#ifndef WALCAST_AUTH_SECRET_BOX_H
#define WALCAST_AUTH_SECRET_BOX_H

#include "auth/auth.h"
#include "auth/secret_keys.h"

/* Room for any box. */
#define AUTH_SECRET_BOX_MAX (AUTH_SECRET_MAX + AUTH_CLAIM_MAX + AUTH_SECRET_NAME_MAX + 64)

typedef struct {
    core_slice project, name;
} auth_secret_id;

/* Slices into the box. */
typedef struct {
    uint64_t key_id;
    int64_t created_us;
    auth_secret_id id;
    core_slice head; /* what is authenticated */
    core_slice nonce;
    core_slice sealed; /* text and tag */
} auth_secret_box;

/* INPUT error when it is none, or a newer one's. */
CORE_MUST_CHECK bool auth_secret_box_read(core_slice bytes, auth_secret_box *box,
                                          core_error *error);
/* The same of that secret: INPUT error too when it is another's. */
CORE_MUST_CHECK bool auth_secret_box_read_of(core_slice bytes, const auth_secret_id *id,
                                             auth_secret_box *box, core_error *error);
/* Appends the box under the first key, of which there must be one; check the buffer afterwards. */
CORE_MUST_CHECK bool auth_secret_box_seal(const auth_secret_keys *keys, const auth_secret_id *id,
                                          int64_t created_us, core_slice plain, core_buffer *out,
                                          core_error *error);
/* `plain` must be empty: it takes all at once, so that nothing is left behind where it grows.
 * CONFIG error without the key, INPUT when it is another secret's or was changed. */
CORE_MUST_CHECK bool auth_secret_box_open(const auth_secret_keys *keys, const auth_secret_id *id,
                                          core_slice bytes, core_buffer *plain, core_error *error);

#endif
