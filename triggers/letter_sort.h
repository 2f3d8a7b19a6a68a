/* Dead letters that stand on another subject than their readers look at (dead_letters.h): written
 * by an earlier version, or while schemas were no tenants; or read by now. They are put where they
 * belong: stored there once more, then removed, so whoever is killed in between leaves one twice.
 * Private to the room. */
#ifndef WALCAST_TRIGGERS_LETTER_SORT_H
#define WALCAST_TRIGGERS_LETTER_SORT_H

#include "triggers/dead_letters.h"

/* Those behind `*sorted`, which becomes the last one that was looked at; some hundred at most are
 * put elsewhere in one call, and `*goes_on` then. Blocks up to the connection's time limits; FULL
 * where the stream has no room. */
CORE_MUST_CHECK bool triggers_letters_sort(fanout_connection *connection, const core_config *config,
                                           uint64_t *sorted, bool *goes_on, core_error *error);

#endif
