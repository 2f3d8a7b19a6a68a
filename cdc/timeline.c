/* See timeline.h. */
#include "cdc/timeline.h"

static core_slice until(core_slice *rest, uint8_t mark) {
    const uint8_t *at = rest->length > 0 ? memchr(rest->data, mark, rest->length) : NULL;
    size_t length = at != NULL ? (size_t)(at - rest->data) : rest->length;
    core_slice part = core_slice_make(rest->data, length);
    size_t taken = at != NULL ? length + 1 : length;
    *rest = core_slice_make(rest->data + taken, rest->length - taken);
    return part;
}

static bool says_nothing(core_slice line) {
    return line.length == 0 || line.data[0] == '#' || line.data[0] == '\r';
}

static bool line_read(core_slice line, uint64_t *timeline, core_lsn *lsn) {
    core_slice rest = line;
    core_slice number = until(&rest, '\t');
    core_slice position = until(&rest, '\t');
    return core_slice_to_u64(number, timeline) && *timeline <= UINT32_MAX &&
           core_lsn_parse(position, lsn);
}

bool cdc_timeline_fork(core_slice history, uint32_t timeline, core_lsn *fork_lsn,
                       core_error *error) {
    core_slice rest = history;
    *fork_lsn = 0;
    while (rest.length > 0) {
        core_slice line = until(&rest, '\n');
        uint64_t parent = 0;
        core_lsn lsn = 0;
        if (says_nothing(line))
            continue;
        if (!line_read(line, &parent, &lsn))
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "the server's timeline history was not understood: \"%.*s\"",
                                  (int)(line.length < 80 ? line.length : 80),
                                  (const char *)line.data);
        if (parent == timeline)
            *fork_lsn = lsn;
    }
    return true;
}
