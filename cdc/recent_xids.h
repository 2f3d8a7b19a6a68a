/* The transactions that were given to the stream last: to find one that others do not see yet.
 *
 * A commit that waits for a synchronous standby is decoded and published while every other session
 * still sees the rows as they were. Rows read then must not follow it into the stream (TRAPS 17).
 * Always kept, since nobody knows when a snapshot will begin; one store a transaction. Bounded: an
 * id is forgotten after so many later ones. Owned by one thread. */
#ifndef WALCAST_CDC_RECENT_XIDS_H
#define WALCAST_CDC_RECENT_XIDS_H

#include "core/core.h"

#define CDC_RECENT_XIDS 65536

typedef struct {
    uint32_t xids[CDC_RECENT_XIDS];
    uint64_t count; /* ever added */
} cdc_recent_xids;

static inline void cdc_recent_xids_add(cdc_recent_xids *recent, uint32_t xid) {
    recent->xids[recent->count++ % CDC_RECENT_XIDS] = xid;
}

/* One of those added before the count was `until` that is not seen; 0: none. */
uint32_t cdc_recent_xids_unseen(const cdc_recent_xids *recent, uint64_t until,
                                core_visibility *visibility);

#endif
