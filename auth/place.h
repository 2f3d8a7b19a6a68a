/* Whose a credential is: which project and environment, of those that the process hosts.
 *
 * Private to auth. */
#ifndef WALCAST_AUTH_PLACE_H
#define WALCAST_AUTH_PLACE_H

#include "auth/auth.h"

/* Fills in what the credential does not name: the process's own project, and the environment of the
 * first source that hosts the project. AUTH_CLAIM_INVALID when no source does. */
CORE_MUST_CHECK auth_verdict auth_place_settle(const core_config *config, auth_claims *claims);

#endif
