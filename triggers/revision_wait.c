/* See revision_wait.h. */
#include "triggers/revision_wait.h"

bool triggers_revision_waits(triggers_revision_wait *wait, uint64_t revision, uint64_t known,
                             int64_t now_ms) {
    if (revision <= known || revision <= wait->given_up)
        return false;
    if (wait->revision <= known) { /* what was waited for before has come */
        wait->revision = revision;
        wait->until_ms = now_ms + TRIGGERS_REVISION_WAIT_MS;
    }
    if (now_ms < wait->until_ms)
        return true;
    wait->given_up = revision;
    return false;
}
