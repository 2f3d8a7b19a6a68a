/* The connections of one service thread whose request is not answered yet, by handle: a slot and
 * that slot's generation, so that an answer to a client that has gone finds nobody.
 *
 * At most WS_HTTP_WAITING_MAX a thread; a further request is refused, as http.h says. */
#ifndef WALCAST_WS_HTTP_WAIT_H
#define WALCAST_WS_HTTP_WAIT_H

#include "ws/service.h"

typedef uint64_t ws_http_handle; /* 0: none */

/* What whoever owes an answer is told, on the service's thread. All of it may be left out. */
typedef struct {
    int64_t wait_ms; /* how long the client waits; 0: WS_HTTP_ANSWER_MS */
    /* That has passed: it must complete the request. NULL: it is answered 504, and `gone` called.
     */
    void (*late)(void *context);
    /* Nobody waits for the answer any more; the handle is over. */
    void (*gone)(void *context);
    void *context;
} ws_http_waiter;

/* 0 when too many wait or memory is out. */
CORE_MUST_CHECK ws_http_handle ws_http_wait_enter(ws_service *service, ws_connection *connection,
                                                  const ws_http_waiter *waiter);
/* NULL: nobody waits under this handle. */
ws_connection *ws_http_wait_find(const ws_service *service, ws_http_handle handle);
/* Who answers it. The handle must be one that waits. */
const ws_http_waiter *ws_http_wait_waiter(const ws_service *service, ws_http_handle handle);
/* The handle must be one that waits; it is over. `gone`: the waiter is told so. */
void ws_http_wait_leave(ws_service *service, ws_http_handle handle, bool gone);
/* Nobody may wait any more. */
void ws_http_waits_free(ws_service *service);

#endif
