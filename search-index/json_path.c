/* See json_path.h. Goes as deep as there are steps, arrays on the way counted too: at most twice
 * SEARCH_PATH_MAX. */
#include "search-index/json_path.h"

enum { ARRAYS_MAX = 8 };

static bool value_find(core_slice value, const core_slice *steps, size_t count, unsigned arrays,
                       core_buffer *out);

static bool member_find(core_json_reader *reader, const core_slice *steps, size_t count,
                        unsigned arrays, core_buffer *out) {
    core_json_token member;
    core_slice whole;
    bool found = false;
    while (!found && core_json_member_next(reader, &member)) {
        bool is_it = core_json_raw_is(member.key, (const char *)steps[0].data);
        if (!core_json_skip(reader, member, &whole))
            return false;
        found = is_it && value_find(whole, steps + 1, count - 1, arrays, out);
    }
    return found;
}

static bool elements_find(core_json_reader *reader, const core_slice *steps, size_t count,
                          unsigned arrays, core_buffer *out) {
    size_t begin = out->length, found = 0;
    core_slice whole;
    core_buffer_u8(out, '[');
    for (;;) {
        core_json_token token = core_json_next(reader);
        if (token.kind == CORE_JSON_ARRAY_CLOSE)
            break;
        size_t before = out->length;
        if (found > 0)
            core_buffer_u8(out, ',');
        if (!core_json_skip(reader, token, &whole))
            found = 0;
        else if (value_find(whole, steps, count, arrays + 1, out)) {
            found++;
            continue;
        }
        out->length = before;
        if (token.kind == CORE_JSON_INVALID)
            break;
    }
    core_buffer_u8(out, ']');
    if (found == 0)
        out->length = begin;
    return found > 0;
}

static bool value_find(core_slice value, const core_slice *steps, size_t count, unsigned arrays,
                       core_buffer *out) {
    if (count == 0) {
        core_buffer_slice_append(out, value);
        return true;
    }
    core_json_reader reader = core_json_reader_make(value);
    core_json_kind kind = core_json_next(&reader).kind;
    if (kind == CORE_JSON_OBJECT_OPEN)
        return member_find(&reader, steps, count, arrays, out);
    return kind == CORE_JSON_ARRAY_OPEN && arrays < ARRAYS_MAX &&
           elements_find(&reader, steps, count, arrays, out);
}

bool search_json_path(core_slice document, const core_slice *steps, size_t count,
                      core_json_writer *json) {
    core_buffer found;
    core_buffer_init(&found, document.length + 64);
    bool ok = core_json_valid(document) && value_find(document, steps, count, 0, &found) &&
              core_buffer_ok(&found);
    if (ok)
        core_json_raw(json, core_buffer_slice(&found));
    core_buffer_fini(&found);
    return ok;
}
