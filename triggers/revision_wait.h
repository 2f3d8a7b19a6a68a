/* Waiting for the definitions that a task was made by: another process may have read them earlier,
 * and what is not read yet must not be taken for removed. Pure. */
#ifndef WALCAST_TRIGGERS_REVISION_WAIT_H
#define WALCAST_TRIGGERS_REVISION_WAIT_H

#include "core/core.h"

/* For the watch of definitions to find its broker again. Beyond it the revision is taken for one of
 * a bucket that is lost, and the task is judged by what is there. */
#define TRIGGERS_REVISION_WAIT_MS (5 * 60 * CORE_MS_PER_S)

/* All 0: nothing is waited for. */
typedef struct {
    uint64_t revision; /* since until_ms was set */
    int64_t until_ms;
    uint64_t given_up; /* up to it nothing is waited for any more */
} triggers_revision_wait;

/* Whether a task of a definition with `revision` waits, where the definitions are read up to the
 * revision `known`; it is asked again. `now_ms` as of whatever clock, always the same. */
bool triggers_revision_waits(triggers_revision_wait *wait, uint64_t revision, uint64_t known,
                             int64_t now_ms);

#endif
