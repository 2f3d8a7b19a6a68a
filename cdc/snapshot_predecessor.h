/* What writers before this one may have published although nobody else sees it yet.
 *
 * A commit that waits for a synchronous standby is decoded and published at once. Those that this
 * process published are remembered (recent_xids.h); those of a process that it took over from, or
 * of its own former run, are not. So where there are synchronous standbys, the first rows of a
 * session are read once all transactions have ended that were open when it began. Owned by one
 * worker. */
#ifndef WALCAST_CDC_SNAPSHOT_PREDECESSOR_H
#define WALCAST_CDC_SNAPSHOT_PREDECESSOR_H

#include "pg/pg.h"

typedef struct {
    uint64_t session;   /* of the gate, for which `until_xid` is */
    uint64_t until_xid; /* all before it must have ended; 0: they have */
} cdc_snapshot_predecessor;

/* True when rows may be read in this session, which has begun. TRANSIENT while they may not; two
 * short queries at most. */
CORE_MUST_CHECK bool cdc_snapshot_predecessor_passed(cdc_snapshot_predecessor *predecessor,
                                                     pg_connection *connection, uint64_t session,
                                                     core_error *error);

#endif
