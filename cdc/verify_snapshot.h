/* What the reading transaction of `walcast verify` sees, beyond cdc/visibility.h: transaction ids
 * at full length, as marks have them. Pure. */
#ifndef WALCAST_CDC_VERIFY_SNAPSHOT_H
#define WALCAST_CDC_VERIFY_SNAPSHOT_H

#include "cdc/visibility.h"

typedef struct {
    cdc_visibility visibility;
    uint64_t xmax; /* at full length */
} cdc_verify_snapshot;

/* "xmin:xmax:xid,xid,..." as pg_current_snapshot gives it. INPUT error when it is none. */
CORE_MUST_CHECK bool cdc_verify_snapshot_parse(core_slice text, cdc_verify_snapshot *snapshot,
                                               core_error *error);
void cdc_verify_snapshot_fini(cdc_verify_snapshot *snapshot);

/* A row's xmin at full length: the last transaction before the snapshot's end of these 32 bits. 0
 * for PostgreSQL's permanent ids, which are older than all. */
uint64_t cdc_verify_snapshot_widen(const cdc_verify_snapshot *snapshot, uint32_t xid);
/* A row's xmin tells when it was written. Not once the ids have wrapped around: a frozen row keeps
 * the bits of its old one. */
bool cdc_verify_snapshot_xmin_tells(const cdc_verify_snapshot *snapshot);

/* For high-water marks: an insert position just behind a page's header is the page's beginning to
 * whoever reads the log. */
core_lsn cdc_verify_lsn_settle(core_lsn lsn, uint32_t page_bytes);

#endif
