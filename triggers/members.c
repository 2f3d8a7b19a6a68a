/* See members.h. */
#include "triggers/members.h"

void triggers_member_text(core_json_writer *json, const char *name, core_slice text) {
    core_json_key_text(json, name);
    core_json_string(json, text);
}

void triggers_member_number(core_json_writer *json, const char *name, uint64_t number) {
    core_json_key_text(json, name);
    core_json_unsigned(json, number);
}

void triggers_member_time(core_json_writer *json, const char *name, int64_t time_us) {
    char text[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(time_us, text);
    core_json_key_text(json, name);
    core_json_text(json, text);
}
