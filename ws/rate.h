/* How many a second: token buckets, and how long somebody who takes too many is borne with.
 *
 * Pure: time comes in. A bucket is one number and may be shared by threads; a moment's race lets a
 * token too many through and loses none. */
#ifndef WALCAST_WS_RATE_H
#define WALCAST_WS_RATE_H

#include "core/core.h"

#include <stdatomic.h>

/* A limit. A full bucket holds what one second may take, so a burst of that many goes at once. */
typedef struct {
    int64_t interval_ns; /* from one token to the next; 0: no limit */
} ws_rate;

/* When the bucket will be full; all zero is full. */
typedef struct {
    _Atomic int64_t full_ns;
} ws_rate_bucket;

ws_rate ws_rate_make(int64_t per_second); /* 0: no limit */
/* How long until a token is there; 0: it is. `now_ns` of the monotonic clock. */
int64_t ws_rate_wait_ns(const ws_rate_bucket *bucket, ws_rate rate, int64_t now_ns);
/* Takes one, on credit when none is there. */
void ws_rate_take(ws_rate_bucket *bucket, ws_rate rate, int64_t now_ns);

/* ---- Patience ---- */

#define WS_PATIENCE_THROTTLE_MS 1000  /* over the limit: reading pauses, nothing is refused */
#define WS_PATIENCE_REFUSE_MS   10000 /* still over it: what is too much is refused */
#define WS_PATIENCE_FORGET_MS   2000  /* within the limit for so long: all is forgotten */

typedef enum {
    WS_PATIENCE_GO,       /* take a token and act */
    WS_PATIENCE_THROTTLE, /* take one on credit, act, and read nothing until it is paid back */
    WS_PATIENCE_REFUSE,   /* take none; refuse with the protocol's error */
    WS_PATIENCE_CLOSE,    /* the connection has been over its limit for too long */
} ws_patience_verdict;

typedef struct {
    int64_t over_since_ms, over_last_ms; /* 0: never */
} ws_patience;

/* `wait_ns` is what ws_rate_wait_ns said, the longest of several. */
ws_patience_verdict ws_patience_judge(ws_patience *patience, int64_t wait_ns, int64_t now_ms);

#endif
