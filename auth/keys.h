/* The keys and revocations of this process: a thread with a connection of its own that keeps a
 * table true to the bucket; see auth.h for what it means.
 *
 * Private to auth. While NATS was never reached nothing can be looked up; while it is away what is
 * known goes on counting. */
#ifndef WALCAST_AUTH_KEYS_H
#define WALCAST_AUTH_KEYS_H

#include "auth/key.h"

typedef struct auth_keys auth_keys;

/* Starts the thread; connects later. The spec's parts must outlive it. */
CORE_MUST_CHECK auth_keys *auth_keys_new(const auth_verifier_spec *spec, core_error *error);
/* Waits for a call of the listener, and up to nats.connect_timeout. */
void auth_keys_free(auth_keys *keys);
/* See auth_verifier_listen. */
void auth_keys_listen(auth_keys *keys, auth_ended ended, void *context);

/* ---- Any thread; none waits ---- */
/* The bucket was read once. */
bool auth_keys_known(auth_keys *keys);
/* Who a key is; `text` is one that auth_key_is says yes to. Claims and JSON only with AUTH_OK. */
CORE_MUST_CHECK auth_verdict auth_keys_verify(auth_keys *keys, core_slice text, auth_claims *claims,
                                              core_buffer *json);
/* Whether a key, or a token with its jti, goes on counting. */
CORE_MUST_CHECK auth_verdict auth_keys_recheck(auth_keys *keys, const auth_claims *claims);

#endif
