/* Retry-After (RFC 9110 10.2.3): seconds, or a date in one of the three forms that HTTP has.
 * Private to net; safe from every thread. */
#ifndef WALCAST_NET_RETRY_AFTER_H
#define WALCAST_NET_RETRY_AFTER_H

#include "core/core.h"

/* Milliseconds from `wall_us` (since 1970), 0 when the date is over, at most `max_ms`; -1 when the
 * text is neither. */
int64_t net_retry_after_read(core_slice text, int64_t wall_us, int64_t max_ms);

#endif
