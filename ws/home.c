/* See home.h. */
#include "ws/home.h"

#define SCOPE_MARK '@'

bool ws_home_find(const core_config *config, const char *project, const char *environment,
                  ws_home *home) {
    for (size_t i = 0; i < core_config_source_count(config); i++) {
        core_tenants tenants = core_tenants_of(core_config_source(config, i));
        if (!core_tenants_hosts(&tenants, project, environment))
            continue;
        bool own = strcmp(project, tenants.project) == 0;
        *home = (ws_home){.source = (unsigned)i, .tenant = core_slice_text(own ? "" : project)};
        return true;
    }
    return false;
}

size_t ws_topic_scoped_length(core_slice tenant, core_slice topic) {
    return topic.length + (tenant.length > 0 && topic.length > 0 ? tenant.length + 2 : 0);
}

core_slice ws_topic_scope(uint8_t **room, core_slice tenant, core_slice topic) {
    uint8_t *start = *room;
    if (tenant.length > 0 && topic.length > 0) {
        *(*room)++ = SCOPE_MARK;
        (void)core_slice_keep(room, tenant);
        *(*room)++ = '\0';
    }
    (void)core_slice_keep(room, topic);
    return core_slice_make(start, (size_t)(*room - start));
}

/* Where the plain topic begins. */
static size_t scope_length(core_slice topic) {
    if (topic.length == 0 || topic.data[0] != SCOPE_MARK)
        return 0;
    const uint8_t *end = memchr(topic.data, '\0', topic.length);
    return end != NULL ? (size_t)(end + 1 - topic.data) : 0;
}

core_slice ws_topic_plain(core_slice topic) {
    size_t scope = scope_length(topic);
    return core_slice_make(topic.data + scope, topic.length - scope);
}

core_slice ws_topic_tenant(core_slice topic) {
    size_t scope = scope_length(topic);
    return scope > 0 ? core_slice_make(topic.data + 1, scope - 2) : core_slice_make(NULL, 0);
}
