/* Access's inside, shared by its two halves: grants of roles (access.c) and private channels
 * (channel.c). Private to auth. */
#ifndef WALCAST_AUTH_ACCESS_PRIVATE_H
#define WALCAST_AUTH_ACCESS_PRIVATE_H

#include "auth/grants.h"

/* Whether the role is known, as of a look that still counts, to bypass row-level security. */
CORE_MUST_CHECK bool auth_access_role_bypasses(auth_access *access, const char *role);

typedef struct auth_channels auth_channels;

CORE_MUST_CHECK auth_channels *auth_channels_new(const auth_access_spec *spec, core_error *error);
/* No check may be under way. */
void auth_channels_free(auth_channels *channels);
auth_channels *auth_access_channels(auth_access *access);

#endif
