/* Server-sent events as text (HTML, 9.2): made once into a shared block.
 *
 * Changes have no name, so that a page's `onmessage` gets them; what Walcast itself has to say has
 * one (`snapshot`, `ready`, `warning`, `gap`, `problem`), never `error`, which pages would take for
 * the connection's. */
#ifndef WALCAST_WS_SSE_EVENT_H
#define WALCAST_WS_SSE_EVENT_H

#include "ws/limits.h"

#define WS_SSE_PROBLEM  "problem"
#define WS_SSE_GAP      "gap"
#define WS_SSE_READY    "ready"
#define WS_SSE_SNAPSHOT "snapshot"
#define WS_SSE_WARNING  "warning"

/* Of one event; each part may be left out. */
typedef struct {
    const char *name; /* NULL: a message */
    core_slice id;    /* empty: the client keeps the one before */
    core_slice data;  /* JSON; empty: nothing is dispatched, only the id and the retry count */
    int64_t retry_ms; /* how long the client waits before it connects again; 0: not said */
} ws_sse_event;

/* The event's text. Line ends in `data`, which JSON has only between its values, become blanks.
 * NULL when memory is out. */
CORE_MUST_CHECK core_block *ws_sse_event_block(const ws_sse_event *event);
/* An event of that name whose data is an RFC 9457 problem. */
CORE_MUST_CHECK core_block *ws_sse_problem_block(const char *name, unsigned status,
                                                 const char *detail, int64_t retry_ms);
/* A comment, which clients pass over: it tells proxies and both ends that the stream is alive. */
CORE_MUST_CHECK core_block *ws_sse_heartbeat_block(void);

#endif
