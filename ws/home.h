/* Where somebody is at home: which source's hub answers, and which of its tenants it is.
 *
 * Two tenants of a source share its hub, so what is theirs by name only (topics) is kept apart by a
 * scope in front of the name: `@PROJECT NUL TOPIC`. No client can say such a topic, since its own
 * must begin with "realtime:". The source's own project has no scope. Within the gateway a topic is
 * scoped as soon as a thread hands it on, and plain again in a frame. */
#ifndef WALCAST_WS_HOME_H
#define WALCAST_WS_HOME_H

#include "core/core.h"

typedef struct {
    unsigned source;   /* its number in the configuration */
    core_slice tenant; /* project; empty: the source's own */
} ws_home;

/* What a scope takes besides the topic, at most. */
#define WS_SCOPE_MAX (CORE_TENANT_SCHEMA_SIZE + 2)

/* The home of a project and environment, within `project`; false: no source hosts it. */
CORE_MUST_CHECK bool ws_home_find(const core_config *config, const char *project,
                                  const char *environment, ws_home *home);
/* Bytes of the topic in the tenant's scope. */
size_t ws_topic_scoped_length(core_slice tenant, core_slice topic);
/* Writes it to `*room`, which moves behind it; the scoped topic. */
core_slice ws_topic_scope(uint8_t **room, core_slice tenant, core_slice topic);
/* What clients know it by. */
core_slice ws_topic_plain(core_slice topic);
/* Whose it is, and NUL-terminated if not empty; empty: the source's own project's. */
core_slice ws_topic_tenant(core_slice topic);

#endif
