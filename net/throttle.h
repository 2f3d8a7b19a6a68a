/* How fast, and how many at a time, requests may go to one endpoint: a rate, and a number of
 * places. A pause saves nothing up; only who comes a little late, as timers do, makes that up.
 *
 * A value, no memory of its own; the owner's thread; the clock (monotonic) is passed in. */
#ifndef WALCAST_NET_THROTTLE_H
#define WALCAST_NET_THROTTLE_H

#include "core/core.h"

#define NET_THROTTLE_LATE_NS (20 * CORE_NS_PER_MS) /* longer is a pause */

/* No place is free: ask again after a release. */
#define NET_THROTTLE_FULL INT64_C(-1)

typedef struct {
    int64_t interval_ns;  /* from one to the next; 0: as many go as there are */
    uint32_t concurrency; /* 0: as many as there are */
} net_throttle_spec;

typedef struct {
    net_throttle_spec spec; /* may be replaced at any time */
    uint32_t under_way;
    int64_t due_ns; /* of the next one */
} net_throttle;

void net_throttle_init(net_throttle *throttle, const net_throttle_spec *spec, int64_t now_ns);
/* 0: one may go, and holds a place until its release. NET_THROTTLE_FULL, or the nanoseconds after
 * which to ask again. */
CORE_MUST_CHECK int64_t net_throttle_admit(net_throttle *throttle, int64_t now_ns);
/* Once for each that was let go. */
void net_throttle_release(net_throttle *throttle);
/* Instead of a release, of the one that was let go last and did not go: it counts for nothing. */
void net_throttle_cancel(net_throttle *throttle);

#endif
