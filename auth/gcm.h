/* AES-256-GCM (NIST SP 800-38D) with a 96-bit nonce and a 128-bit tag, and what goes with keys:
 * random bytes, and memory that is wiped.
 *
 * Private to auth; gcm.c knows OpenSSL. Safe from every thread. A nonce must never come twice under
 * one key: they are random, so that no count has to be kept, which is safe for 2^32 of them. */
#ifndef WALCAST_AUTH_GCM_H
#define WALCAST_AUTH_GCM_H

#include "core/core.h"

#define AUTH_GCM_KEY_SIZE   32
#define AUTH_GCM_NONCE_SIZE 12
#define AUTH_GCM_TAG_SIZE   16

/* `sealed` gets as many bytes as `plain` has, and then the tag. False only when the library fails.
 */
CORE_MUST_CHECK bool auth_gcm_seal(const uint8_t key[AUTH_GCM_KEY_SIZE],
                                   const uint8_t nonce[AUTH_GCM_NONCE_SIZE], core_slice associated,
                                   core_slice plain, uint8_t *sealed);
/* `plain` gets AUTH_GCM_TAG_SIZE bytes less than `sealed` has. False: key, nonce, associated data,
 * text or tag is not what it was; `plain` is wiped. */
CORE_MUST_CHECK bool auth_gcm_open(const uint8_t key[AUTH_GCM_KEY_SIZE],
                                   const uint8_t nonce[AUTH_GCM_NONCE_SIZE], core_slice associated,
                                   core_slice sealed, uint8_t *plain);
/* From the system's generator; false when it fails. */
CORE_MUST_CHECK bool auth_random(uint8_t *bytes, size_t length);
/* Not taken out by the compiler. */
void auth_wipe(void *memory, size_t length);
/* All of the buffer's memory, then its _fini: nothing is left of what was in it, if it never grew
 * after its first bytes. */
void auth_wipe_buffer(core_buffer *buffer);

#endif
