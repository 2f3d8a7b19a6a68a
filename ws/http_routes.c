/* Who answers a request: what every process serves, the realtime endpoint, then what other rooms
 * hung into the route table. */
#include "ws/console.h"
#include "ws/handshake.h"
#include "ws/health.h"
#include "ws/http.h"
#include "ws/http_key.h"
#include "ws/http_origin.h"
#include "ws/http_reply.h"
#include "ws/rest_broadcast.h"
#include "ws/server.h"
#include "ws/sse.h"
#include "ws/tier.h"

typedef struct {
    const char *path;
    void (*handler)(ws_http_request *request);
    bool quiet; /* of its requests only refused ones are recorded */
} http_route;

static const http_route own_routes[] = {
    {"/health/live", ws_health_live, true},    {"/health/ready", ws_health_ready, true},
    {"/metrics", ws_health_metrics, true},     {"/realtime/v1/websocket", ws_handshake, false},
    {"/realtime/socket", ws_handshake, false}, {"/realtime/socket/websocket", ws_handshake, false},
    {"/realtime/v1/sse", ws_sse_serve, false},
};

static bool route_reads(core_slice method) {
    return core_slice_is(method, "GET") || core_slice_is(method, "HEAD");
}

/* The console's files are the same for everybody. */
static bool route_console(ws_http_request *request) {
    const ws_http_record before = request->record;
    request->record.route = "console";
    request->record.quiet = true;
    if (ws_console_serve(request))
        return true;
    request->record = before;
    return false;
}

static bool route_own(ws_http_request *request) {
    const ws_http_head *head = request->head;
    if (ws_rest_broadcast_serve(request))
        return true;
    for (size_t i = 0; i < CORE_COUNT_OF(own_routes); i++) {
        if (!core_slice_is(head->path, own_routes[i].path))
            continue;
        request->record.route = own_routes[i].path;
        request->record.quiet = own_routes[i].quiet;
        if (route_reads(head->method))
            own_routes[i].handler(request);
        else
            ws_http_refuse(request, 405, "Allow: GET, HEAD\r\n", "this path is only read");
        return true;
    }
    return route_reads(head->method) && route_console(request);
}

static void route_answer(ws_http_request *request, core_route_response *response) {
    char extra[WS_HTTP_EXTRA_MAX];
    if (!core_buffer_ok(&response->body) || !ws_http_reply_extra(response, extra))
        ws_http_refuse(request, 500, "", "the answer is too long");
    else
        ws_http_respond(request, response->status, response->content_type, extra,
                        core_buffer_slice(&response->body));
}

static void route_refuse(ws_http_request *request, auth_verdict verdict) {
    unsigned status = ws_http_key_status(verdict);
    if (verdict == AUTH_OK)
        ws_http_refuse(request, 503, "Retry-After: 1\r\n", "out of memory");
    else
        ws_http_refuse(request, status,
                       status == 401   ? "WWW-Authenticate: Bearer\r\n"
                       : status == 503 ? "Retry-After: 1\r\n"
                                       : "",
                       auth_verdict_text(verdict));
}

/* `identity` is NULL on an open route. */
static void route_call(ws_http_request *request, const core_route *route, ws_identity *identity) {
    core_route_request input = ws_http_reply_request(request, identity);
    if (route->defer != NULL) {
        ws_http_reply_defer(request, &input, route, identity);
        return;
    }
    core_route_response response;
    ws_http_reply_response_init(&response);
    route->handler(route->context, &input, &response);
    route_answer(request, &response);
    core_buffer_fini(&response.body);
}

static void route_table(ws_http_request *request, const core_route *route) {
    request->record.route = route->path;
    request->surface = route->surface;
    if (route->scope == 0) {
        route_call(request, route, NULL);
        return;
    }
    auth_verdict verdict;
    ws_identity *identity = ws_http_key_identify(request, WS_BEARER_FIRST, &verdict);
    const char *lacks = identity != NULL ? ws_identity_lacks(identity, route->scope) : NULL;
    if (identity == NULL)
        route_refuse(request, verdict);
    else if (lacks != NULL)
        ws_http_refuse(request, 403, "", lacks);
    else if (ws_tier_admits(request, identity))
        route_call(request, route, identity);
    ws_identity_release(identity);
}

static const core_route *route_find(const ws_http_request *request, bool *known) {
    const ws_http_head *head = request->head;
    core_slice method = core_slice_is(head->method, "HEAD") ? core_slice_text("GET") : head->method;
    const ws_server *server = request->connection->service->server;
    return core_route_find(ws_server_routes(server), method, head->path, known);
}

void ws_http_route_surface(ws_http_request *request) {
    bool known;
    const core_route *route = route_find(request, &known);
    request->surface = route != NULL ? route->surface : NULL;
}

size_t ws_http_route_body_max(ws_http_request *request) {
    bool known;
    auth_verdict verdict;
    const core_route *route = route_find(request, &known);
    if (route == NULL || route->surface == NULL || route->surface->body_max <= WS_HTTP_BODY_MAX)
        return WS_HTTP_BODY_MAX;
    ws_identity *identity = ws_http_key_identify(request, WS_BEARER_FIRST, &verdict);
    bool may = identity != NULL && ws_identity_lacks(identity, route->scope) == NULL;
    ws_identity_release(identity);
    return may ? route->surface->body_max : WS_HTTP_BODY_MAX;
}

void ws_http_route(ws_http_request *request) {
    const ws_http_head *head = request->head;
    ws_server *server = request->connection->service->server;
    if (ws_http_origin_serve(request))
        return;
    if (!route_reads(head->method) && ws_server_draining(server)) {
        ws_http_refuse(request, 503, "Retry-After: 5\r\n", "this server is shutting down");
        return;
    }
    if (!ws_tier_trusts_request(request) || route_own(request))
        return;
    bool known = false;
    const core_route *route = route_find(request, &known);
    if (route != NULL)
        route_table(request, route);
    else if (known)
        ws_http_refuse(request, 405, "", "this path does not take that method");
    else
        ws_http_refuse(request, 404, "", "nothing is served at this path");
}
