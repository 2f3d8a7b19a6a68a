/* The connections of one service thread whose request is not answered yet, by handle: a slot and
 * that slot's generation, so that an answer to a client that has gone finds nobody.
 *
 * At most WS_HTTP_WAITING_MAX a thread; a further request is refused, as http.h says. */
#ifndef WALCAST_WS_HTTP_WAIT_H
#define WALCAST_WS_HTTP_WAIT_H

#include "ws/service.h"

typedef uint64_t ws_http_handle; /* 0: none */

/* `abandoned`, where it is not NULL, is set once nobody waits for the answer any more; it must stay
 * until then. 0 when too many wait or memory is out. */
CORE_MUST_CHECK ws_http_handle ws_http_wait_enter(ws_service *service, ws_connection *connection,
                                                  atomic_bool *abandoned);
/* NULL: nobody waits under this handle. */
ws_connection *ws_http_wait_find(const ws_service *service, ws_http_handle handle);
/* The handle must be one that waits. `abandoned` says that the answer did not come. */
void ws_http_wait_leave(ws_service *service, ws_http_handle handle, bool abandoned);
/* Nobody may wait any more. */
void ws_http_waits_free(ws_service *service);

#endif
