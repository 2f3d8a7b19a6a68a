/* base64url without padding (RFC 4648 section 5), as JWS uses it, strict: one text for each bytes.
 *
 * Private to auth. Nothing is kept; safe from every thread. */
#ifndef WALCAST_AUTH_BASE64URL_H
#define WALCAST_AUTH_BASE64URL_H

#include "core/core.h"

/* Appends the decoded bytes. False, with `out` as it was, on any character outside the alphabet
 * (padding and blanks too), an impossible length, unused bits that are not zero, or when the
 * buffer's maximum is reached. */
CORE_MUST_CHECK bool auth_base64url_decode(core_slice text, core_buffer *out);
/* Appends the text; check the buffer afterwards. */
void auth_base64url_encode(core_slice bytes, core_buffer *out);

#endif
