/* Sockets through libwebsockets 4.1, in its raw role.
 *
 * libwebsockets gives the sockets their place in the event loop and reads them. HTTP and WebSocket
 * framing are this room's own: its HTTP parser undoes percent-encoding before anybody sees it,
 * closes silently on what it does not know, and leaves bodies with two lengths to the reader; its
 * frames are built per write, ours once for all peers. What was measured of it stands in
 * docs/ARCHITECTURE.md. */
#include "ws/link_lws.h"

#include "ws/http.h"
#include "ws/tls.h"

#include <errno.h>
#include <libwebsockets.h>
#include <sys/socket.h>
#include <unistd.h>

static ws_connection *link_connection(struct lws *wsi) {
    return lws_get_opaque_user_data(wsi);
}

static int link_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                         size_t length) {
    (void)user;
    ws_connection *connection = wsi != NULL ? link_connection(wsi) : NULL;
    if (connection == NULL)
        return 0;
    ws_tls *tls = ws_tls_of(connection);
    switch (reason) {
    case LWS_CALLBACK_RAW_RX:
        tls != NULL ? ws_tls_bytes(connection, in, length)
                    : ws_connection_bytes(connection, in, length);
        break;
    case LWS_CALLBACK_RAW_WRITEABLE:
        tls != NULL ? ws_tls_writable(connection) : ws_connection_writable(connection);
        break;
    case LWS_CALLBACK_RAW_CLOSE:
        lws_set_opaque_user_data(wsi, NULL);
        ws_connection_gone(connection);
        ws_tls_free(tls);
        return 0;
    default:
        return 0;
    }
    return connection->state.current == WS_CONNECTION_DEAD ? -1 : 0;
}

static const struct lws_protocols link_protocols[] = {
    {.name = "raw",
     .callback = link_callback,
     .rx_buffer_size = WS_READ_BYTES,
     .tx_packet_size = WS_SEND_BYTES},
    {.name = NULL},
};

/* Not lws_write: it copies what a full socket does not take, up to WS_SEND_BYTES for each slow
 * client, while here the shared blocks go on waiting. */
static bool link_write(void *socket, const uint8_t *bytes, size_t length, size_t *taken) {
    ssize_t sent = send(lws_get_socket_fd(socket), bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    *taken = sent > 0 ? (size_t)sent : 0;
    return sent >= 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ||
           errno == ENOBUFS;
}

static void link_read(void *socket, bool on) {
    (void)lws_rx_flow_control(socket, on ? 1 : 0);
}

static void link_want_writable(void *socket) {
    (void)lws_callback_on_writable(socket);
}

static void link_half_close(void *socket) {
    (void)shutdown(lws_get_socket_fd(socket), SHUT_WR);
}

/* The time-out alone is seen only when something else wakes libwebsockets, which on an idle thread
 * may take half a minute; a socket that is shut down is readable and writable at once. */
static void link_kill(void *socket) {
    (void)shutdown(lws_get_socket_fd(socket), SHUT_RDWR);
    (void)lws_callback_on_writable(socket);
    lws_set_timeout(socket, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

static const ws_link link_lws = {
    .write = link_write,
    .want_writable = link_want_writable,
    .read = link_read,
    .half_close = link_half_close,
    .kill = link_kill,
};

struct lws_context *ws_link_context_new(struct ev_loop *loop) {
    lws_set_log_level(0, NULL); /* its lines have no room for whose they are; we log ourselves */
    void *loops[] = {loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = link_protocols,
        .foreign_loops = loops,
        .pt_serv_buf_size = WS_READ_BYTES,
        .max_http_header_pool = 1,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_NO_LWS_SYSTEM_STATES |
                   LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
    };
    return lws_create_context(&info);
}

void ws_link_context_free(struct lws_context *context) {
    lws_context_destroy(context);
}

/* NULL when memory is out. */
static ws_connection *link_connect(ws_service *service, struct lws *wsi, void *http) {
    if (service->tls.context == NULL)
        return ws_connection_new(service, &link_lws, wsi, &ws_http_handler, http);
    ws_tls *tls = ws_tls_new(service, &link_lws, wsi);
    ws_connection *connection =
        tls != NULL ? ws_connection_new(service, &ws_tls_link, tls, &ws_http_handler, http) : NULL;
    if (connection == NULL)
        ws_tls_free(tls);
    return connection;
}

void ws_link_adopt(struct lws_context *context, ws_service *service, int socket,
                   core_address peer) {
    void *http = ws_http_new();
    struct lws *wsi = NULL;
    if (http != NULL) {
        lws_adopt_desc_t adopt = {.vh = lws_get_vhost_by_name(context, "default"),
                                  .type = LWS_ADOPT_SOCKET,
                                  .fd = {.sockfd = socket}};
        wsi = lws_adopt_descriptor_vhost_via_info(&adopt); /* closes the socket when it fails */
    } else {
        (void)close(socket);
    }
    ws_connection *connection = wsi != NULL ? link_connect(service, wsi, http) : NULL;
    if (connection == NULL) {
        if (http != NULL)
            ws_http_free(http);
        if (wsi != NULL)
            link_kill(wsi);
        return;
    }
    connection->peer = connection->client = peer;
    lws_set_opaque_user_data(wsi, connection);
    ws_http_begin(connection);
}
