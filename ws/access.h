/* Who may see what: the seam between the realtime gateway and the rules of access.
 *
 * Today: a valid token of this project and environment, whatever its role, may subscribe to what
 * the publication holds; private channels, whose rules live in the database, are refused. Grants
 * and row-level security come in here, and nowhere else: an access class is what decides (the role
 * now, more of the claims once policies read them), so subscribers of one class share one decision
 * and one frame. */
#ifndef WALCAST_WS_ACCESS_H
#define WALCAST_WS_ACCESS_H

#include "auth/auth.h"

/* Claims with the same class may see the same. Lives as long as the claims. */
static inline core_slice ws_access_class(const auth_claims *claims) {
    return core_slice_text(claims->role);
}

#endif
