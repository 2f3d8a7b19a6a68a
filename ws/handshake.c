/* See handshake.h. */
#include "ws/handshake.h"

#include "ws/deflate.h"
#include "ws/gateway.h"
#include "ws/handshake_key.h"
#include "ws/http_key.h"
#include "ws/http_origin.h"
#include "ws/session.h"
#include "ws/tier.h"

#include <stdio.h>

#define HANDSHAKE_KEY_BYTES 16 /* RFC 6455 4.2.1, sent in base64 */

static void handshake_refuse(ws_http_request *request, unsigned status, const char *extra,
                             const char *text) {
    const bool is_limit = status == 429; /* a limit is a problem on every surface */
    core_buffer body;
    core_buffer_init(&body, 1024);
    if (is_limit)
        ws_http_problem_append(&body, status, text, "error");
    else
        core_json_text_object(&body, "error", text);
    core_metrics_add(request->connection->service->metrics, CORE_METRIC_WS_REFUSALS, 1);
    ws_http_respond(request, status, is_limit ? "application/problem+json" : "application/json",
                    extra, core_buffer_slice(&body));
    core_buffer_fini(&body);
}

/* ---- The key ---- */

/* Who asks; NULL: refused. */
static ws_identity *handshake_authorize(ws_http_request *request) {
    auth_verdict verdict;
    ws_identity *identity = ws_http_key_identify(request, WS_KEY_FIRST, &verdict);
    if (verdict != AUTH_OK)
        handshake_refuse(request, ws_http_key_status(verdict),
                         verdict == AUTH_UNAVAILABLE ? "Retry-After: 1\r\n" : "",
                         auth_verdict_text(verdict));
    else if (identity == NULL)
        handshake_refuse(request, 500, "", "out of memory");
    return identity;
}

/* A handshake is a read of its project. */
static bool handshake_takes(ws_http_request *request, const ws_identity *identity) {
    char text[WS_TIER_TEXT_SIZE], extra[64];
    int64_t wait_ms;
    if (ws_tier_takes(request->connection->service, identity, AUTH_LIMIT_READ, 1, &wait_ms, text))
        return true;
    (void)snprintf(extra, sizeof extra, "Retry-After: %lld\r\n",
                   (long long)ws_tier_retry_s(wait_ms));
    handshake_refuse(request, 429, extra, text);
    return false;
}

/* ---- The protocol ---- */

static bool handshake_is_upgrade(const ws_http_head *head) {
    return head->minor == 1 && ws_http_header_has(head, "connection", "upgrade") &&
           ws_http_header_has(head, "upgrade", "websocket");
}

static bool handshake_version(ws_http_request *request, ws_protocol *protocol) {
    char text[16] = "1.0.0";
    core_buffer vsn;
    core_buffer_init(&vsn, sizeof text);
    bool ok = true;
    if (ws_http_query_value(request->head->query, "vsn", &vsn))
        ok = core_slice_to_text(core_buffer_slice(&vsn), text, sizeof text);
    core_buffer_fini(&vsn);
    bool phoenix = !core_slice_is(request->head->path, "/realtime/v1/websocket");
    if (strcmp(text, "2.0.0") == 0)
        *protocol = phoenix ? WS_PROTOCOL_2_TEXT : WS_PROTOCOL_2;
    else
        *protocol = WS_PROTOCOL_1;
    if (ok && (*protocol != WS_PROTOCOL_1 || strcmp(text, "1.0.0") == 0))
        return true;
    handshake_refuse(request, 400, "", "vsn must be 1.0.0 or 2.0.0");
    return false;
}

static bool handshake_deflate(const ws_http_request *request) {
    const ws_http_head *head = request->head;
    if (request->connection->service->deflate == NULL)
        return false;
    for (size_t i = 0; i < head->header_count; i++)
        if (ws_http_name_is(head->headers[i].name, "sec-websocket-extensions") &&
            ws_deflate_offers_fit(head->headers[i].value))
            return true;
    return false;
}

static bool handshake_key_valid(core_slice key) {
    uint8_t memory[HANDSHAKE_KEY_BYTES + 1];
    core_buffer bytes = core_buffer_over(memory, sizeof memory);
    return core_base64_decode(key, &bytes) && bytes.length == HANDSHAKE_KEY_BYTES;
}

static void handshake_accept(ws_http_request *request, ws_protocol protocol,
                             ws_identity *identity) {
    ws_connection *connection = request->connection;
    ws_server *server = connection->service->server;
    char accept[WS_ACCEPT_SIZE];
    core_slice key = ws_http_header_value(request->head, "sec-websocket-key");
    if (!handshake_key_valid(key) || !ws_handshake_accept(key, accept)) {
        handshake_refuse(request, 400, "", "Sec-WebSocket-Key is not valid");
        return;
    }
    if (!ws_server_socket_enter(server, &connection->client)) {
        handshake_refuse(request, 429, "Retry-After: 5\r\n", "Too many connected users");
        return;
    }
    void *http = connection->handler_state;
    if (ws_session_new(connection, protocol, identity, request->request_id) == NULL) {
        ws_server_socket_leave(server, &connection->client);
        handshake_refuse(request, 500, "", "out of memory");
        return;
    }
    bool deflate = handshake_deflate(request);
    if (deflate)
        ws_socket_set_deflate(ws_socket_of(connection));
    char extra[384];
    (void)snprintf(extra, sizeof extra,
                   "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s",
                   accept, deflate ? "Sec-WebSocket-Extensions: " WS_DEFLATE_ANSWER "\r\n" : "");
    ws_http_respond(request, 101, NULL, extra, core_slice_make(NULL, 0));
    ws_http_free(http);
}

/* No gateway: this process will never have one, or does not have it now. */
static void handshake_no_gateway(ws_http_request *request) {
    if (ws_server_hosts_gateway(request->connection->service->server))
        handshake_refuse(request, 503, "Retry-After: 1\r\n", "the gateway is not running yet");
    else
        handshake_refuse(request, 404, "", "this process does not host the role ws");
}

void ws_handshake(ws_http_request *request) {
    const ws_http_head *head = request->head;
    ws_server *server = request->connection->service->server;
    ws_protocol protocol;
    ws_identity *identity = NULL;
    if (!ws_server_has_gateway(server)) {
        handshake_no_gateway(request);
    } else if (!handshake_is_upgrade(head) || !core_slice_is(head->method, "GET")) {
        handshake_refuse(request, 426, "Upgrade: websocket\r\n", "this path speaks WebSocket");
    } else if (!core_slice_is(ws_http_header_value(head, "sec-websocket-version"), "13")) {
        handshake_refuse(request, 426, "Sec-WebSocket-Version: 13\r\n",
                         "the WebSocket version must be 13");
    } else if (!ws_http_origin_socket(request)) {
        handshake_refuse(request, 403, "",
                         "pages of this origin may not connect; http.origins says which may");
    } else if (ws_server_draining(server)) {
        handshake_refuse(request, 503, "Retry-After: 1\r\n", "this server is shutting down");
    } else if (handshake_version(request, &protocol)) {
        identity = handshake_authorize(request);
        if (identity != NULL && ws_server_gateway(server, identity->home.source) == NULL)
            handshake_no_gateway(request);
        else if (identity != NULL && handshake_takes(request, identity))
            handshake_accept(request, protocol, identity);
        ws_identity_release(identity);
    }
}
