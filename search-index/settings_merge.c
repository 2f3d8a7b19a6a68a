/* See settings_merge.h. */
#include "search-index/settings_merge.h"

/* Whether the object has a member of that name, as it is written. */
static bool has_member(core_slice object, core_slice key) {
    core_json_reader reader = core_json_reader_make(object);
    core_json_token member;
    core_slice whole;
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    while (core_json_member_next(&reader, &member)) {
        if (core_slice_equal(member.key, key))
            return true;
        if (!core_json_skip(&reader, member, &whole))
            return false;
    }
    return false;
}

static void member_write(core_buffer *out, core_slice key, core_slice value, bool *any) {
    core_buffer_text(out, *any ? ",\"" : "\"");
    core_buffer_slice_append(out, key);
    core_buffer_text(out, "\":");
    core_buffer_slice_append(out, value);
    *any = true;
}

/* Members that are not null, and not in `without`. */
static bool members_write(core_slice object, const core_slice *without, core_buffer *out,
                          bool *any) {
    core_json_reader reader = core_json_reader_make(object);
    core_json_token member;
    core_slice whole;
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    while (core_json_member_next(&reader, &member)) {
        bool is_null = member.kind == CORE_JSON_NULL;
        if (!core_json_skip(&reader, member, &whole))
            return false;
        if (!is_null && (without == NULL || !has_member(*without, member.key)))
            member_write(out, member.key, whole, any);
    }
    return core_json_next(&reader).kind == CORE_JSON_END;
}

bool search_settings_merge(core_slice settings, core_slice change, core_buffer *out) {
    bool any = false;
    core_buffer_u8(out, '{');
    bool ok = members_write(settings, &change, out, &any) && members_write(change, NULL, out, &any);
    core_buffer_u8(out, '}');
    return ok && core_buffer_ok(out);
}
