/* See verify_snapshot.h. */
#include "cdc/verify_snapshot.h"

#include <stdlib.h>

#define XID_FIRST_NORMAL 3u
#define PAGE_HEADER_MAX  40u /* XLogLongPageHeaderData */

static bool refuse(core_slice text, core_error *error) {
    return core_error_set(error, CORE_ERROR_INPUT,
                          "pg_current_snapshot() gave '%.*s', expected xmin:xmax:xids",
                          text.length < 128 ? (int)text.length : 128, (const char *)text.data);
}

/* The digits up to `end`, or all of them; `rest` is what follows. `*ended`: `end` was there. */
static bool number_take(core_slice *rest, char end, uint64_t *number, bool *ended) {
    const uint8_t *at = rest->length > 0 ? memchr(rest->data, end, rest->length) : NULL;
    size_t length = at != NULL ? (size_t)(at - rest->data) : rest->length;
    *ended = at != NULL;
    if (!core_slice_to_u64(core_slice_make(rest->data, length), number))
        return false;
    size_t past = *ended ? length + 1 : length;
    *rest = core_slice_make(rest->data + past, rest->length - past);
    return true;
}

static bool xids_take(core_slice rest, cdc_verify_snapshot *snapshot) {
    bool more = rest.length > 0;
    while (more) {
        uint64_t xid = 0;
        if (snapshot->count == CDC_VERIFY_SNAPSHOT_XIDS_MAX ||
            !number_take(&rest, ',', &xid, &more) || xid < snapshot->xmin ||
            xid >= snapshot->xmax ||
            (snapshot->count > 0 && xid <= snapshot->xids[snapshot->count - 1]))
            return false;
        snapshot->xids[snapshot->count++] = xid;
    }
    return true;
}

bool cdc_verify_snapshot_parse(core_slice text, cdc_verify_snapshot *snapshot, core_error *error) {
    *snapshot = (cdc_verify_snapshot){0};
    core_slice rest = text;
    bool has_xmax = false;
    bool has_xids = false;
    if (!number_take(&rest, ':', &snapshot->xmin, &has_xmax) || !has_xmax ||
        !number_take(&rest, ':', &snapshot->xmax, &has_xids) || !has_xids ||
        snapshot->xmin > snapshot->xmax || snapshot->xmin == 0)
        return refuse(text, error);
    size_t most = rest.length / 2 + 1;
    most = most < CDC_VERIFY_SNAPSHOT_XIDS_MAX ? most : CDC_VERIFY_SNAPSHOT_XIDS_MAX;
    snapshot->xids = calloc(most, sizeof *snapshot->xids);
    if (snapshot->xids == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a snapshot");
    if (xids_take(rest, snapshot))
        return true;
    cdc_verify_snapshot_fini(snapshot);
    return refuse(text, error);
}

void cdc_verify_snapshot_fini(cdc_verify_snapshot *snapshot) {
    free(snapshot->xids);
    *snapshot = (cdc_verify_snapshot){0};
}

/* The id nearest to `base`, within half the circle. */
static uint64_t nearest(uint64_t base, uint32_t xid) {
    int32_t distance = (int32_t)(xid - (uint32_t)base);
    if (distance < 0 && (uint64_t) - (int64_t)distance > base)
        return xid;
    return base + (uint64_t)(int64_t)distance;
}

bool cdc_verify_snapshot_sees(const cdc_verify_snapshot *snapshot, uint32_t xid) {
    uint64_t wide = nearest(snapshot->xmax, xid);
    if (wide < snapshot->xmin || wide >= snapshot->xmax)
        return wide < snapshot->xmin;
    size_t low = 0;
    size_t high = snapshot->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->xids[middle] < wide)
            low = middle + 1;
        else
            high = middle;
    }
    return low == snapshot->count || snapshot->xids[low] != wide;
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
