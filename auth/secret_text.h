/* References to secrets in a text: `${secret:NAME}`. Pure; private to auth. */
#ifndef WALCAST_AUTH_SECRET_TEXT_H
#define WALCAST_AUTH_SECRET_TEXT_H

#include "auth/auth.h"

#define AUTH_SECRET_REFERENCES_MAX 64 /* in one text */

typedef struct {
    core_slice before; /* text in front of the reference, or the rest */
    core_slice name;   /* empty: there is no further one */
} auth_secret_piece;

/* A letter or _, then letters, digits, _ and -, at most AUTH_SECRET_NAME_MAX in all. */
bool auth_secret_name_ok(core_slice name);
/* The piece at `*at`, which moves behind it. INPUT error where `${secret:` is followed by something
 * else than a name and `}`. */
CORE_MUST_CHECK bool auth_secret_piece_next(core_slice text, size_t *at, auth_secret_piece *piece,
                                            core_error *error);

/* The named secret, into an empty buffer that is wiped afterwards. */
typedef bool (*auth_secret_resolver)(void *context, core_slice name, core_buffer *value,
                                     core_error *error);
/* The text with each reference replaced, into an empty `out`, which takes all at once. What comes
 * in is not looked at again. INPUT error on a malformed reference, LIMIT when there are too many or
 * `out` has no room, else the resolver's. */
CORE_MUST_CHECK bool auth_secret_text_expand(core_slice text, auth_secret_resolver resolve,
                                             void *context, core_buffer *out, core_error *error);

#endif
