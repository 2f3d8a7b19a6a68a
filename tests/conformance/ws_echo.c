/* The WebSocket layer with an echo behind it, for suites that need one (Autobahn's).
 *
 * The same server, framing and compression as `walcast run`; only the handshake's end is another:
 * this file's ws_handshake takes the place of the library's, asks for no key and makes no session.
 * Configured as walcast is (WALCAST_HTTP_LISTEN, WALCAST_WS_COMPRESSION); ends with its stdin. */
#include "ws/deflate.h"
#include "ws/handshake.h"
#include "ws/handshake_key.h"
#include "ws/server.h"
#include "ws/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
    ws_socket *socket;
} echo;

static void echo_message(void *context, bool binary, core_slice payload) {
    echo *self = context;
    core_block *frame = ws_frame_block(binary ? WS_FRAME_BINARY : WS_FRAME_TEXT, &payload, 1);
    if (frame != NULL)
        ws_socket_send(self->socket, frame);
    core_block_release(frame);
}

static void echo_deadline(void *context, int64_t now_ms) {
    (void)now_ms;
    ws_socket_close(((echo *)context)->socket, WS_CLOSE_GOING_AWAY, "nothing was heard");
}

static void echo_closing(void *context) {
    (void)context;
}

static const ws_socket_owner echo_owner = {.on_message = echo_message,
                                           .on_deadline = echo_deadline,
                                           .on_closing = echo_closing,
                                           .on_gone = free};

static bool echo_deflate(const ws_http_request *request) {
    const ws_http_head *head = request->head;
    for (size_t i = 0; i < head->header_count; i++)
        if (ws_http_name_is(head->headers[i].name, "sec-websocket-extensions") &&
            ws_deflate_offers_fit(head->headers[i].value))
            return request->connection->service->deflate != NULL;
    return false;
}

void ws_handshake(ws_http_request *request) {
    ws_connection *connection = request->connection;
    void *http = connection->handler_state;
    char accept[WS_ACCEPT_SIZE];
    core_slice key = ws_http_header_value(request->head, "sec-websocket-key");
    echo *self = calloc(1, sizeof *self);
    if (self == NULL || key.length == 0 || !ws_handshake_accept(key, accept)) {
        free(self);
        ws_http_refuse(request, 400, "", "this is no WebSocket handshake");
        return;
    }
    self->socket = ws_socket_new(connection, &echo_owner, self);
    if (self->socket == NULL)
        abort();
    bool deflate = echo_deflate(request);
    if (deflate)
        ws_socket_set_deflate(self->socket);
    char extra[384];
    (void)snprintf(extra, sizeof extra,
                   "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s",
                   accept, deflate ? "Sec-WebSocket-Extensions: " WS_DEFLATE_ANSWER "\r\n" : "");
    ws_connection_set_deadline(connection, connection->service->now_ms + 600 * CORE_MS_PER_S);
    ws_http_respond(request, 101, NULL, extra, core_slice_make(NULL, 0));
    ws_http_free(http);
}

int main(void) {
    static core_route_table routes;
    core_error error = {.text = ""};
    core_config *config = core_config_load(NULL, stderr);
    if (config == NULL)
        return 2;
    core_metrics *metrics = core_metrics_new();
    core_log *log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, core_clock_system());
    const ws_server_spec spec = {.config = config,
                                 .log = log,
                                 .metrics = metrics,
                                 .clock = core_clock_system(),
                                 .routes = &routes};
    ws_server *server = ws_server_new(&spec, &error);
    if (server == NULL) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    (void)printf("%s\n", ws_server_address(server));
    (void)fflush(stdout);
    while (getchar() != EOF)
        ;
    ws_server_free(server);
    core_metrics_free(metrics);
    core_log_free(log);
    core_config_free(config);
    return 0;
}
