/* HMAC with SHA-2 (RFC 2104) and a comparison that takes the same time wherever two codes differ.
 *
 * mac.c is the one file that knows OpenSSL's HMAC. auth_mac is what net's signatures are made with.
 * Safe from every thread. */
#ifndef WALCAST_AUTH_MAC_H
#define WALCAST_AUTH_MAC_H

#include "core/core.h"

#define AUTH_MAC_SIZE 32

/* HMAC-SHA256. False only when the library fails (out of memory, no SHA-256): the caller must
 * refuse. */
CORE_MUST_CHECK bool auth_mac(core_slice key, core_slice data, uint8_t code[AUTH_MAC_SIZE]);
/* SHA-256 of the data, as long as a code; the same failures. */
CORE_MUST_CHECK bool auth_digest(core_slice data, uint8_t digest[AUTH_MAC_SIZE]);
/* True when `given` is exactly the code. */
CORE_MUST_CHECK bool auth_mac_equal(const uint8_t code[AUTH_MAC_SIZE], core_slice given);
/* True when `given` is exactly the HMAC with SHA-256, SHA-384 or SHA-512, as `bits` says. */
CORE_MUST_CHECK bool auth_mac_verify(unsigned bits, core_slice key, core_slice data,
                                     core_slice given);

#endif
