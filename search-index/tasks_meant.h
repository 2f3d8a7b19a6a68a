/* Tasks that are about other tasks: cancelations and deletions. */
#ifndef WALCAST_SEARCH_INDEX_TASKS_MEANT_H
#define WALCAST_SEARCH_INDEX_TASKS_MEANT_H

#include "search-index/tasks.h"

/* Takes the record of a deletion or cancelation; `task`, its own, gets how many were meant and how
 * many it was done with. Ended tasks of the record's project are deleted: nobody finds them any
 * more. What a cancelation does is queue.h's matter; one of an earlier version does nothing. */
void search_tasks_meant_take(search_tasks *tasks, const search_record *record, search_task *task);

#endif
