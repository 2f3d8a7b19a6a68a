/* See fusion.h. */
#include "search-index/fusion.h"

#include <stdlib.h>

static int docid_order(const void *a, const void *b) {
    const search_fused *left = a, *right = b;
    if (left->docid != right->docid)
        return left->docid < right->docid ? -1 : 1;
    if (left->word_rank != right->word_rank)
        return left->word_rank < right->word_rank ? -1 : 1;
    return (left->near_rank > right->near_rank) - (left->near_rank < right->near_rank);
}

static int score_order(const void *a, const void *b) {
    const search_fused *left = a, *right = b;
    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    if (left->word_rank != right->word_rank) /* 0, none, is behind all */
        return left->word_rank - 1 < right->word_rank - 1 ? -1 : 1;
    return (left->docid > right->docid) - (left->docid < right->docid);
}

static uint32_t first_rank(uint32_t a, uint32_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static double share(uint32_t rank, double weight) {
    return rank > 0 ? weight * (SEARCH_FUSION_RANK + 1) / (SEARCH_FUSION_RANK + (double)rank) : 0;
}

double search_fusion_score(uint32_t word_rank, uint32_t near_rank, double ratio) {
    return share(word_rank, 1 - ratio) + share(near_rank, ratio);
}

/* Those of one document, which stand beside one another, become one. */
static size_t same_join(search_fused *all, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || all[kept - 1].docid != all[i].docid) {
            all[kept++] = all[i];
            continue;
        }
        search_fused *into = &all[kept - 1];
        into->word_rank = first_rank(into->word_rank, all[i].word_rank);
        into->near_rank = first_rank(into->near_rank, all[i].near_rank);
    }
    return kept;
}

size_t search_fusion_run(const search_docid *words, size_t word_count, const search_docid *near,
                         size_t near_count, double ratio, search_fused *out) {
    size_t count = word_count + near_count;
    if (count == 0)
        return 0;
    for (size_t i = 0; i < word_count; i++)
        out[i] = (search_fused){.docid = words[i], .word_rank = (uint32_t)i + 1};
    for (size_t i = 0; i < near_count; i++)
        out[word_count + i] = (search_fused){.docid = near[i], .near_rank = (uint32_t)i + 1};
    qsort(out, count, sizeof *out, docid_order);
    count = same_join(out, count);
    for (size_t i = 0; i < count; i++)
        out[i].score = search_fusion_score(out[i].word_rank, out[i].near_rank, ratio);
    qsort(out, count, sizeof *out, score_order);
    return count;
}
