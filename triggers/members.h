/* A JSON object's members, as what is shown of triggers has them. Private to the room. */
#ifndef WALCAST_TRIGGERS_MEMBERS_H
#define WALCAST_TRIGGERS_MEMBERS_H

#include "core/core.h"

void triggers_member_text(core_json_writer *json, const char *name, core_slice text);
void triggers_member_number(core_json_writer *json, const char *name, uint64_t number);
/* Of microseconds since 1970, as core_clock_format has it. */
void triggers_member_time(core_json_writer *json, const char *name, int64_t time_us);

#endif
