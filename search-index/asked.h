/* What this process has asked of the search log and has not read back yet: so that whoever asked
 * finds the task at once. A bounded ring; any thread. */
#ifndef WALCAST_SEARCH_INDEX_ASKED_H
#define WALCAST_SEARCH_INDEX_ASKED_H

#include "search-index/tasks.h"

#define SEARCH_ASKED_MAX 256

typedef struct search_asked search_asked;

CORE_MUST_CHECK search_asked *search_asked_new(void);
void search_asked_free(search_asked *asked); /* NULL is allowed */
/* The oldest is forgotten when there are too many. */
void search_asked_note(search_asked *asked, uint64_t sequence, const search_record *record);
CORE_MUST_CHECK bool search_asked_find(search_asked *asked, uint64_t sequence, search_task *task);

#endif
