/* Who may see what: the seam between the realtime gateway and the rules of access.
 *
 * An access class is what decides: the role, whose grants the hub holds each change against
 * (hub_access.h), so subscribers of one class share one decision and one frame. More of the claims
 * come in here once policies read them. */
#ifndef WALCAST_WS_ACCESS_H
#define WALCAST_WS_ACCESS_H

#include "auth/auth.h"

/* Claims with the same class may see the same. Lives as long as the claims. */
static inline core_slice ws_access_class(const auth_claims *claims) {
    return core_slice_text(claims->role);
}

/* What a member may do in its channel: bits. */
#define WS_RIGHT(right) (1u << (right))
#define WS_RIGHTS_ALL   (WS_RIGHT(AUTH_CHANNEL_RIGHTS) - 1u)

#endif
