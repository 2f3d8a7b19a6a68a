/* A batch: several tasks of one key that have become one, whose body is the list of theirs. Its id
 * is `FIRST..LAST` of their events' ids, so its webhook-id is the same over attempts; and it keeps
 * the ids of all, so that what became of each can be told. Pure. */
#ifndef WALCAST_TRIGGERS_BATCH_H
#define WALCAST_TRIGGERS_BATCH_H

#include "triggers/task.h"

#define TRIGGERS_BATCH_REASON_MAX 64 /* of the reason that is told of each one but the last */

/* How many of `count` tasks, from the first on, may be one: what is itself a batch, or too deep to
 * be attempted, goes alone, and all of it has at most `max_bytes`. At least 1, of a count of 1 and
 * more. */
size_t triggers_batch_count(const triggers_task *tasks, size_t count, size_t max_bytes);
/* The batch as a task's bytes; NULL: memory is out. `count` is what triggers_batch_count says. */
CORE_MUST_CHECK core_block *triggers_batch_write(const triggers_task *tasks, size_t count);
/* The next event's id of a task's `batch`; false: there is none. */
CORE_MUST_CHECK bool triggers_batch_next(core_cursor *cursor, core_slice *event_id);

#endif
