/* base64 with padding (RFC 4648 section 4), strict: one text for each bytes. Nothing is kept; safe
 * from every thread. (auth has base64url, whose alphabet and length rule are others.) */
#ifndef WALCAST_CORE_BASE64_H
#define WALCAST_CORE_BASE64_H

#include "core/buffer.h"

static inline size_t core_base64_size(size_t bytes) {
    return (bytes + 2) / 3 * 4;
}

/* Appends the text; check the buffer afterwards. */
void core_base64_encode(core_slice bytes, core_buffer *out);
/* Appends the decoded bytes. False, with `out` as it was, on any character outside the alphabet, a
 * length that is no multiple of four, padding elsewhere than at the end, unused bits that are not
 * zero, or when the buffer's maximum is reached. */
CORE_MUST_CHECK bool core_base64_decode(core_slice text, core_buffer *out);

#endif
