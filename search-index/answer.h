/* One query of one index for one caller: under the rules of a tenant's token, and where the index
 * asks for it only hits that the source table's policies let the caller see. Every way to search
 * goes through here. */
#ifndef WALCAST_SEARCH_INDEX_ANSWER_H
#define WALCAST_SEARCH_INDEX_ANSWER_H

#include "search-index/call.h"
#include "search-index/format.h"
#include "search-index/hybrid.h"

typedef struct {
    search_open *open;      /* held */
    search_reader *reader;  /* the worker's */
    search_schema *schema;  /* held */
    search_request request; /* with the tenant's filter in it */
    uint32_t offset, limit; /* of what is shown; the request itself may ask for more */
    bool is_paged;          /* as it was asked */
    search_hybrid hybrid;
    search_hits *hits;        /* owned */
    const search_hit **shown; /* of the hits those that the caller sees, in order; the arena's */
    size_t shown_count;
    uint64_t total;
    bool is_total_exact;
} search_answer;

/* Runs it. `answer->request` is what was read of the call; the rest is filled in. False: refused.
 * To be released in any case. */
CORE_MUST_CHECK bool search_answer_run(search_call *call, core_slice uid, search_answer *answer);
void search_answer_fini(search_answer *answer);

/* The members of Meilisearch's answer, into the object that is open. */
CORE_MUST_CHECK bool search_answer_write(search_call *call, search_answer *answer);
/* One hit's members, into the object that is open. */
CORE_MUST_CHECK bool search_answer_hit(search_call *call, search_answer *answer,
                                       search_formatter *formatter, const search_hit *hit);
CORE_MUST_CHECK search_formatter *search_answer_formatter(search_call *call, search_answer *answer);
uint64_t search_call_took_ms(const search_call *call);

#endif
