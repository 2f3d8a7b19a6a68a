/* How fast, and how many at a time, requests may go to one endpoint: a rate with a burst, and a
 * number of places.
 *
 * A value, no memory of its own; the owner's thread; the clock (monotonic) is passed in. */
#ifndef WALCAST_NET_THROTTLE_H
#define WALCAST_NET_THROTTLE_H

#include "core/core.h"

#define NET_THROTTLE_INTERVAL_MIN_NS 1000 /* a million a second */

/* No place is free: ask again after a release. */
#define NET_THROTTLE_FULL INT64_C(-1)

typedef struct {
    int64_t interval_ns;  /* of each a token comes back; 0: as many go as there are */
    uint32_t burst;       /* that may go at once after a pause; 0: 1 */
    uint32_t concurrency; /* 0: as many as there are */
} net_throttle_spec;

typedef struct {
    net_throttle_spec spec;
    uint32_t under_way;
    int64_t due_ns; /* when the bucket will be full again */
} net_throttle;

void net_throttle_init(net_throttle *throttle, const net_throttle_spec *spec, int64_t now_ns);
/* 0: one may go, and holds a place until its release. NET_THROTTLE_FULL, or the nanoseconds after
 * which to ask again. */
CORE_MUST_CHECK int64_t net_throttle_admit(net_throttle *throttle, int64_t now_ns);
/* Once for each that was let go. */
void net_throttle_release(net_throttle *throttle);

#endif
