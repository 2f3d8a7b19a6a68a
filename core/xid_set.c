/* See xid_set.h: an array that is sorted once it is asked. Sub-transactions abort in nearly the
 * order of their ids, so it usually is sorted already. */
#include "core/xid_set.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

void core_xid_set_fini(core_xid_set *set) {
    free(set->xids);
    *set = (core_xid_set){0};
}

bool core_xid_set_add(core_xid_set *set, uint32_t xid) {
    if (set->length == set->capacity) {
        size_t capacity = set->capacity > 0 ? set->capacity * 2 : FIRST_CAPACITY;
        uint32_t *xids = reallocarray(set->xids, capacity, sizeof *xids);
        if (xids == NULL)
            return false;
        set->xids = xids;
        set->capacity = capacity;
    }
    set->sorted = set->length == 0 || (set->sorted && set->xids[set->length - 1] <= xid);
    set->xids[set->length++] = xid;
    return true;
}

static int xid_compare(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

bool core_xid_set_has(core_xid_set *set, uint32_t xid) {
    if (set->length == 0)
        return false;
    if (!set->sorted)
        qsort(set->xids, set->length, sizeof *set->xids, xid_compare);
    set->sorted = true;
    return bsearch(&xid, set->xids, set->length, sizeof *set->xids, xid_compare) != NULL;
}
