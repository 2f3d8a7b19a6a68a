/* Where a request carries its token: headers x-api-key and apikey, the parameter apikey, the
 * bearer.
 */
#ifndef WALCAST_WS_HTTP_KEY_H
#define WALCAST_WS_HTTP_KEY_H

#include "ws/http.h"
#include "ws/identity.h"

typedef enum {
    WS_KEY_FIRST, /* the project's key says who connects: a WebSocket, whose channels have tokens */
    WS_BEARER_FIRST, /* the user's token does, beside the project's key */
} ws_http_key_order;

/* Who the first of them that is given says it is; one reference. NULL: the verdict says why not;
 * with AUTH_OK memory is out. The request's record names who it is. */
CORE_MUST_CHECK ws_identity *ws_http_key_identify(ws_http_request *request, ws_http_key_order order,
                                                  auth_verdict *verdict);
/* The status of a refusal: 401, 403 where nothing is open, 503 where it may be tried again. */
unsigned ws_http_key_status(auth_verdict verdict);

#endif
