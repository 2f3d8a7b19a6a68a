/* When a channel's token is warned of, suspends its channel, and ends it.
 *
 * Pure: both clocks come in. A token's `exp` is of the wall clock, how long a suspended channel is
 * kept of the monotonic one, so that a clock that is set back revives nothing and one that is set
 * forward cuts no grace short. A channel that was suspended stays so until a new token comes. */
#ifndef WALCAST_WS_EXPIRY_H
#define WALCAST_WS_EXPIRY_H

#include "core/core.h"

typedef struct {
    int64_t warning_ms; /* so long before the end it is said; 0: never */
    int64_t grace_ms;   /* so long the channel is kept without one; 0: it ends with its token */
} ws_expiry_rule;

typedef struct {
    int64_t expires_ms; /* of the wall clock, since 1970; INT64_MAX: never */
    int64_t ends_ms;    /* once suspended: when the channel ends, of the monotonic clock */
    bool warned;
    bool suspended;
} ws_expiry;

typedef enum {
    WS_EXPIRY_NOTHING,
    WS_EXPIRY_WARN,    /* say that it expires soon */
    WS_EXPIRY_SUSPEND, /* it has; delivery stops */
    WS_EXPIRY_CLOSE,   /* it has, and the grace is over */
} ws_expiry_step;

/* `expires_s` since 1970, whatever stands in the token. */
ws_expiry ws_expiry_make(int64_t expires_s);
/* What is due now; each step is told once, a suspended channel's end as often as it is asked. A
 * token that comes within the warning's time is warned of at once. */
ws_expiry_step ws_expiry_look(ws_expiry *expiry, const ws_expiry_rule *rule, int64_t now_ms,
                              int64_t wall_ms);
/* When to look again, of the monotonic clock; not before `now_ms`. INT64_MAX: never. */
int64_t ws_expiry_next_ms(const ws_expiry *expiry, const ws_expiry_rule *rule, int64_t now_ms,
                          int64_t wall_ms);
/* Whether its token has expired; a suspended channel's has, whatever the clock says by now. */
bool ws_expiry_over(const ws_expiry *expiry, int64_t wall_ms);
/* Whole seconds until then, at least 0. */
int64_t ws_expiry_left_s(const ws_expiry *expiry, int64_t wall_ms);

#endif
