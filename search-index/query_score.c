/* What FTS5 calls for each match: filter, score, heap.
 *
 * The score is BM25 with the fields' weights, of places that FTS5 has at hand and of lengths in
 * memory, so no match costs a look into a table. Places of one part's words add up before they are
 * saturated; beginnings and typos count for less. */
#include "search-index/query.h"

#include <math.h>

#define BM25_K1    1.2
#define BM25_B     0.75
#define PLACES_MAX 32 /* of a phrase in one document; more hardly change the score */
#define TYPOS_NONE UINT8_MAX

void search_score_prepare(search_run *run) {
    double average = search_norms_average(&run->shared->norms);
    for (unsigned norm = 0; norm < 256; norm++)
        run->norm_factors[norm] =
            (float)(BM25_K1 * (1 - BM25_B + BM25_B * search_norm_words((uint8_t)norm) / average));
    run->score_max = 0;
    for (uint32_t i = 0; i < run->words->positive_count; i++)
        run->score_max += run->weights[i] * (BM25_K1 + 1);
    run->slot_weights = run->shared->slots.weights;
    /* Of several clauses each document has its own: how their parts stand compares nothing. */
    run->has_places = run->has_places && run->clause_count == 1;
}

/* The weights of a phrase's places added up; 0: it is not there. */
static float places_weigh(search_run *run, const Fts5ExtensionApi *api, Fts5Context *fts,
                          int phrase) {
    Fts5PhraseIter at;
    int column, offset, places = 0;
    float sum = 0;
    if (api->xPhraseFirst(fts, phrase, &at, &column, &offset) != SQLITE_OK)
        return 0;
    for (; column >= 0 && places < PLACES_MAX; places++) {
        sum += (float)run->slot_weights[column];
        if (run->has_places)
            search_places_add(run, &run->phrases[phrase], (uint32_t)column, (uint32_t)offset);
        api->xPhraseNext(fts, &at, &column, &offset);
    }
    return sum;
}

static search_entry match_score(search_run *run, const Fts5ExtensionApi *api, Fts5Context *fts,
                                search_docid docid) {
    float sums[SEARCH_PARTS_MAX];
    uint8_t typos[SEARCH_PARTS_MAX];
    uint32_t parts = run->words->positive_count;
    memset(sums, 0, parts * sizeof *sums);
    memset(typos, TYPOS_NONE, parts);
    if (run->has_places)
        search_places_reset(run);
    for (uint32_t i = 0; i < run->phrase_count; i++) {
        const search_phrase *phrase = &run->phrases[i];
        float sum = phrase->count > 0 ? places_weigh(run, api, fts, (int)i) * phrase->share : 0;
        for (uint32_t j = phrase->first; sum > 0 && j < phrase->first + phrase->count; j++) {
            sums[j] += sum;
            typos[j] = phrase->typos < typos[j] ? phrase->typos : typos[j];
        }
    }
    search_entry entry = {.docid = docid};
    double score = 0, factor = run->norm_factors[search_norms_of(&run->shared->norms, docid)];
    for (uint32_t i = 0; i < parts; i++) {
        if (typos[i] == TYPOS_NONE)
            continue;
        entry.words++;
        entry.typos = (uint16_t)(entry.typos + typos[i]);
        score += run->weights[i] * (BM25_K1 + 1) * sums[i] / (sums[i] + factor);
    }
    entry.score = (float)score;
    if (run->has_places)
        search_places_rank(run, &entry);
    return entry;
}

/* Where something else decides before the score, most matches of a common word come too late
 * whatever their words, typos and score are, and need none of them. */
static bool may_be_kept(const search_run *run, search_docid docid) {
    if (!run->is_sorted || run->heap_count < run->heap_max)
        return true;
    const search_entry best = {.docid = docid, .words = UINT16_MAX, .score = INFINITY};
    return run->heap_max > 0 && search_order_before(run, &best, &run->heap[0]);
}

/* Whether the pass goes on. */
static bool match_take(search_run *run, const Fts5ExtensionApi *api, Fts5Context *fts) {
    sqlite3_int64 rowid = api->xRowid(fts);
    if (rowid <= 0 || rowid >= run->end)
        return true; /* not of this commit: the file is damaged, or another's */
    search_docid docid = (search_docid)rowid;
    run->pass_last = docid;
    if (++run->pass_matched % SEARCH_DOCIDS_CHECKED == 0 && search_now_us() > run->deadline_us) {
        run->is_late = true;
        return false;
    }
    if (search_run_has_seen(run, docid) || !search_columns_has(run->shared->columns, docid))
        return run->pass_matched < run->pass_limit;
    if (run->filter != NULL && !search_filter_passes(run->filter, docid))
        return run->pass_matched < run->pass_limit;
    run->seen[docid / 64] |= UINT64_C(1) << docid % 64;
    run->matched++;
    if (run->pass_scored < run->pass_budget) {
        run->pass_scored++;
        if (may_be_kept(run, docid)) {
            search_entry entry = match_score(run, api, fts, docid);
            search_heap_put(run, &entry);
        }
    }
    return run->pass_matched < run->pass_limit;
}

static void match_call(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *context,
                       int count, sqlite3_value **values) {
    search_store_reader *reader = api->xUserData(fts);
    CORE_MAGIC_CHECK(reader, SEARCH_READER_MAGIC);
    (void)count;
    (void)values;
    sqlite3_result_int(context, reader->run == NULL || !match_take(reader->run, api, fts));
}

bool search_run_register(search_store_reader *reader) {
    fts5_api *api = search_fts_api(reader->database);
    return api != NULL &&
           api->xCreateFunction(api, "walcast_match", reader, match_call, NULL) == SQLITE_OK;
}
