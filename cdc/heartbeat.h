/* When a heartbeat is due: a tiny WAL record of our own, so that the position moves although
 * nothing that is published is written. Pure logic.
 *
 * As a rule the server's keepalives carry the position past what others write, and a record would
 * be WAL for nothing. It is due only when the position stood still for the whole period while WAL
 * was written beyond it; and never a second one while the first has not passed, since what holds
 * the position then (a prepared transaction, say) is not helped by more. Owned by one thread. */
#ifndef WALCAST_CDC_HEARTBEAT_H
#define WALCAST_CDC_HEARTBEAT_H

#include "core/core.h"

typedef struct {
    core_lsn position_lsn; /* as it was seen last */
    core_lsn sent_lsn;     /* the last heartbeat's; 0: none */
    int64_t still_since_ms;
} cdc_heartbeat;

void cdc_heartbeat_init(cdc_heartbeat *heartbeat, core_lsn position_lsn, int64_t now_ms);
/* `position_lsn`: all before it is stored; `written_lsn`: how far the server's WAL goes; `every_ms`
 * 0: never. Call it now and then. */
CORE_MUST_CHECK bool cdc_heartbeat_due(cdc_heartbeat *heartbeat, core_lsn position_lsn,
                                       core_lsn written_lsn, int64_t every_ms, int64_t now_ms);
void cdc_heartbeat_sent(cdc_heartbeat *heartbeat, core_lsn lsn, int64_t now_ms);

#endif
