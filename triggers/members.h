/* A JSON object's members, as what is shown of triggers has them. Private to the room. */
#ifndef WALCAST_TRIGGERS_MEMBERS_H
#define WALCAST_TRIGGERS_MEMBERS_H

#include "core/core.h"

/* Microseconds of milliseconds that come from a stream: at most as many as there are. */
static inline int64_t triggers_us_of_ms(int64_t ms) {
    if (ms > INT64_MAX / CORE_US_PER_MS)
        return INT64_MAX;
    return ms < INT64_MIN / CORE_US_PER_MS ? INT64_MIN : ms * CORE_US_PER_MS;
}

void triggers_member_text(core_json_writer *json, const char *name, core_slice text);
void triggers_member_number(core_json_writer *json, const char *name, uint64_t number);
/* Of microseconds since 1970, as core_clock_format has it. */
void triggers_member_time(core_json_writer *json, const char *name, int64_t time_us);

#endif
