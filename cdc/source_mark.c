/* The source's marks; see cdc/mark.h. The acked sequence is taken first and the transaction id
 * after it, so that whatever has a later id commits behind what is stored. */
#include "cdc/marker.h"
#include "cdc/source_private.h"

enum { MARK_EVERY_MS = 3600 * 1000, MARK_RETRY_MS = 60 * 1000 };

void cdc_source_mark(cdc_source *source) {
    int64_t now_ms = core_clock_ms(source->clock);
    if (now_ms < source->mark_due_ms)
        return;
    core_error error = {0};
    cdc_mark mark = {.sequence = source->ledger->acked.sequence};
    bool ok = source->wal->fresh_xid(source->wal, &mark.xid, &error) &&
              cdc_marker_put(source->bucket, source->record.epoch, &mark, &error);
    source->mark_due_ms = now_ms + (ok ? MARK_EVERY_MS : MARK_RETRY_MS);
    if (!ok)
        CORE_LOG(source->log, WARN, "cdc",
                 "the mark for `walcast verify` could not be written; trying again",
                 CORE_LOG_TEXT("error", error.text));
}
