/* A guard by the configuration: what triggers.allow names may be reached, by all projects or by the
 * one that an entry names (`PROJECT=NETWORK`), and nothing reaches the ports of this process, its
 * databases and its broker. See guard.h. */
#include "net/guard.h"

#include "net/url.h"

#include <stdlib.h>

#define POSTGRES_PORT 5432
#define NATS_PORT     4222

typedef struct {
    core_network allowed[NET_GUARD_ALLOW_MAX]; /* by all; then by each project */
    net_guard_project projects[NET_GUARD_ALLOW_MAX];
    size_t project_count;
    core_slice names[NET_GUARD_ALLOW_MAX]; /* of the entries */
    core_network networks[NET_GUARD_ALLOW_MAX];
    net_url hosts[NET_GUARD_OWN_MAX];
    net_own own[NET_GUARD_OWN_MAX];
    size_t own_count;
} guard_lists;

/* "NETWORK" or "PROJECT=NETWORK". */
static bool entry_read(const char *text, core_slice *project, core_network *network,
                       core_error *error) {
    const char *sign = strchr(text, '=');
    *project = core_slice_make(text, sign != NULL ? (size_t)(sign - text) : 0);
    return core_network_parse(core_slice_text(sign != NULL ? sign + 1 : text), network) ||
           core_error_set(error, CORE_ERROR_CONFIG,
                          "triggers.allow: \"%s\" is no address and no network such as "
                          "10.0.0.0/8 or PROJECT=10.0.0.0/8",
                          text);
}

/* The networks of the entries that name the project, behind one another. */
static net_allow project_gather(guard_lists *lists, size_t count, core_slice project,
                                size_t *used) {
    net_allow allow = {.networks = &lists->allowed[*used]};
    for (size_t i = 0; i < count; i++)
        if (core_slice_equal(lists->names[i], project)) {
            lists->allowed[(*used)++] = lists->networks[i];
            allow.count++;
        }
    return allow;
}

static bool project_is_known(const guard_lists *lists, core_slice project) {
    for (size_t i = 0; i < lists->project_count; i++)
        if (core_slice_equal(lists->projects[i].project, project))
            return true;
    return false;
}

static bool allowed_take(guard_lists *lists, const core_config *config, net_guard_spec *spec,
                         core_error *error) {
    size_t count = core_config_list_count(config, "triggers.allow"), used = 0;
    if (count > NET_GUARD_ALLOW_MAX)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "triggers.allow has more than %d entries; join networks",
                              NET_GUARD_ALLOW_MAX);
    for (size_t i = 0; i < count; i++)
        if (!entry_read(core_config_list_item(config, "triggers.allow", i), &lists->names[i],
                        &lists->networks[i], error))
            return false;
    spec->allow = project_gather(lists, count, core_slice_make("", 0), &used);
    for (size_t i = 0; i < count; i++)
        if (lists->names[i].length > 0 && !project_is_known(lists, lists->names[i]))
            lists->projects[lists->project_count++] =
                (net_guard_project){.project = lists->names[i],
                                    .allow = project_gather(lists, count, lists->names[i], &used)};
    spec->projects = lists->projects;
    spec->project_count = lists->project_count;
    return true;
}

/* What does not fit is left to the address ranges, which refuse all but public databases. */
static void own_take(guard_lists *lists, core_slice authority, unsigned port) {
    net_url *url = &lists->hosts[lists->own_count];
    if (lists->own_count == NET_GUARD_OWN_MAX || !net_url_authority_read(authority, port, url))
        return;
    lists->own[lists->own_count++] = (net_own){.host = url->host, .port = url->port};
}

/* Each of "scheme://user:password@host:port,host:port/path?more" and of several such with commas
 * between. */
static void own_take_urls(guard_lists *lists, const char *text, unsigned port) {
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, ",");
        const char *scheme = memmem(text, length, "://", 3);
        const char *start = scheme != NULL ? scheme + 3 : text;
        size_t rest = length - (size_t)(start - text);
        size_t end = strcspn(start, "/?#");
        own_take(lists, core_slice_make(start, end < rest ? end : rest), port);
        text += length + (text[length] == ',');
    }
}

static void own_take_listener(guard_lists *lists, const char *listen) {
    net_url url;
    if (lists->own_count < NET_GUARD_OWN_MAX && listen != NULL &&
        net_url_authority_read(core_slice_text(listen), 0, &url))
        lists->own[lists->own_count++] = (net_own){.host = NULL, .port = url.port};
}

net_guard *net_guard_for_config(const core_config *config, core_error *error) {
    net_guard_spec spec = {.own = NULL};
    net_guard *guard = NULL;
    guard_lists *lists = calloc(1, sizeof *lists);
    if (lists == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a guard");
        return NULL;
    }
    own_take_listener(lists, core_config_text(config, "http.listen"));
    for (size_t i = 0; i < core_config_source_count(config); i++) {
        const core_config *source = core_config_source(config, i);
        own_take_urls(lists, core_config_text(source, "postgres.url"), POSTGRES_PORT);
        own_take_urls(lists, core_config_text(source, "triggers.sql_url"), POSTGRES_PORT);
        own_take_urls(lists, core_config_text(source, "nats.url"), NATS_PORT);
    }
    spec.own = lists->own;
    spec.own_count = lists->own_count;
    if (allowed_take(lists, config, &spec, error))
        guard = net_guard_new(&spec, error);
    free(lists);
    return guard;
}
