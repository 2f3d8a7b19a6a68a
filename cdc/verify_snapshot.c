/* See verify_snapshot.h. */
#include "cdc/verify_snapshot.h"

#define XID_FIRST_NORMAL 3u
#define PAGE_HEADER_MAX  40u /* XLogLongPageHeaderData */

/* Between the two colons. */
static bool xmax_read(core_slice text, uint64_t *xmax) {
    const uint8_t *first = text.length > 0 ? memchr(text.data, ':', text.length) : NULL;
    if (first == NULL)
        return false;
    first++;
    size_t left = text.length - (size_t)(first - text.data);
    const uint8_t *second = left > 0 ? memchr(first, ':', left) : NULL;
    return second != NULL &&
           core_slice_to_u64(core_slice_make(first, (size_t)(second - first)), xmax);
}

bool cdc_verify_snapshot_parse(core_slice text, cdc_verify_snapshot *snapshot, core_error *error) {
    *snapshot = (cdc_verify_snapshot){0};
    if (!cdc_visibility_read(text, &snapshot->visibility, error))
        return false;
    return xmax_read(text, &snapshot->xmax) ||
           core_error_set(error, CORE_ERROR_INPUT, "a pg_snapshot without its end");
}

void cdc_verify_snapshot_fini(cdc_verify_snapshot *snapshot) {
    cdc_visibility_fini(&snapshot->visibility);
}

uint64_t cdc_verify_snapshot_widen(const cdc_verify_snapshot *snapshot, uint32_t xid) {
    if (xid < XID_FIRST_NORMAL)
        return 0;
    uint32_t back = (uint32_t)snapshot->xmax - xid;
    return back <= snapshot->xmax ? snapshot->xmax - back : 0;
}

bool cdc_verify_snapshot_xmin_tells(const cdc_verify_snapshot *snapshot) {
    return snapshot->xmax <= UINT32_MAX;
}

core_lsn cdc_verify_lsn_settle(core_lsn lsn, uint32_t page_bytes) {
    assert(page_bytes > PAGE_HEADER_MAX);
    uint64_t offset = lsn % page_bytes;
    return offset <= PAGE_HEADER_MAX ? lsn - offset : lsn;
}
