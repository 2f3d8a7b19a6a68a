/* Pieces of bodies in the search log (record.h) whose record has not come yet, or is not in a base:
 * what must stay when the log is compacted. Pure; for one thread, the one that reads the log.
 *
 * Whoever appends a body gives up in time, and a record whose pieces are too old counts as one
 * without a body (log.h): so what was begun and never ended keeps the log for a while only. */
#ifndef WALCAST_SEARCH_INDEX_LOOSE_H
#define WALCAST_SEARCH_INDEX_LOOSE_H

#include "search-index/record.h"

/* Of one source. With more nothing is spared until the process is started again. */
#define SEARCH_LOOSE_MAX ((size_t)64 << 10)

typedef struct search_loose search_loose;

CORE_MUST_CHECK search_loose *search_loose_new(void); /* NULL: memory is out */
void search_loose_free(search_loose *loose);          /* NULL is allowed */
/* Messages of the log, in order; those that came already do nothing. */
void search_loose_note(search_loose *loose, uint64_t sequence, int64_t stored_us,
                       const search_record *record);
/* Up to where the log may be forgotten once all records up to `position` are in a base; at most
 * that. */
uint64_t search_loose_spared(search_loose *loose, uint64_t position);

#endif
