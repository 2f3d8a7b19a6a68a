/* Hybrid queries: what words find, fused with the documents whose vectors are nearest to the
 * query's. The vector is the request's own, for Walcast calls no model; the neighbours are asked of
 * the source tables (near.h), the fusion is the engine's. */
#ifndef WALCAST_SEARCH_INDEX_HYBRID_H
#define WALCAST_SEARCH_INDEX_HYBRID_H

#include "search-index/call.h"
#include "search-index/request.h"

/* Rows that are asked for at most, where the filter leaves few of the nearest. */
#define SEARCH_NEAR_MAX 5000

typedef struct {
    bool is_wanted; /* neighbours count in this query */
    const search_definition *definition;
    uint32_t asked; /* neighbours that the last question was for; 0: none yet */
    uint32_t next;  /* that the next one is for; 0: none is needed */
    bool is_all;
} search_hybrid;

/* What the request's `hybrid` and `vector` ask of the index, with Meilisearch's refusals. */
CORE_MUST_CHECK bool search_hybrid_prepare(search_call *call, search_open *open,
                                           search_hybrid *hybrid, search_request *request);
/* Gives the request its neighbours, if it needs others than it has. False: refused. */
CORE_MUST_CHECK bool search_hybrid_ask(search_call *call, search_open *open, search_hybrid *hybrid,
                                       search_request *request);
/* Whether too few of them are in the index and pass the filter, so that more are to be asked for
 * and the query to be run again. */
bool search_hybrid_wants_more(search_hybrid *hybrid, const search_hits *hits);

/* Hits of a fused answer of which some were left out. */
typedef struct {
    const search_hit **shown; /* changed: others of the arena, in their new order */
    size_t count;
    double ratio;
    bool is_sorted; /* the order stays */
    double threshold;
} search_hybrid_seen;

/* Fuses them anew, by their ranks among themselves, so that scores and order are as if the others
 * were not there; `kept` reach the threshold. */
CORE_MUST_CHECK bool search_hybrid_fuse_seen(search_call *call, const search_hybrid_seen *seen,
                                             size_t *kept);

#endif
