/* See hybrid.h. */
#include "search-index/hybrid.h"

#include "search-index/fusion.h"
#include "search-index/near.h"

#include <ctype.h>
#include <stdlib.h>

enum { ENOUGH_PART = 4 }; /* of the candidates: so many of them must be left */

static bool is_blank(core_slice text) {
    for (size_t i = 0; i < text.length; i++)
        if (!isspace(text.data[i]))
            return false;
    return true;
}

static bool embedder_check(search_call *call, const search_definition *definition,
                           const search_request *request) {
    return (definition != NULL && definition->vector.column.length > 0 &&
            core_slice_equal(definition->vector.embedder, request->embedder)) ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_SEARCH_EMBEDDER,
                         "Cannot find embedder with name `%.*s`.",
                         CORE_SLICE_ARGS(request->embedder));
}

static bool vector_check(search_call *call, const search_request *request) {
    if (request->vector == NULL)
        return search_refuse(&call->refusal, SEARCH_CODE_VECTOR_EMBEDDING_ERROR,
                             "Error while generating embeddings: user error: attempt to embed the "
                             "following text in a configuration where embeddings must be user "
                             "provided:\n  - `%.*s`\n - Hint: Walcast calls no model; send "
                             "`vector`.",
                             request->q.length < 200 ? (int)request->q.length : 200,
                             (const char *)request->q.data);
    return request->vector_count > 0 ||
           search_refuse(&call->refusal, SEARCH_CODE_INVALID_SEARCH_VECTOR,
                         "Invalid value at `.vector`: expected at least one number.");
}

/* Without words to be found it is the neighbours alone, and without neighbours to count it is a
 * search for words like any other. */
bool search_hybrid_prepare(search_call *call, search_open *open, search_hybrid *hybrid,
                           search_request *request) {
    core_error error;
    bool has_words = !is_blank(request->q);
    *hybrid = (search_hybrid){.is_wanted = false};
    if (!request->has_hybrid || request->semantic_ratio == 0 ||
        (!has_words && request->vector == NULL))
        return true;
    if (!search_worker_definition(call->worker, open, &hybrid->definition, &error))
        return search_refuse_error(&call->refusal, SEARCH_CODE_INTERNAL, &error);
    if (!embedder_check(call, hybrid->definition, request) || !vector_check(call, request))
        return false;
    hybrid->is_wanted = true;
    hybrid->next = hybrid->definition->vector.candidates;
    request->is_fused = true;
    request->is_near_only = !has_words || request->semantic_ratio == 1;
    return true;
}

bool search_hybrid_ask(search_call *call, search_open *open, search_hybrid *hybrid,
                       search_request *request) {
    search_near near;
    if (hybrid->next == 0)
        return true;
    if (!search_near_ask(call, open, hybrid->definition, request, hybrid->next, &near))
        return false;
    request->near = near.ids;
    request->near_count = near.count;
    hybrid->is_all = near.is_all;
    hybrid->asked = hybrid->next;
    hybrid->next = 0;
    return true;
}

/* As many as should have enough among them, by what was left of the last ones. */
bool search_hybrid_wants_more(search_hybrid *hybrid, const search_hits *hits) {
    if (!hybrid->is_wanted || hybrid->is_all || hybrid->asked >= SEARCH_NEAR_MAX)
        return false;
    uint32_t enough = hybrid->definition->vector.candidates / ENOUGH_PART;
    if (hits->near_count >= enough)
        return false;
    uint64_t left = hits->near_count > 0 ? hits->near_count : 1;
    uint64_t more = (uint64_t)hybrid->asked * enough / left * 5 / 4;
    uint64_t least = (uint64_t)hybrid->asked * 2;
    more = more > least ? more : least;
    hybrid->next = more < SEARCH_NEAR_MAX ? (uint32_t)more : SEARCH_NEAR_MAX;
    return true;
}

/* ---- Of hits that were left by others ---- */

static int word_order(const void *a, const void *b) {
    const search_hit *left = *(search_hit *const *)a, *right = *(search_hit *const *)b;
    return (left->word_rank > right->word_rank) - (left->word_rank < right->word_rank);
}

static int near_order(const void *a, const void *b) {
    const search_hit *left = *(search_hit *const *)a, *right = *(search_hit *const *)b;
    return (left->near_rank > right->near_rank) - (left->near_rank < right->near_rank);
}

/* Both have their new ranks: what words found earlier first, what they did not find last. */
static int score_order(const void *a, const void *b) {
    const search_hit *left = *(search_hit *const *)a, *right = *(search_hit *const *)b;
    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    if (left->word_rank != right->word_rank)
        return left->word_rank - 1 < right->word_rank - 1 ? -1 : 1;
    return near_order(a, b);
}

static void ranks_close(search_hit **hits, size_t count) {
    uint32_t word = 0, near = 0;
    qsort(hits, count, sizeof *hits, word_order);
    for (size_t i = 0; i < count; i++)
        hits[i]->word_rank = hits[i]->word_rank > 0 ? ++word : 0;
    qsort(hits, count, sizeof *hits, near_order);
    for (size_t i = 0; i < count; i++)
        hits[i]->near_rank = hits[i]->near_rank > 0 ? ++near : 0;
}

bool search_hybrid_fuse_seen(search_call *call, const search_hybrid_seen *seen, size_t *kept) {
    search_hit *copies = core_arena_array(call->arena, seen->count + 1, sizeof *copies);
    search_hit **order = core_arena_array(call->arena, seen->count + 1, sizeof *order);
    *kept = 0;
    if (copies == NULL || order == NULL)
        return search_refuse(&call->refusal, SEARCH_CODE_INTERNAL, "no memory for the hits");
    for (size_t i = 0; i < seen->count; i++) {
        copies[i] = *seen->shown[i];
        order[i] = &copies[i];
    }
    ranks_close(order, seen->count);
    for (size_t i = 0; i < seen->count; i++)
        copies[i].score =
            search_fusion_score(copies[i].word_rank, copies[i].near_rank, seen->ratio);
    if (!seen->is_sorted)
        qsort(order, seen->count, sizeof *order, score_order);
    for (size_t i = 0; i < seen->count; i++) {
        const search_hit *hit = seen->is_sorted ? &copies[i] : order[i];
        if (hit->score >= seen->threshold)
            seen->shown[(*kept)++] = hit;
    }
    return true;
}
