/* `cdc.on_gap: snapshot`: after a gap all published tables are read anew. */
#ifndef WALCAST_CDC_GAP_SNAPSHOT_H
#define WALCAST_CDC_GAP_SNAPSHOT_H

#include "cdc/source.h"

/* Asks for it, after the GAP event at that stream sequence is stored and before the position record
 * says so; the source's bucket is open. May be called more than once for one event: the sequence
 * makes the request's id, and a request that is there already is fine. */
CORE_MUST_CHECK bool cdc_gap_snapshot_request(cdc_source *source, uint64_t gap_sequence,
                                              core_error *error);

#endif
