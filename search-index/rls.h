/* `security: rls`: hits are asked of the source tables for the caller's role and claims before they
 * are shown, by PostgreSQL itself: a row that its policies hide, or a column that the role may not
 * read, hides the hit. Rows of joined and child tables are part of the document and are not asked.
 *
 * The question is one statement a table, of the hits' keys, in a transaction that reads only and
 * has the caller's role and claims. Who cannot be asked for sees nothing. */
#ifndef WALCAST_SEARCH_INDEX_RLS_H
#define WALCAST_SEARCH_INDEX_RLS_H

#include "search-index/call.h"

/* Whether the index wants it. False: refused. */
CORE_MUST_CHECK bool search_rls_wanted(search_call *call, search_open *open, bool *is_secured);
/* Of the hits those that the caller sees, in their order, into `seen`, which has room for all.
 * False: refused, nothing is to be shown. */
CORE_MUST_CHECK bool search_rls_seen(search_call *call, search_open *open, const search_hits *hits,
                                     const search_hit **seen, size_t *count);

/* The parts of a document's id, which are a key's texts: of one part itself, of several those
 * between `_`, with %5F and %25 undone; in the arena. False: it has another number of parts. */
CORE_MUST_CHECK bool search_rls_key(core_slice id, size_t parts, core_arena *arena,
                                    core_slice *key);

#endif
