/* See recent_xids.h. */
#include "cdc/recent_xids.h"

uint32_t cdc_recent_xids_unseen(const cdc_recent_xids *recent, uint64_t until,
                                core_visibility *visibility) {
    uint64_t held = recent->count > CDC_RECENT_XIDS ? recent->count - CDC_RECENT_XIDS : 0;
    for (uint64_t at = until; at > held; at--) {
        uint32_t xid = recent->xids[(at - 1) % CDC_RECENT_XIDS];
        if (!core_visibility_sees(visibility, xid))
            return xid;
    }
    return 0;
}
