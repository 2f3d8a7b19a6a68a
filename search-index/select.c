/* See select.h. A path that grows longer than names may be leads to nothing. */
#include "search-index/select.h"

typedef struct {
    const search_select *select;
    core_json_writer *json;
    core_json_reader reader;
    char path[SEARCH_SELECT_PATH_MAX];
} selecting;

typedef enum { SELECT_NOTHING, SELECT_BELOW, SELECT_ALL } select_verdict;

static select_verdict path_look(const search_select *select, core_slice path) {
    select_verdict verdict = SELECT_NOTHING;
    for (size_t i = 0; i < select->count; i++) {
        core_slice name = select->names[i];
        if (core_slice_equal(name, path))
            return SELECT_ALL;
        if (core_slice_begins(name, path) && name.length > path.length &&
            name.data[path.length] == '.')
            verdict = SELECT_BELOW;
    }
    return verdict;
}

static void value_write(selecting *it, core_json_token token, size_t length);

static void members_write(selecting *it, size_t length) {
    core_json_token token;
    core_slice whole;
    core_json_object_open(it->json);
    while (core_json_member_next(&it->reader, &token)) {
        core_buffer path = core_buffer_over(it->path, sizeof it->path);
        path.length = length;
        core_buffer_text(&path, length > 0 ? "." : "");
        bool fits = core_json_unescape(token.key, &path) && core_buffer_ok(&path);
        core_slice name = core_buffer_slice(&path);
        select_verdict verdict = fits ? path_look(it->select, name) : SELECT_NOTHING;
        bool is_open = token.kind == CORE_JSON_OBJECT_OPEN || token.kind == CORE_JSON_ARRAY_OPEN;
        if (verdict == SELECT_BELOW && is_open) {
            core_json_key(it->json, core_slice_make(name.data + length + (length > 0),
                                                    name.length - length - (length > 0)));
            value_write(it, token, name.length);
            continue;
        }
        core_slice key =
            core_slice_make(name.data + length + (length > 0), name.length - length - (length > 0));
        if (!core_json_skip(&it->reader, token, &whole))
            break;
        if (verdict != SELECT_ALL)
            continue;
        core_json_key(it->json, key);
        core_json_raw(it->json, whole);
    }
    core_json_object_close(it->json);
}

static void value_write(selecting *it, core_json_token token, size_t length) {
    core_slice whole;
    if (token.kind == CORE_JSON_OBJECT_OPEN) {
        members_write(it, length);
        return;
    }
    core_json_array_open(it->json);
    for (token = core_json_next(&it->reader);
         token.kind != CORE_JSON_ARRAY_CLOSE && token.kind != CORE_JSON_INVALID;
         token = core_json_next(&it->reader)) {
        if (token.kind == CORE_JSON_OBJECT_OPEN)
            members_write(it, length);
        else if (!core_json_skip(&it->reader, token, &whole))
            break;
    }
    core_json_array_close(it->json);
}

void search_select_write(const search_select *select, core_slice document, core_json_writer *json) {
    selecting it = {.select = select, .json = json, .reader = core_json_reader_make(document)};
    if (select->count == 0) {
        core_json_raw(json, document);
        return;
    }
    core_json_token token = core_json_next(&it.reader);
    if (token.kind == CORE_JSON_OBJECT_OPEN)
        members_write(&it, 0);
    else
        core_json_null(json);
}
