/* The system clock and its text form; see clock.h. */
#include "core/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t clock_monotonic_ns(const core_clock *clock) {
    (void)clock;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * CORE_NS_PER_MS + now.tv_nsec;
}

static int64_t clock_wall_us(const core_clock *clock) {
    (void)clock;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const core_clock *core_clock_system(void) {
    static const core_clock system_clock = {clock_monotonic_ns, clock_wall_us};
    return &system_clock;
}

void core_clock_format(int64_t wall_us, char text[CORE_CLOCK_TEXT_SIZE]) {
    int64_t seconds = wall_us / 1000000, rest_us = wall_us % 1000000;
    if (rest_us < 0) {
        seconds--;
        rest_us += 1000000;
    }
    time_t whole = (time_t)seconds;
    struct tm parts;
    text[0] = '\0';
    if (gmtime_r(&whole, &parts) == NULL)
        return;
    (void)snprintf(text, CORE_CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                   parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                   parts.tm_min, parts.tm_sec, (int)(rest_us / 1000));
}
