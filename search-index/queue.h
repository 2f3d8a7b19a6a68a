/* Which tasks of documents wait for their turn, and which were canceled while they waited, as the
 * search log says: so every node says the same, however far it is.
 *
 * A record of documents is applied when a mark in the log behind it says that it is taken. Whoever
 * has nothing taken left to do appends the next mark, a bounded number of records ahead; of two
 * nodes either's counts. A cancelation cancels what it names if no mark before it took that. Pure;
 * for one thread, the indexer's. */
#ifndef WALCAST_SEARCH_INDEX_QUEUE_H
#define WALCAST_SEARCH_INDEX_QUEUE_H

#include "search-index/record.h"

/* Of one source, each some 16 bytes: more records than a log can be read in an hour. */
#define SEARCH_QUEUE_MAX ((size_t)16 << 20)

typedef struct search_queue search_queue;

/* Called for each that was taken, or canceled. */
typedef void search_queue_teller(void *context, uint64_t uid);

CORE_MUST_CHECK search_queue *search_queue_new(void); /* NULL: memory is out */
void search_queue_free(search_queue *queue);          /* NULL is allowed */
/* There is room for one more. False: memory is out, or there are too many. */
CORE_MUST_CHECK bool search_queue_room(search_queue *queue);
/* A record of documents came; numbers grow. There must be room. */
void search_queue_add(search_queue *queue, uint64_t uid, core_slice project);
/* A mark came: all up to `uid` are taken. */
void search_queue_take(search_queue *queue, uint64_t uid, search_queue_teller *taken,
                       void *context);
/* A cancelation came; what it names that waits, and is of its project, is canceled. False: memory
 * is out: what is left over is canceled when it is asked again. */
CORE_MUST_CHECK bool search_queue_cancel(search_queue *queue, const search_record *record,
                                         search_queue_teller *canceled, void *context);
/* The first that waits; 0: none does. */
uint64_t search_queue_first(const search_queue *queue);
/* The last of the first `count` that wait; 0: none does. */
uint64_t search_queue_ahead(const search_queue *queue, size_t count);
bool search_queue_is_canceled(const search_queue *queue, uint64_t uid);

#endif
