/* The documents whose vectors are nearest to a query's, asked of the source tables.
 *
 * One statement a table, on the thread that answers the query, at most 3 s: the table's rows by
 * their column's distance, so the database's own index serves it where there is one. Of a secured
 * index it runs under the caller's role and claims, so neighbours are those among the rows that the
 * caller may see. Whether a neighbour is in the index and passes the query's filter is the engine's
 * to say. */
#ifndef WALCAST_SEARCH_INDEX_NEAR_H
#define WALCAST_SEARCH_INDEX_NEAR_H

#include "search-index/call.h"
#include "search-index/request.h"

typedef struct {
    const core_slice *ids; /* of documents, the nearest first; the arena's */
    uint32_t count;
    bool is_all; /* the tables have no more rows with a vector */
} search_near;

/* At most `most`. `definition` is the open index's and has a vector column, `request` a vector.
 * False: refused. */
CORE_MUST_CHECK bool search_near_ask(search_call *call, search_open *open,
                                     const search_definition *definition,
                                     const search_request *request, uint32_t most,
                                     search_near *near);

#endif
