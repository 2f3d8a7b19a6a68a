/* The walk keeps one frame a level and the path so far in fixed memory. */
#include "search-index/walk.h"

#define WALK_DEPTH_MAX 256

typedef struct {
    uint16_t path_length; /* of the container itself */
    bool is_array;
    bool is_element;
    bool is_over; /* its path is too long: nothing in it is told */
    bool is_top;
    bool has_any;
} walk_frame;

typedef struct {
    core_json_reader reader;
    walk_frame frames[WALK_DEPTH_MAX];
    unsigned depth; /* frames in use; the document itself is the first */
    uint8_t path[SEARCH_ATTRIBUTE_NAME_MAX + 4];
    search_walk_taker *taker;
    void *context;
} walk;

/* The path of a member of the container `frame`; false: it is too long. */
static bool path_extend(walk *w, const walk_frame *frame, core_slice key, size_t *length) {
    *length = frame->path_length;
    if (frame->is_over)
        return false;
    if (frame->is_array)
        return true;
    if (*length > 0 && *length < SEARCH_ATTRIBUTE_NAME_MAX)
        w->path[(*length)++] = '.';
    if (key.length == 0 || *length >= SEARCH_ATTRIBUTE_NAME_MAX)
        return false;
    core_buffer out = core_buffer_over(w->path + *length, SEARCH_ATTRIBUTE_NAME_MAX - *length);
    if (memchr(key.data, '\\', key.length) == NULL)
        core_buffer_slice_append(&out, key);
    else if (!core_json_unescape(key, &out))
        return false;
    *length += out.length;
    return core_buffer_ok(&out);
}

static bool step_give(walk *w, core_json_token token, const walk_frame *place, size_t length) {
    search_walk_step step = {.path = core_slice_make(w->path, length),
                             .token = token,
                             .is_empty = !place->has_any,
                             .is_element = place->is_element,
                             .is_top = place->is_top};
    return w->taker(w->context, &step);
}

static bool container_open(walk *w, core_json_token token, walk_frame place) {
    if (w->depth == WALK_DEPTH_MAX)
        return false;
    place.is_array = token.kind == CORE_JSON_ARRAY_OPEN;
    place.has_any = false;
    w->frames[w->depth++] = place;
    return true;
}

/* The innermost container ended; the document itself is not told. */
static bool container_close(walk *w) {
    walk_frame frame = w->frames[--w->depth];
    if (w->depth == 0 || frame.is_over)
        return true;
    core_json_token token = {.kind = frame.is_array ? CORE_JSON_ARRAY_OPEN : CORE_JSON_OBJECT_OPEN};
    return step_give(w, token, &frame, frame.path_length);
}

static search_walk_result value_take(walk *w, core_json_token token) {
    walk_frame *parent = &w->frames[w->depth - 1];
    size_t length;
    walk_frame place = {.is_element = parent->is_array,
                        .is_top = parent->is_array ? parent->is_top : w->depth == 1};
    place.is_over = !path_extend(w, parent, token.key, &length);
    place.path_length = (uint16_t)length;
    parent->has_any = true;
    if (token.kind == CORE_JSON_OBJECT_OPEN || token.kind == CORE_JSON_ARRAY_OPEN)
        return container_open(w, token, place) ? SEARCH_WALK_DONE : SEARCH_WALK_REFUSED;
    if (place.is_over || step_give(w, token, &place, length))
        return SEARCH_WALK_DONE;
    return SEARCH_WALK_STOPPED;
}

search_walk_result search_walk(core_slice json, search_walk_taker *taker, void *context) {
    walk w = {.reader = core_json_reader_make(json), .taker = taker, .context = context};
    if (core_json_next(&w.reader).kind != CORE_JSON_OBJECT_OPEN)
        return SEARCH_WALK_REFUSED;
    w.frames[w.depth++] = (walk_frame){.is_array = false};
    while (w.depth > 0) {
        core_json_token token = core_json_next(&w.reader);
        if (token.kind == CORE_JSON_INVALID || token.kind == CORE_JSON_END)
            return SEARCH_WALK_REFUSED;
        if (token.kind == CORE_JSON_OBJECT_CLOSE || token.kind == CORE_JSON_ARRAY_CLOSE) {
            if (!container_close(&w))
                return SEARCH_WALK_STOPPED;
            continue;
        }
        search_walk_result result = value_take(&w, token);
        if (result != SEARCH_WALK_DONE)
            return result;
    }
    return core_json_next(&w.reader).kind == CORE_JSON_END ? SEARCH_WALK_DONE : SEARCH_WALK_REFUSED;
}
