/* How long to wait before trying a peer again: doubling from a first wait to a maximum, with
 * jitter, so that many processes do not come back at once. */
#ifndef WALCAST_CORE_BACKOFF_H
#define WALCAST_CORE_BACKOFF_H

#include "core/base.h"

typedef struct {
    int64_t first_ms;
    int64_t max_ms;
    int64_t next_ms;
    uint64_t random;
} core_backoff;

/* `seed` makes the jitter repeatable in tests; any number will do. */
void core_backoff_init(core_backoff *backoff, int64_t first_ms, int64_t max_ms, uint64_t seed);
/* The wait before the next attempt: between half and all of the current step. */
int64_t core_backoff_next_ms(core_backoff *backoff);
/* After success. */
void core_backoff_reset(core_backoff *backoff);

#endif
