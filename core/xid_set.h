/* A set of transaction ids: filled first, asked after. Four bytes an id. Owned by one thread. */
#ifndef WALCAST_CORE_XID_SET_H
#define WALCAST_CORE_XID_SET_H

#include "core/base.h"
#include "core/slice.h"

typedef struct {
    uint32_t *xids;
    size_t length;
    size_t capacity;
    bool sorted;
} core_xid_set;

/* Zeroed is empty. */
void core_xid_set_fini(core_xid_set *set);
/* False when memory is out. */
CORE_MUST_CHECK bool core_xid_set_add(core_xid_set *set, uint32_t xid);
/* Sorts when something was added since it was asked last. */
bool core_xid_set_has(core_xid_set *set, uint32_t xid);

#endif
