/* The HTTP side of a connection: requests in, one answer each, keep-alive, and the place where a
 * WebSocket begins.
 *
 * A handler is given a whole request (head and body). It answers before it returns, or defers: then
 * it has a handle, and answers later on the same thread (ws_http_complete) or from any other by a
 * post (post.h) or a reply of the route table (core/route.h). While an answer is awaited the
 * connection takes no further request; what is pipelined behind it waits, WS_HTTP_PIPELINED_MAX at
 * most. After WS_HTTP_ANSWER_MS, or what the waiter says, it is answered 504. A client that went
 * away is forgotten: its handle finds nobody. */
#ifndef WALCAST_WS_HTTP_H
#define WALCAST_WS_HTTP_H

#include "ws/http_head.h"
#include "ws/http_record.h"
#include "ws/http_response.h"
#include "ws/http_wait.h"

/* Every connection begins as this. */
extern const ws_handler ws_http_handler;
/* The handler's state, for ws_connection_new. NULL when memory is out. */
CORE_MUST_CHECK void *ws_http_new(void);
void ws_http_free(void *state);
/* Call once the connection is made: its first deadline. */
void ws_http_begin(ws_connection *connection);

/* A request being answered; valid during the handler's call. */
typedef struct {
    ws_connection *connection; /* its `client` is who asks */
    const ws_http_head *head;
    core_slice body;
    core_slice request_id;
    ws_http_cors cors; /* see http_origin.h */
    bool close;        /* the connection ends after the answer */
    bool head_only;    /* HEAD: the answer's length without its body */
    ws_http_record record;
    const core_route_surface *surface; /* of its route; NULL: the server's own */
    bool answered;                     /* set by the functions below */
    bool deferred;
} ws_http_request;

/* `extra` is whole header lines, each with its CRLF, or "". */
void ws_http_respond(ws_http_request *request, unsigned status, const char *content_type,
                     const char *extra, core_slice body);
/* An RFC 9457 problem, or what the route's surface has instead. */
void ws_http_refuse(ws_http_request *request, unsigned status, const char *extra,
                    const char *detail);

/* The answer comes later: nothing of the request may be used after the handler returned, so what is
 * needed of it is copied. 0 when too many wait: it is refused then, with 503. */
CORE_MUST_CHECK ws_http_handle ws_http_defer(ws_http_request *request,
                                             const ws_http_waiter *waiter);
/* The answer of a deferred request, on its service's thread; texts as in ws_http_respond. False:
 * nobody waits for it any more. */
bool ws_http_complete(ws_service *service, ws_http_handle handle, unsigned status,
                      const char *content_type, const char *extra, core_slice body);
/* The same with an RFC 9457 problem. */
bool ws_http_complete_refusal(ws_service *service, ws_http_handle handle, unsigned status,
                              const char *extra, const char *detail);

/* What the answer of a deferred request, which must wait, means where its own status says another:
 * for its record. */
void ws_http_mean(ws_service *service, ws_http_handle handle, unsigned status);
/* Answers a deferred request, which must wait, with a head alone: the body is what `handler`, whose
 * the connection is from now on, sends, and ends with the connection. */
void ws_http_become(ws_service *service, ws_http_handle handle, const char *content_type,
                    const char *extra, const ws_handler *handler, void *handler_state);

/* Finds who answers the request, and lets him (http_routes.c). */
void ws_http_route(ws_http_request *request);
/* Of a request whose body has not come: its surface, and how long the body may be for who asks. */
void ws_http_route_surface(ws_http_request *request);
size_t ws_http_route_body_max(ws_http_request *request);

#endif
