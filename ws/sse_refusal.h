/* How a stream of server-sent events is refused; see sse.h for why it depends on the client. */
#ifndef WALCAST_WS_SSE_REFUSAL_H
#define WALCAST_WS_SSE_REFUSAL_H

#include "ws/http.h"

/* Whether the client reads event streams, as EventSource does: Accept says so. */
bool ws_sse_takes_events(const ws_http_head *head);
/* How long a client waits before it connects again: each its own, so that clients that were cut
 * together do not come back together. */
int64_t ws_sse_retry_ms(ws_service *service);
/* The status of a reason "Code: message", as the realtime protocol has them; `*detail` is the
 * message. */
unsigned ws_sse_status_of(const char *reason, const char **detail);

void ws_sse_refuse(ws_http_request *request, unsigned status, const char *detail);
/* The same, with when another try is worth it. */
void ws_sse_refuse_until(ws_http_request *request, unsigned status, const char *detail,
                         int64_t wait_ms);
/* The same for a request that waits. */
void ws_sse_refuse_waiting(ws_service *service, ws_http_handle handle, bool takes_events,
                           unsigned status, const char *detail);
/* The last event of a stream that the server ends for that reason. NULL when memory is out. */
CORE_MUST_CHECK core_block *ws_sse_last_event(ws_service *service, unsigned status,
                                              const char *detail);

#endif
