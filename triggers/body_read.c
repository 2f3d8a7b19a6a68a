/* See body_read.h. */
#include "triggers/body_read.h"

static bool member_take(core_json_reader *reader, core_json_token member,
                        triggers_body_parts *parts) {
    core_slice whole;
    if (core_json_raw_is(member.key, "type"))
        parts->type = member.raw;
    else if (core_json_raw_is(member.key, "timestamp"))
        parts->timestamp = member.raw;
    else if (core_json_raw_is(member.key, "offset"))
        parts->offset = member.raw;
    if (!core_json_skip(reader, member, &whole))
        return false;
    if (core_json_raw_is(member.key, "data"))
        parts->data = whole;
    return true;
}

bool triggers_body_read(core_slice body, triggers_body_parts *parts, core_error *error) {
    core_json_reader reader = core_json_envelope_reader_make(body);
    core_json_token member;
    bool ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    *parts = (triggers_body_parts){.type = core_slice_make("", 0)};
    while (ok && core_json_member_next(&reader, &member))
        ok = member_take(&reader, member, parts);
    return (ok && parts->data.length > 0) ||
           core_error_set(error, CORE_ERROR_INPUT, "the task's body is none of this version's");
}
