/* What a PostgreSQL snapshot sees: pg_current_snapshot() as text, asked about the transaction ids
 * that the stream carries.
 *
 * The stream's ids have 32 bits and wrap; a snapshot's have 64. Ids are compared as PostgreSQL
 * does, modulo 2^32: right for any two that are less than 2^31 transactions apart. */
#ifndef WALCAST_CORE_VISIBILITY_H
#define WALCAST_CORE_VISIBILITY_H

#include "core/error.h"
#include "core/xid_set.h"

typedef struct {
    uint32_t xmin; /* all before it are seen or were rolled back */
    uint64_t xmax; /* none from it on is seen; at full length */
    core_xid_set running;
} core_visibility;

/* "xmin:xmax:xip,xip,..."; what `visibility` held is freed. INPUT error when it is no snapshot. */
CORE_MUST_CHECK bool core_visibility_read(core_slice text, core_visibility *visibility,
                                          core_error *error);
void core_visibility_fini(core_visibility *visibility);
/* Whether a top-level transaction that is known to have committed is seen. */
bool core_visibility_sees(core_visibility *visibility, uint32_t xid);

/* A row's xmin at full length: the last transaction before the snapshot's end of these 32 bits. 0
 * for PostgreSQL's permanent ids, which are older than all. */
uint64_t core_visibility_widen(const core_visibility *visibility, uint32_t xid);
/* A row's xmin tells when it was written. Not once the ids have wrapped around: a frozen row keeps
 * the bits of its old one. */
bool core_visibility_xmin_tells(const core_visibility *visibility);

#endif
