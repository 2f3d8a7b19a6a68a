/* What a PostgreSQL snapshot sees: pg_current_snapshot() as text, asked about the transaction ids
 * that the stream carries.
 *
 * The stream's ids have 32 bits and wrap; a snapshot's have 64. Ids are compared as PostgreSQL
 * does, modulo 2^32: right for any two that are less than 2^31 transactions apart. */
#ifndef WALCAST_CDC_VISIBILITY_H
#define WALCAST_CDC_VISIBILITY_H

#include "cdc/xid_set.h"

typedef struct {
    uint32_t xmin; /* all before it are seen or were rolled back */
    uint32_t xmax; /* none from it on is seen */
    cdc_xid_set running;
} cdc_visibility;

/* "xmin:xmax:xip,xip,..."; what `visibility` held is freed. INPUT error when it is no snapshot. */
CORE_MUST_CHECK bool cdc_visibility_read(core_slice text, cdc_visibility *visibility,
                                         core_error *error);
void cdc_visibility_fini(cdc_visibility *visibility);
/* Whether a top-level transaction that is known to have committed is seen. */
bool cdc_visibility_sees(cdc_visibility *visibility, uint32_t xid);

#endif
