/* Two lists of documents made one by their ranks (reciprocal rank fusion, Cormack et al. 2009): a
 * document's score is the sum over the lists of weight / (60 + rank), ranks from 1. Nothing else of
 * a list counts, so lists whose scores have nothing in common can be fused. Pure. */
#ifndef WALCAST_SEARCH_INDEX_FUSION_H
#define WALCAST_SEARCH_INDEX_FUSION_H

#include "search-index/columns.h"

#define SEARCH_FUSION_RANK 60 /* what is added to a rank: the paper's */

typedef struct {
    search_docid docid;
    uint32_t word_rank; /* from 1; 0: it is not in the list */
    uint32_t near_rank;
    double score; /* 1: first in each list that has a weight */
} search_fused;

/* Of one document; rank 0: it is not in that list. */
double search_fusion_score(uint32_t word_rank, uint32_t near_rank, double ratio);
/* Into `out`, which has room for both lists; how many there are, each document once, the best
 * first; of those with one score the one that words found earlier, then the lower docid. `ratio`,
 * from 0 to 1, is the second list's weight, the rest the first one's. A document that is twice in a
 * list has its first place. */
size_t search_fusion_run(const search_docid *words, size_t word_count, const search_docid *near,
                         size_t near_count, double ratio, search_fused *out);

#endif
