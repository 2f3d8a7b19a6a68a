/* The origins of pages that may call this server from a browser: http.origins.
 *
 * An entry is "*" (any), an origin as browsers send it (https://app.example.com, null), or one with
 * a star for the names below a domain (*.example.com instead of a host) or for every port
 * (http://localhost:*). ASCII case does not count.
 */
#ifndef WALCAST_WS_ORIGIN_H
#define WALCAST_WS_ORIGIN_H

#include "core/core.h"

#define WS_ORIGIN_MAX 256 /* bytes; a longer one is no entry's */

typedef struct {
    bool any;             /* "*" is among them */
    size_t count;         /* of the others */
    const char **entries; /* the configuration's texts */
} ws_origins;

/* The configuration must outlive it. Read-only then: any thread. */
CORE_MUST_CHECK bool ws_origins_init(ws_origins *origins, const core_config *config,
                                     core_error *error);
void ws_origins_fini(ws_origins *origins);
/* An entry other than "*" is for this origin. */
bool ws_origins_name(const ws_origins *origins, core_slice origin);
/* One entry is. */
bool ws_origin_fits(core_slice origin, const char *entry);

#endif
