/* Requests that other rooms answer later (core/route.h): the reply they are handed, and its way
 * back to the client's service thread.
 *
 * A reply holds copies of its request. Of one thread's requests at most WS_HTTP_WAITING_MAX, and
 * WS_HTTP_REPLY_BYTES, are with other rooms, those that nobody waits for any more among them: a
 * further one is answered 503. */
#ifndef WALCAST_WS_HTTP_REPLY_H
#define WALCAST_WS_HTTP_REPLY_H

#include "ws/http.h"
#include "ws/identity.h"

#define WS_HTTP_EXTRA_MAX 512

/* What a route sees of the request and of who asks (NULL: it is open to all); valid as long as
 * both.
 */
core_route_request ws_http_reply_request(const ws_http_request *request,
                                         const ws_identity *identity);
/* The route table's defaults. */
void ws_http_reply_response_init(core_route_response *response);
/* The response's extra header as a line, or "". False: it is too long. */
CORE_MUST_CHECK bool ws_http_reply_extra(const core_route_response *response,
                                         char extra[WS_HTTP_EXTRA_MAX]);
/* Defers, and hands the route a reply; or refuses. `identity` (NULL: open to all) is retained. */
void ws_http_reply_defer(ws_http_request *request, const core_route_request *input,
                         const core_route *route, ws_identity *identity);

#endif
