/* The HTTP side of a connection: requests in, one answer each, keep-alive, and the place where a
 * WebSocket begins.
 *
 * A handler is given a whole request (head and body), and answers before it returns. */
#ifndef WALCAST_WS_HTTP_H
#define WALCAST_WS_HTTP_H

#include "ws/http_head.h"
#include "ws/service.h"

/* Every connection begins as this. */
extern const ws_handler ws_http_handler;
/* The handler's state, for ws_connection_new. NULL when memory is out. */
CORE_MUST_CHECK void *ws_http_new(void);
void ws_http_free(void *state);
/* Call once the connection is made: its first deadline. */
void ws_http_begin(ws_connection *connection);

/* A request being answered; valid during the handler's call. */
typedef struct {
    ws_connection *connection;
    const ws_http_head *head;
    core_slice body;
    core_slice request_id;
    bool close;    /* the connection ends after the answer */
    bool answered; /* set by the functions below */
} ws_http_request;

/* `extra` is whole header lines, each with its CRLF, or "". */
void ws_http_respond(ws_http_request *request, unsigned status, const char *content_type,
                     const char *extra, core_slice body);
/* An RFC 9457 problem. */
void ws_http_refuse(ws_http_request *request, unsigned status, const char *extra,
                    const char *detail);

/* Finds who answers the request, and lets him (http_routes.c). */
void ws_http_route(ws_http_request *request);

#endif
