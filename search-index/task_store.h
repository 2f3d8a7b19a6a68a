/* What became of tasks, kept in a file beside the indexes, so that a task is told after a kill as
 * it was told before. For the indexer's thread.
 *
 * An outcome is put before what it tells of is committed, and counts when it is confirmed behind
 * that commit: what is in the file but not confirmed when the process dies is either done again, or
 * was done, as the index's own position says. Errors are those of backend.h. */
#ifndef WALCAST_SEARCH_INDEX_TASK_STORE_H
#define WALCAST_SEARCH_INDEX_TASK_STORE_H

#include "search-index/tasks.h"

typedef struct search_task_store search_task_store;

/* Opens or makes the file; one that is damaged is made anew. `kept`: tasks at the most, the oldest
 * are forgotten. NULL: it cannot be opened now. */
CORE_MUST_CHECK search_task_store *search_task_store_open(const char *path, size_t kept,
                                                          core_error *error);
void search_task_store_close(search_task_store *store); /* NULL is allowed */
/* All of them, or none; in the place of what is there. A file that shows now that it is damaged is
 * made anew too: of tasks before these nothing is kept then. */
CORE_MUST_CHECK bool search_task_store_put(search_task_store *store, const search_task *tasks,
                                           size_t count, bool is_confirmed, core_error *error);
/* `*found` false: there is none of that number. */
CORE_MUST_CHECK bool search_task_store_get(search_task_store *store, uint64_t uid,
                                           search_task *task, bool *found, bool *is_confirmed,
                                           core_error *error);

#endif
