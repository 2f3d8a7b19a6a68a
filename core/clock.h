/* Time behind an interface, so that a test can move it.
 *
 * Every thread that waits or times out asks its clock; nobody calls clock_gettime elsewhere. */
#ifndef WALCAST_CORE_CLOCK_H
#define WALCAST_CORE_CLOCK_H

#include "core/base.h"

typedef struct core_clock core_clock;
struct core_clock {
    /* Never goes back; for intervals and time-outs. */
    int64_t (*monotonic_ns)(const core_clock *clock);
    /* Since 1970-01-01 UTC. */
    int64_t (*wall_us)(const core_clock *clock);
};

/* The system's clock. Static, safe from every thread. */
const core_clock *core_clock_system(void);

static inline int64_t core_clock_ms(const core_clock *clock) {
    return clock->monotonic_ns(clock) / CORE_NS_PER_MS;
}
static inline int64_t core_clock_wall_us(const core_clock *clock) {
    return clock->wall_us(clock);
}

/* Microseconds since 1970 as "2025-11-19T00:22:40.877Z" (milliseconds, UTC) into `text`. */
#define CORE_CLOCK_TEXT_SIZE 40
void core_clock_format(int64_t wall_us, char text[CORE_CLOCK_TEXT_SIZE]);
/* ISO 8601 ("2025-11-19T00:22:40Z", a date alone, an offset), or seconds since 1970. */
CORE_MUST_CHECK bool core_clock_parse(const char *text, int64_t *wall_us);

#endif
