/* See heartbeat.h. */
#include "cdc/heartbeat.h"

void cdc_heartbeat_init(cdc_heartbeat *heartbeat, core_lsn position_lsn, int64_t now_ms) {
    *heartbeat = (cdc_heartbeat){.position_lsn = position_lsn, .still_since_ms = now_ms};
}

bool cdc_heartbeat_due(cdc_heartbeat *heartbeat, core_lsn position_lsn, core_lsn written_lsn,
                       int64_t every_ms, int64_t now_ms) {
    bool moves = position_lsn != heartbeat->position_lsn || position_lsn >= written_lsn;
    heartbeat->position_lsn = position_lsn;
    if (moves) {
        heartbeat->still_since_ms = now_ms;
        return false;
    }
    bool is_under_way = position_lsn < heartbeat->sent_lsn;
    return every_ms > 0 && !is_under_way && now_ms - heartbeat->still_since_ms >= every_ms;
}

void cdc_heartbeat_sent(cdc_heartbeat *heartbeat, core_lsn lsn, int64_t now_ms) {
    heartbeat->sent_lsn = lsn;
    heartbeat->still_since_ms = now_ms;
}
