/* See visibility.h. */
#include "core/visibility.h"

#define XID_FIRST_NORMAL 3u

enum { RUNNING_MAX = 1 << 20 }; /* far above max_connections and max_prepared_transactions */

void core_visibility_fini(core_visibility *visibility) {
    core_xid_set_fini(&visibility->running);
    *visibility = (core_visibility){0};
}

/* Up to `mark`, which only the last of the running ones lacks; takes both away from the text. */
static bool id_take(core_slice *text, char mark, uint64_t *xid) {
    const uint8_t *end = text->length > 0 ? memchr(text->data, mark, text->length) : NULL;
    size_t length = end != NULL ? (size_t)(end - text->data) : text->length;
    if ((end == NULL && mark == ':') ||
        !core_slice_to_u64(core_slice_make(text->data, length), xid))
        return false;
    size_t taken = length + (end != NULL);
    *text = core_slice_make(text->data + taken, text->length - taken);
    return true;
}

static bool running_read(core_slice text, core_visibility *visibility) {
    size_t count = 0;
    while (text.length > 0) {
        uint64_t xid;
        if (++count > RUNNING_MAX || !id_take(&text, ',', &xid) ||
            !core_xid_set_add(&visibility->running, (uint32_t)xid))
            return false;
    }
    return true;
}

bool core_visibility_read(core_slice text, core_visibility *visibility, core_error *error) {
    core_slice left = text;
    uint64_t xmin = 0;
    core_visibility_fini(visibility);
    bool ok = id_take(&left, ':', &xmin) && id_take(&left, ':', &visibility->xmax) &&
              running_read(left, visibility);
    visibility->xmin = (uint32_t)xmin;
    if (ok)
        return true;
    return core_error_set(error, CORE_ERROR_INPUT, "\"%.*s\" is not a pg_snapshot",
                          (int)(text.length < 64 ? text.length : 64), (const char *)text.data);
}

/* `a` is before `b`, modulo 2^32. */
static bool is_before(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) < 0;
}

bool core_visibility_sees(core_visibility *visibility, uint32_t xid) {
    if (is_before(xid, visibility->xmin))
        return true;
    return is_before(xid, (uint32_t)visibility->xmax) &&
           !core_xid_set_has(&visibility->running, xid);
}

uint64_t core_visibility_widen(const core_visibility *visibility, uint32_t xid) {
    if (xid < XID_FIRST_NORMAL)
        return 0;
    uint32_t back = (uint32_t)visibility->xmax - xid;
    return back <= visibility->xmax ? visibility->xmax - back : 0;
}

bool core_visibility_xmin_tells(const core_visibility *visibility) {
    return visibility->xmax <= UINT32_MAX;
}
