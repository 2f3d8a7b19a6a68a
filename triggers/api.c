/* See api.h. The lock is held while a request is handed over, which never blocks, so that a host
 * that has left is not touched any more. */
#include "triggers/api.h"
#include "triggers/events.h"
#include "triggers/job_part.h"
#include "triggers/keyed.h"
#include "triggers/rest.h"
#include "triggers/rest_history.h"
#include "triggers/rest_letters.h"

#include <pthread.h>
#include <stdlib.h>

#define API_MAGIC UINT32_C(0x54415049) /* "TAPI" */

typedef struct {
    const char *method;
    const char *path; /* the part behind /v1/projects/ is the project; else it is the caller's */
    unsigned scope;
    triggers_taker take;
} api_row;

/* What the room serves. */
static const api_row api_rows[] = {
    {"GET", "/v1/projects/*/triggers", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"POST", "/v1/projects/*/triggers", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"GET", "/v1/projects/*/triggers/*", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"PUT", "/v1/projects/*/triggers/*", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"DELETE", "/v1/projects/*/triggers/*", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"POST", "/v1/projects/*/triggers/*", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"GET", "/v1/projects/*/triggers/*/deliveries", CORE_SCOPE_TRIGGERS, triggers_deliveries_take},
    {"POST", "/v1/projects/*/triggers/*/redeliver", CORE_SCOPE_TRIGGERS, triggers_redeliver_take},
    {"GET", "/v1/projects/*/cron", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"POST", "/v1/projects/*/cron", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"GET", "/v1/projects/*/cron/*", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"PUT", "/v1/projects/*/cron/*", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"DELETE", "/v1/projects/*/cron/*", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"POST", "/v1/projects/*/cron/*", CORE_SCOPE_TRIGGERS, triggers_rest_take},
    {"GET", "/v1/projects/*/dead-letters", CORE_SCOPE_TRIGGERS, triggers_letters_take},
    {"GET", "/v1/projects/*/dead-letters/*", CORE_SCOPE_TRIGGERS, triggers_letters_take},
    {"POST", "/v1/projects/*/dead-letters/*", CORE_SCOPE_TRIGGERS, triggers_letters_take},
    {"DELETE", "/v1/projects/*/dead-letters/*", CORE_SCOPE_TRIGGERS, triggers_letters_take},
    {"GET", "/events/v1", CORE_SCOPE_EVENTS, triggers_events_take},
    {"POST", "/events/v1", CORE_SCOPE_EVENTS, triggers_events_take},
    {"POST", "/events/v1/batch", CORE_SCOPE_EVENTS, triggers_events_take},
    {"GET", "/events/v1/*", CORE_SCOPE_EVENTS, triggers_events_take},
    {"POST", "/jobs/v1", CORE_SCOPE_JOBS, triggers_jobs_take},
    {"GET", "/jobs/v1/*", CORE_SCOPE_JOBS, triggers_jobs_take},
    {"DELETE", "/jobs/v1/*", CORE_SCOPE_JOBS, triggers_jobs_take},
};

typedef struct {
    triggers_api *api;
    const api_row *row;
} api_route;

struct triggers_api {
    uint32_t magic;
    const core_config *config;
    api_route routes[CORE_COUNT_OF(api_rows)];
    pthread_mutex_t mutex; /* guards the rest */
    triggers_host *hosts[CORE_CONFIG_SOURCES_MAX];
    size_t count;
};

triggers_api *triggers_api_new(const triggers_spec *spec, core_error *error) {
    triggers_api *api = calloc(1, sizeof *api);
    if (api == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the triggers' API");
        return NULL;
    }
    api->magic = API_MAGIC;
    api->config = spec->config;
    (void)pthread_mutex_init(&api->mutex, NULL);
    return api;
}

void triggers_api_free(triggers_api *api) {
    if (api == NULL)
        return;
    CORE_MAGIC_CHECK(api, API_MAGIC);
    assert(api->count == 0);
    (void)pthread_mutex_destroy(&api->mutex);
    api->magic = 0;
    free(api);
}

bool triggers_api_join(triggers_api *api, triggers_host *host, core_error *error) {
    CORE_MAGIC_CHECK(api, API_MAGIC);
    (void)pthread_mutex_lock(&api->mutex);
    bool room = api->count < CORE_CONFIG_SOURCES_MAX;
    if (room)
        api->hosts[api->count++] = host;
    (void)pthread_mutex_unlock(&api->mutex);
    return room || core_error_set(error, CORE_ERROR_LIMIT, "more than %d sources with triggers",
                                  CORE_CONFIG_SOURCES_MAX);
}

void triggers_api_leave(triggers_api *api, triggers_host *host) {
    CORE_MAGIC_CHECK(api, API_MAGIC);
    (void)pthread_mutex_lock(&api->mutex);
    for (size_t i = 0; i < api->count; i++)
        if (api->hosts[i] == host)
            api->hosts[i--] = api->hosts[--api->count];
    (void)pthread_mutex_unlock(&api->mutex);
}

/* ---- A request ---- */

static void refuse(core_route_reply *reply, unsigned status, const char *detail) {
    core_route_refuse(reply, status, detail, NULL);
    core_route_reply_send(reply);
}

static bool path_names_project(core_slice path) {
    static const char prefix[] = "/v1/projects/";
    return path.length >= sizeof prefix - 1 && memcmp(path.data, prefix, sizeof prefix - 1) == 0;
}

/* With the lock held. NULL: no role of its source runs here. */
static triggers_host *host_find(const triggers_api *api, const char *project,
                                const char *environment) {
    const core_config *source = core_tenants_source(api->config, project, environment);
    for (size_t i = 0; source != NULL && i < api->count; i++)
        if (api->hosts[i]->spec.config == source)
            return api->hosts[i];
    return NULL;
}

/* What writes, under the caller's key if there is one. */
static void host_take(triggers_host *host, const api_row *row, core_route_reply *reply) {
    bool writes = strcmp(row->method, "GET") != 0;
    if (writes && reply->request.idempotency_key.length > 0)
        triggers_keyed_take(host, reply, &row->take);
    else
        row->take(host, reply);
}

static void api_hand(const api_route *route, core_route_reply *reply, const char *project,
                     const char *environment) {
    triggers_api *api = route->api;
    (void)pthread_mutex_lock(&api->mutex);
    triggers_host *host = host_find(api, project, environment);
    if (host != NULL)
        host_take(host, route->row, reply);
    (void)pthread_mutex_unlock(&api->mutex);
    if (host == NULL)
        refuse(reply, 503, "this process does not serve the triggers of that project now");
}

/* On a service thread. A caller touches only its own project, which "-" means too. */
static void api_defer(void *context, core_route_reply *reply) {
    const api_route *route = context;
    const core_route_request *request = &reply->request;
    char project[TRIGGERS_PROJECT_MAX], environment[TRIGGERS_PROJECT_MAX];
    char named[TRIGGERS_PROJECT_MAX];
    CORE_MAGIC_CHECK(route->api, API_MAGIC);
    if (!core_slice_to_text(request->caller.project, project, sizeof project) ||
        !core_slice_to_text(request->caller.environment, environment, sizeof environment))
        refuse(reply, 403, "the credential's project is no name");
    else if (path_names_project(request->path) &&
             !core_route_path_part(request->path, 2, named, sizeof named))
        refuse(reply, 404, "the path names no project");
    else if (path_names_project(request->path) && strcmp(named, "-") != 0 &&
             strcmp(named, project) != 0)
        refuse(reply, 403, "the credential is another project's");
    else
        api_hand(route, reply, project, environment);
}

bool triggers_api_serve(triggers_api *api, core_route_table *routes, core_error *error) {
    CORE_MAGIC_CHECK(api, API_MAGIC);
    for (size_t i = 0; i < CORE_COUNT_OF(api_rows); i++) {
        api->routes[i] = (api_route){.api = api, .row = &api_rows[i]};
        if (!core_route_add_deferred(routes, api_rows[i].method, api_rows[i].path,
                                     api_rows[i].scope, api_defer, &api->routes[i], error))
            return false;
    }
    return true;
}
