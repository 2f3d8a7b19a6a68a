/* See place.h. */
#include "auth/place.h"

#include <stdio.h>

auth_verdict auth_place_settle(const core_config *config, auth_claims *claims) {
    if (claims->project[0] == '\0')
        (void)snprintf(claims->project, AUTH_CLAIM_MAX, "%s", core_config_text(config, "project"));
    const char *environment = claims->environment[0] != '\0' ? claims->environment : NULL;
    const core_config *source = core_tenants_source(config, claims->project, environment);
    if (source == NULL)
        return AUTH_CLAIM_INVALID;
    if (environment == NULL)
        (void)snprintf(claims->environment, AUTH_CLAIM_MAX, "%s",
                       core_config_text(source, "environment"));
    return AUTH_OK;
}
