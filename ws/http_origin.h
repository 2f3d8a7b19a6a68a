/* Pages of other origins: what a browser is told of who may call a path and read its answers.
 *
 * Here, and nowhere else, http.origins becomes headers (WHATWG Fetch, "CORS protocol"): every
 * answer of the server, refusals too, says what ws_http_origin_cors found for its request. Who asks
 * is known by a credential alone, never by a cookie, so "*" gives nothing away where one is asked
 * for. What asks for none (health, metrics, the console) is not opened by "*", but is to an origin
 * that is named: a page from anywhere must not read, through a browser within, what only who is
 * within can reach. */
#ifndef WALCAST_WS_HTTP_ORIGIN_H
#define WALCAST_WS_HTTP_ORIGIN_H

#include "ws/http.h"

/* What answers to the request say; `allow` is in the head or static. */
ws_http_cors ws_http_origin_cors(const ws_service *service, const ws_http_head *head);
/* Answers a browser's question whether a page may call a path (OPTIONS). False: it is none. */
CORE_MUST_CHECK bool ws_http_origin_serve(ws_http_request *request);
/* Whether a WebSocket may be opened: by the server's own pages, those of http.origins, and by
 * clients that are no browser, which send no origin. */
bool ws_http_origin_socket(const ws_http_request *request);

#endif
