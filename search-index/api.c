/* See api.h. The lock is held while a request is handed over, which never blocks, so that a role
 * that has left is not touched any more. */
#include "search-index/api.h"
#include "search-index/asked.h"
#include "search-index/desk.h"
#include "search-index/payload.h"
#include "search-index/rules.h"

#include <pthread.h>
#include <stdlib.h>

#define API_MAGIC UINT32_C(0x53415049) /* "SAPI" */
#define NAME_SIZE 256

enum { LINE_WRITES = 256, PARTS_MAX = CORE_CONFIG_SOURCES_MAX + 1 };

#define ADMIN  CORE_SCOPE_ADMIN
#define SEARCH CORE_SCOPE_SEARCH

#define DEFINITIONS "/search/v1/*/indexes"
#define DEFINES     (SEARCH_API_WRITES | SEARCH_API_PROBLEM)

/* What the room serves. /health is api_health. */
static const search_api_row api_rows[] = {
    {"GET", "/version", ADMIN, SEARCH_API_SOME, search_api_version},
    {"GET", "/stats", ADMIN, SEARCH_API_SOME, search_api_stats},
    {"GET", "/indexes", ADMIN, SEARCH_API_SOME, search_api_indexes},
    {"POST", "/indexes", ADMIN, SEARCH_API_WRITES | SEARCH_API_SOME, search_api_index_make},
    {"GET", "/indexes/*", ADMIN, 0, search_api_index},
    {"PATCH", "/indexes/*", ADMIN, SEARCH_API_WRITES, search_api_index_change},
    {"DELETE", "/indexes/*", ADMIN, SEARCH_API_WRITES, search_api_index_remove},
    {"GET", "/indexes/*/stats", ADMIN, 0, search_api_index_stats},
    {"POST", "/swap-indexes", ADMIN, SEARCH_API_WRITES, search_api_index_swap},
    {"GET", "/indexes/*/settings", ADMIN, 0, search_api_settings},
    {"PATCH", "/indexes/*/settings", ADMIN, SEARCH_API_WRITES, search_api_settings_change},
    {"DELETE", "/indexes/*/settings", ADMIN, SEARCH_API_WRITES, search_api_settings_reset},
    {"GET", "/indexes/*/settings/*", ADMIN, 0, search_api_settings},
    {"PUT", "/indexes/*/settings/*", ADMIN, SEARCH_API_WRITES, search_api_settings_change},
    {"PATCH", "/indexes/*/settings/*", ADMIN, SEARCH_API_WRITES, search_api_settings_change},
    {"DELETE", "/indexes/*/settings/*", ADMIN, SEARCH_API_WRITES, search_api_settings_reset},
    {"GET", "/indexes/*/documents", ADMIN, 0, search_api_documents},
    {"POST", "/indexes/*/documents/fetch", ADMIN, 0, search_api_documents_fetch},
    {"GET", "/indexes/*/documents/*", ADMIN, 0, search_api_document},
    {"POST", "/indexes/*/documents", ADMIN, SEARCH_API_WRITES | SEARCH_API_LONG,
     search_api_documents_put},
    {"PUT", "/indexes/*/documents", ADMIN, SEARCH_API_WRITES | SEARCH_API_LONG,
     search_api_documents_put},
    {"DELETE", "/indexes/*/documents", ADMIN, SEARCH_API_WRITES, search_api_documents_clear},
    {"POST", "/indexes/*/documents/delete-batch", ADMIN, SEARCH_API_WRITES,
     search_api_documents_remove},
    {"POST", "/indexes/*/documents/delete", ADMIN, SEARCH_API_WRITES,
     search_api_documents_remove_by},
    {"POST", "/indexes/*/documents/edit", ADMIN, 0, search_api_not_offered},
    {"DELETE", "/indexes/*/documents/*", ADMIN, SEARCH_API_WRITES, search_api_document_remove},
    {"GET", "/indexes/*/search", SEARCH, SEARCH_API_TENANT, search_api_query},
    {"POST", "/indexes/*/search", SEARCH, SEARCH_API_TENANT, search_api_query},
    {"POST", "/indexes/*/facet-search", SEARCH, SEARCH_API_TENANT, search_api_facet},
    {"GET", "/indexes/*/similar", SEARCH, SEARCH_API_TENANT, search_api_not_offered},
    {"POST", "/indexes/*/similar", SEARCH, SEARCH_API_TENANT, search_api_not_offered},
    {"POST", "/multi-search", SEARCH, SEARCH_API_TENANT | SEARCH_API_SOME, search_api_multi},
    {"GET", "/tasks", ADMIN, SEARCH_API_SOME, search_api_tasks},
    {"GET", "/tasks/*", ADMIN, SEARCH_API_SOME, search_api_task},
    {"POST", "/tasks/cancel", ADMIN, SEARCH_API_WRITES, search_api_tasks_cancel},
    {"DELETE", "/tasks", ADMIN, SEARCH_API_WRITES, search_api_tasks_remove},
    {"GET", "/keys", ADMIN, SEARCH_API_WRITES, search_api_keys},
    {"POST", "/keys", ADMIN, SEARCH_API_WRITES | SEARCH_API_SECRET, search_api_key_make},
    {"GET", "/keys/*", ADMIN, SEARCH_API_WRITES, search_api_key},
    {"PATCH", "/keys/*", ADMIN, SEARCH_API_WRITES, search_api_key_change},
    {"DELETE", "/keys/*", ADMIN, SEARCH_API_WRITES, search_api_key_remove},
    {"POST", "/dumps", ADMIN, 0, search_api_not_offered},
    {"POST", "/snapshots", ADMIN, 0, search_api_not_offered},
    {"GET", "/batches", ADMIN, 0, search_api_not_offered},
    {"GET", "/batches/*", ADMIN, 0, search_api_not_offered},
    {"GET", "/experimental-features", ADMIN, 0, search_api_not_offered},
    {"PATCH", "/experimental-features", ADMIN, 0, search_api_not_offered},
    {"GET", "/network", ADMIN, 0, search_api_not_offered},
    {"GET", "/webhooks", ADMIN, 0, search_api_not_offered},
    {"GET", "/search/v1/*/*", SEARCH, SEARCH_API_TENANT | SEARCH_API_PROBLEM, search_api_own_query},
    {"POST", "/search/v1/*/*", SEARCH, SEARCH_API_TENANT | SEARCH_API_PROBLEM,
     search_api_own_query},
    {"GET", "/search/v1/*/*/status", SEARCH, SEARCH_API_PROBLEM, search_api_status},
    {"GET", DEFINITIONS, ADMIN, DEFINES, search_api_definitions},
    {"POST", DEFINITIONS, ADMIN, DEFINES, search_api_definition_make},
    {"GET", DEFINITIONS "/*", ADMIN, DEFINES, search_api_definition},
    {"GET", DEFINITIONS "/status", ADMIN, DEFINES, search_api_definition}, /* of that name */
    {"PUT", DEFINITIONS "/*", ADMIN, DEFINES, search_api_definition_put},
    {"DELETE", DEFINITIONS "/*", ADMIN, DEFINES, search_api_definition_remove},
};

/* A source's role, as requests reach it. */
typedef struct {
    search_part part; /* first: the interface points here */
    search_host *host;
    search_desk *queries, *writes;
    fanout_keyed *keyed; /* of requests that write */
} api_part;

typedef struct {
    search_api *api;
    const search_api_row *row;
} api_route;

struct search_api {
    uint32_t magic;
    const core_config *config;
    api_route routes[CORE_COUNT_OF(api_rows)];
    pthread_mutex_t mutex; /* guards the rest */
    api_part *parts[PARTS_MAX];
    size_t count;
};

/* ---- Refusals that the server makes ---- */

/* A credential that is unknown or expired is 403 for Meilisearch, and 401 only one that is missing.
 */
static unsigned surface_refuse(core_buffer *body, unsigned status, const char *detail) {
    static const struct {
        unsigned status;
        search_code code;
    } rows[] = {{400, SEARCH_CODE_BAD_REQUEST},
                {403, SEARCH_CODE_INVALID_API_KEY},
                {404, SEARCH_CODE_NOT_FOUND},
                {405, SEARCH_CODE_METHOD_NOT_ALLOWED},
                {409, SEARCH_CODE_IDEMPOTENCY_KEY_UNDER_WAY},
                {422, SEARCH_CODE_IDEMPOTENCY_KEY_OTHER_BODY},
                {411, SEARCH_CODE_MISSING_PAYLOAD},
                {413, SEARCH_CODE_PAYLOAD_TOO_LARGE},
                {429, SEARCH_CODE_TOO_MANY_REQUESTS},
                {503, SEARCH_CODE_UNAVAILABLE},
                {504, SEARCH_CODE_UNAVAILABLE}};
    search_refusal refusal;
    core_json_writer json = core_json_writer_make(body);
    search_code code = SEARCH_CODE_INTERNAL;
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++)
        if (rows[i].status == status)
            code = rows[i].code;
    if (status == 401) {
        bool is_missing = strcmp(detail, auth_verdict_text(AUTH_MISSING)) == 0;
        code = is_missing ? SEARCH_CODE_MISSING_AUTHORIZATION_HEADER : SEARCH_CODE_INVALID_API_KEY;
    }
    (void)search_refuse(&refusal, code, "%s", detail);
    search_refusal_write(&refusal, &json);
    return code == SEARCH_CODE_INVALID_API_KEY ? search_code_look(code)->status : status;
}

static const core_route_surface surface = {.refuse = surface_refuse};
static const core_route_surface surface_long = {.body_max = SEARCH_PAYLOAD_MAX,
                                                .refuse = surface_refuse};

/* ---- Answering ---- */

/* A row's last '*' stands for one part of the path like any other: what has more is no row's, so
 * that DELETE /indexes/a/b is not one of /indexes/a. */
static bool path_fits(search_call *call, const char *path) {
    size_t parts = 0;
    for (; *path != '\0'; path++)
        parts += *path == '/';
    return call->part_count == parts ||
           search_refuse(&call->refusal, SEARCH_CODE_NOT_FOUND, "There is no path %.*s.",
                         CORE_SLICE_ARGS(call->request->path));
}

/* The index that the path names; empty: none. */
static core_slice path_index(const search_call *call) {
    const core_slice *parts = call->parts, none = core_slice_make(NULL, 0);
    if (call->part_count > 1 && core_slice_is(parts[0], "indexes"))
        return parts[1];
    if (call->part_count < 4 || !core_slice_is(parts[0], "search"))
        return none;
    if (!core_slice_is(parts[3], "indexes"))
        return parts[3];
    return call->part_count > 4 ? parts[4] : none;
}

/* A key that is for some indexes has to do with no others, and with nothing that is about all. */
static bool key_fits(search_call *call, const search_api_row *row) {
    core_slice claims = call->request->caller.claims_json, index = path_index(call);
    bool ok = index.length > 0
                  ? search_rules_has(claims, index)
                  : (row->flags & SEARCH_API_SOME) != 0 || !search_rules_limited(claims);
    return ok || search_refuse(&call->refusal, SEARCH_CODE_INVALID_API_KEY,
                               "The provided API key is invalid: it is for other indexes.");
}

/* An answer has as much room as the largest document wants, and no more. */
static bool answer_fits(search_call *call, const search_api_row *row) {
    const core_buffer *body = &call->reply->response.body;
    return core_buffer_ok(body) ||
           search_refuse(&call->refusal,
                         row->scope == CORE_SCOPE_SEARCH ? SEARCH_CODE_INVALID_SEARCH_LIMIT
                                                         : SEARCH_CODE_BAD_REQUEST,
                         "The answer is larger than %zu bytes: ask for fewer documents, or for "
                         "fewer attributes of each.",
                         body->max_bytes);
}

static void api_work(search_worker *worker, core_route_reply *reply, const void *what) {
    const search_api_row *row = what;
    search_call call;
    bool is_bound = search_rules_bind(reply->request.caller.claims_json);
    bool ok = search_call_begin(&call, worker, reply) && path_fits(&call, row->path) &&
              key_fits(&call, row);
    if (ok && is_bound && (row->flags & SEARCH_API_TENANT) == 0)
        ok = search_refuse(&call.refusal, SEARCH_CODE_INVALID_API_KEY,
                           "The provided API key is invalid: a tenant's token may search only.");
    ok = ok &&
         (core_route_reply_abandoned(reply) || (row->handle(&call) && answer_fits(&call, row)));
    search_call_end(&call, ok, (row->flags & SEARCH_API_PROBLEM) != 0);
}

static void api_refuse(core_route_reply *reply, search_code code, const char *message) {
    search_refusal refusal;
    (void)search_refuse(&refusal, code, "%s", message);
    search_call_refuse(reply, &refusal);
}

static void api_stopping(core_route_reply *reply) {
    api_refuse(reply, SEARCH_CODE_UNAVAILABLE, "this process is stopping");
}

bool search_api_not_offered(search_call *call) {
    return search_refuse(&call->refusal, SEARCH_CODE_FEATURE_NOT_ENABLED,
                         "%.*s is not offered here: docs/SEARCH_API.md says what is.",
                         CORE_SLICE_ARGS(call->request->path));
}

/* ---- Handing over ---- */

/* With the lock held. NULL: no role of its source runs here. */
static api_part *part_find(const search_api *api, const core_route_caller *caller) {
    char project[NAME_SIZE], environment[NAME_SIZE];
    if (!core_slice_to_text(caller->project, project, sizeof project) ||
        !core_slice_to_text(caller->environment, environment, sizeof environment))
        return NULL;
    const core_config *source = core_tenants_source(api->config, project, environment);
    for (size_t i = 0; source != NULL && i < api->count; i++)
        if (api->parts[i]->host->spec.config == source)
            return api->parts[i];
    return NULL;
}

/* To the threads of its kind. False: there is no room. */
static bool row_put(const api_part *part, const search_api_row *row, core_route_reply *reply) {
    bool writes = (row->flags & SEARCH_API_WRITES) != 0;
    return search_desk_put(writes ? part->writes : part->queries, reply, row);
}

static void no_room_refuse(core_route_reply *reply) {
    api_refuse(reply, SEARCH_CODE_TOO_MANY_SEARCH_REQUESTS,
               "Too many search requests running at the same time. Retry after 1s.");
}

/* ---- Under an Idempotency-Key ---- */

static bool is_keyed(const search_api_row *row, const core_route_request *request) {
    return request->idempotency_key.length > 0 && (row->flags & SEARCH_API_WRITES) != 0 &&
           (row->flags & SEARCH_API_SECRET) == 0 && strcmp(row->method, "GET") != 0;
}

static void keyed_take(void *context, const void *what, core_route_reply *reply) {
    if (!row_put(context, what, reply))
        no_room_refuse(reply);
}

static void keyed_refuse(const void *what, core_route_reply *reply, unsigned status,
                         const char *detail) {
    const search_api_row *row = what;
    core_route_refuse(reply, status, detail, NULL);
    if ((row->flags & SEARCH_API_PROBLEM) != 0)
        return;
    core_buffer_reset(&reply->response.body);
    reply->response.content_type = "application/json";
    surface_refuse(&reply->response.body, status, detail);
}

static void keyed_put(api_part *part, const search_api_row *row, core_route_reply *reply) {
    const fanout_keyed_work work = {
        .take = keyed_take, .refuse = keyed_refuse, .context = part, .what = row};
    fanout_keyed_take(part->keyed, reply, &work);
}

/* On a service thread. */
static void api_defer(void *context, core_route_reply *reply) {
    const api_route *route = context;
    search_api *api = route->api;
    CORE_MAGIC_CHECK(api, API_MAGIC);
    (void)pthread_mutex_lock(&api->mutex);
    api_part *part = part_find(api, &reply->request.caller);
    bool is_put = part != NULL;
    if (part != NULL && is_keyed(route->row, &reply->request))
        keyed_put(part, route->row, reply);
    else if (part != NULL)
        is_put = row_put(part, route->row, reply);
    (void)pthread_mutex_unlock(&api->mutex);
    if (part == NULL)
        api_refuse(reply, SEARCH_CODE_UNAVAILABLE,
                   "this process does not serve the indexes of that project now");
    else if (!is_put)
        no_room_refuse(reply);
}

static void api_health(void *context, const core_route_request *request,
                       core_route_response *response) {
    (void)context;
    (void)request;
    response->content_type = "application/json";
    core_json_text_object(&response->body, "status", "available");
}

/* ---- Life ---- */

search_api *search_api_new(const core_config *config, core_error *error) {
    search_api *api = calloc(1, sizeof *api);
    if (api == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the API of searches");
        return NULL;
    }
    api->magic = API_MAGIC;
    api->config = config;
    (void)pthread_mutex_init(&api->mutex, NULL);
    return api;
}

void search_api_free(search_api *api) {
    if (api == NULL)
        return;
    CORE_MAGIC_CHECK(api, API_MAGIC);
    assert(api->count == 0);
    (void)pthread_mutex_destroy(&api->mutex);
    api->magic = 0;
    free(api);
}

bool search_api_serve(search_api *api, core_route_table *routes, core_error *error) {
    const core_route health = {
        .method = "GET", .path = "/health", .handler = api_health, .surface = &surface};
    CORE_MAGIC_CHECK(api, API_MAGIC);
    for (size_t i = 0; i < CORE_COUNT_OF(api_rows); i++) {
        const search_api_row *row = &api_rows[i];
        api->routes[i] = (api_route){.api = api, .row = row};
        const core_route route = {.method = row->method,
                                  .path = row->path,
                                  .defer = api_defer,
                                  .context = &api->routes[i],
                                  .scope = row->scope,
                                  .surface = (row->flags & SEARCH_API_PROBLEM) != 0 ? NULL
                                             : (row->flags & SEARCH_API_LONG) != 0  ? &surface_long
                                                                                    : &surface};
        if (!core_route_put(routes, &route, error))
            return false;
    }
    return core_route_put(routes, &health, error);
}

/* ---- The part of a role ---- */

static api_part *part_of(search_part *part) {
    return (api_part *)part;
}

static bool part_start(search_part *base, core_error *error) {
    api_part *part = part_of(base);
    search_api *api = part->host->spec.api;
    const core_config *config = part->host->spec.config;
    search_desk_spec spec = {.name = "walcast-search",
                             .host = part->host,
                             .threads = (size_t)core_config_integer(config, "search.threads"),
                             .line_max = (size_t)core_config_integer(config, "search.queue"),
                             .work = api_work,
                             .refuse = api_stopping};
    if (api == NULL)
        return true;
    part->queries = search_desk_new(&spec, error);
    spec.name = "search-asks";
    spec.threads = 1;
    spec.line_max = LINE_WRITES;
    part->writes = part->queries != NULL ? search_desk_new(&spec, error) : NULL;
    if (part->writes == NULL || !fanout_keyed_start(part->keyed, error))
        return false;
    (void)pthread_mutex_lock(&api->mutex);
    bool has_room = api->count < PARTS_MAX;
    if (has_room)
        api->parts[api->count++] = part;
    (void)pthread_mutex_unlock(&api->mutex);
    return has_room || core_error_set(error, CORE_ERROR_LIMIT, "too many sources with indexes");
}

static void part_leave(search_api *api, const api_part *part) {
    (void)pthread_mutex_lock(&api->mutex);
    for (size_t i = 0; i < api->count; i++)
        if (api->parts[i] == part)
            api->parts[i--] = api->parts[--api->count];
    (void)pthread_mutex_unlock(&api->mutex);
}

static void part_stop(search_part *base) {
    api_part *part = part_of(base);
    if (part->host->spec.api != NULL)
        part_leave(part->host->spec.api, part);
    fanout_keyed_stop(part->keyed);
    search_desk_free(part->queries);
    search_desk_free(part->writes);
    search_asked_free(part->host->asked);
    part->host->asked = NULL;
    free(part);
}

static core_readiness part_ready(search_part *base, char *reason, size_t reason_size) {
    return fanout_keyed_ready(part_of(base)->keyed, reason, reason_size);
}

search_part *search_api_part(search_host *host, core_error *error) {
    const fanout_keyed_spec keyed = {.config = host->spec.config,
                                     .log = host->spec.log,
                                     .metrics = host->spec.metrics,
                                     .clock = host->spec.clock,
                                     .room = "search",
                                     .digest = auth_digest};
    api_part *part = calloc(1, sizeof *part);
    if (part != NULL)
        host->asked = search_asked_new();
    if (part == NULL || host->asked == NULL) {
        free(part);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the API of searches");
        return NULL;
    }
    *part = (api_part){
        .part = {.name = "api", .start = part_start, .ready = part_ready, .stop = part_stop},
        .host = host,
        .keyed = fanout_keyed_new(&keyed, error)};
    if (part->keyed != NULL)
        return &part->part;
    part_stop(&part->part);
    return NULL;
}
