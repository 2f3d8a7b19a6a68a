/* Pages of other origins: a browser lets them call and read the realtime endpoints. Who calls is
 * known by its token alone, never by a cookie, so any page may; other paths stay the console's. */
#ifndef WALCAST_WS_HTTP_ORIGIN_H
#define WALCAST_WS_HTTP_ORIGIN_H

#include "ws/http.h"

/* Whether answers at the path are for pages of any origin. */
bool ws_http_origin_any(core_slice path);
/* Answers a browser's question whether a page may call such a path. False: it is none. */
CORE_MUST_CHECK bool ws_http_origin_serve(ws_http_request *request);

#endif
