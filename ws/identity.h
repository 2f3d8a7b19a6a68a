/* Who speaks on a connection or in a channel: verified claims, shared by all that were joined with
 * the same token. Counted without atomics: an identity stays on its service thread. */
#ifndef WALCAST_WS_IDENTITY_H
#define WALCAST_WS_IDENTITY_H

#include "auth/auth.h"
#include "ws/home.h"

typedef struct {
    unsigned references;
    auth_claims claims;
    ws_home home;
    core_tenants tenants;   /* of its source */
    core_slice claims_json; /* the token's payload, for policies; empty when it was not kept */
} ws_identity;

/* With one reference, and copies of what auth_verify gave; `config` is the process's. NULL when
 * memory is out. */
CORE_MUST_CHECK ws_identity *ws_identity_new(const core_config *config, const auth_claims *claims,
                                             core_slice json);
/* Of the same project and environment. */
bool ws_identity_same_project(const ws_identity *a, const ws_identity *b);
/* Of the same credential: claims.id and key tell what its hash does not. */
bool ws_identity_same(const ws_identity *a, const ws_identity *b);
/* NULL when the credential has the scope; else why not, a static sentence that names it. */
const char *ws_identity_lacks(const ws_identity *identity, unsigned scope);
ws_identity *ws_identity_retain(ws_identity *identity);
void ws_identity_release(ws_identity *identity);

#endif
