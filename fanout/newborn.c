/* See newborn.h. Two that find no stream both make it, and the second is answered at once; so one
 * that is younger than our question may be ours or not. */
#include "fanout/newborn.h"

#include "core/core.h"

#include <time.h>

enum { OTHERS_MS = 250, PERHAPS_OURS_MS = 40, NS_PER_US = 1000 };

void fanout_newborn_wait(const jsStreamInfo *found, int64_t asked_us) {
    const core_clock *clock = core_clock_system();
    int64_t made_us = found->Created / NS_PER_US;
    int64_t until_us = (made_us < asked_us ? OTHERS_MS : PERHAPS_OURS_MS) * CORE_US_PER_MS;
    int64_t age_us = core_clock_wall_us(clock) - made_us;
    int64_t left_us = age_us < 0 ? until_us : until_us - age_us;
    if (left_us <= 0)
        return;
    const struct timespec left = {.tv_nsec = left_us * NS_PER_US};
    (void)nanosleep(&left, NULL);
}
