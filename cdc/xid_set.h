/* A set of transaction ids: filled first, asked after. Four bytes an id. Owned by one thread. */
#ifndef WALCAST_CDC_XID_SET_H
#define WALCAST_CDC_XID_SET_H

#include "core/core.h"

typedef struct {
    uint32_t *xids;
    size_t length;
    size_t capacity;
    bool sorted;
} cdc_xid_set;

/* Zeroed is empty. */
void cdc_xid_set_fini(cdc_xid_set *set);
/* False when memory is out. */
CORE_MUST_CHECK bool cdc_xid_set_add(cdc_xid_set *set, uint32_t xid);
/* Sorts when something was added since it was asked last. */
bool cdc_xid_set_has(cdc_xid_set *set, uint32_t xid);

#endif
