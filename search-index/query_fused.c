/* Nearest neighbours beside what words find: those that are in the index and pass the filter, fused
 * with it by their ranks. */
#include "search-index/query.h"

#include "search-index/fusion.h"

#include <stdlib.h>

typedef struct {
    search_docid *words; /* both in one allocation */
    search_docid *near;
    search_fused *fused;
} fusing;

static bool memory_error(search_run *run) {
    return core_error_set(run->error, CORE_ERROR_INTERNAL, "search: out of memory");
}

static bool fusing_make(search_run *run, fusing *it) {
    size_t room = (size_t)run->heap_count + run->request->near_count + 1;
    run->near = calloc(run->end / 64 + 1, sizeof *run->near);
    it->words = calloc(room, sizeof *it->words);
    it->fused = calloc(room, sizeof *it->fused);
    it->near = it->words != NULL ? it->words + run->heap_count : NULL;
    return (run->near != NULL && it->words != NULL && it->fused != NULL) || memory_error(run);
}

/* The document of that id; 0: there is none. */
static bool docid_find(search_run *run, core_slice id, search_docid *docid) {
    sqlite3_stmt *statement = run->reader->docid_of;
    bool is_row = false;
    *docid = 0;
    search_sql_blob(statement, 1, id);
    if (!search_sql_next(statement, &is_row, run->error))
        return false;
    if (is_row)
        *docid = (search_docid)sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement);
    return true;
}

static bool near_take(search_run *run, const uint64_t *excluded, search_docid *near) {
    const search_request *request = run->request;
    for (uint32_t i = 0; i < request->near_count; i++) {
        search_docid docid;
        if (!docid_find(run, request->near[i], &docid))
            return false;
        if (docid == 0 || docid >= run->end || search_bit_has(run->near, docid) ||
            !search_columns_has(run->shared->columns, docid) ||
            (excluded != NULL && search_bit_has(excluded, docid)) ||
            (run->filter != NULL && !search_filter_passes(run->filter, docid)))
            continue;
        run->near[docid / 64] |= UINT64_C(1) << docid % 64;
        near[run->near_count++] = docid;
        run->matched += !search_run_has_seen(run, docid);
        run->seen[docid / 64] |= UINT64_C(1) << docid % 64;
    }
    return true;
}

/* Ranks so far back make no difference any more. */
static uint16_t rank_pack(uint32_t rank) {
    return rank < UINT16_MAX ? (uint16_t)rank : UINT16_MAX;
}

/* In place of typos the words' rank less one, so that none comes last. */
void search_fused_show(const search_entry *entry, search_hit *hit) {
    hit->words = hit->typos = 0;
    hit->near_rank = entry->words;
    hit->word_rank = entry->typos == UINT16_MAX ? 0 : entry->typos + UINT32_C(1);
}

/* The whole of it is ordered, so that a page is cut out of the same order whichever it is. */
static bool heap_fill(search_run *run, const fusing *it, size_t count) {
    uint32_t max = run->schema->max_total_hits;
    run->heap_max = count < max ? (uint32_t)count : max;
    search_entry *heap = realloc(run->heap, ((size_t)run->heap_max + 1) * sizeof *heap);
    if (heap == NULL)
        return memory_error(run);
    run->heap = heap;
    run->heap_count = 0;
    search_order_fused(run);
    for (size_t i = 0; i < count; i++) {
        const search_entry entry = {.docid = it->fused[i].docid,
                                    .score = (float)it->fused[i].score,
                                    .words = rank_pack(it->fused[i].near_rank),
                                    .typos = (uint16_t)(rank_pack(it->fused[i].word_rank) - 1)};
        search_heap_put(run, &entry);
    }
    return true;
}

bool search_query_fuse(search_run *run, const uint64_t *excluded) {
    fusing it = {.words = NULL};
    bool done = fusing_make(run, &it);
    if (done) {
        search_heap_sort(run);
        for (uint32_t i = 0; i < run->heap_count; i++)
            it.words[i] = run->heap[i].docid;
        done = near_take(run, excluded, it.near);
    }
    if (done) {
        bool is_alone = run->request->is_near_only || run->words->positive_count == 0;
        double ratio = is_alone ? 1 : run->request->semantic_ratio;
        size_t count =
            search_fusion_run(it.words, run->heap_count, it.near, run->near_count, ratio, it.fused);
        done = heap_fill(run, &it, count);
    }
    free(it.words);
    free(it.fused);
    return done;
}
