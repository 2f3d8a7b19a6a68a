/* The answer: documents of the best matches, what was found in them, totals. */
#include "search-index/query.h"

#include "search-index/geo.h"

#include <stdlib.h>

static bool memory_error(search_run *run) {
    return core_error_set(run->error, CORE_ERROR_LIMIT,
                          "search: the answer takes more than %zu bytes; ask for fewer documents "
                          "at once",
                          SEARCH_ANSWER_BYTES_MAX);
}

static double distance_of(const search_run *run, search_docid docid) {
    double latitude, longitude;
    for (uint32_t i = 0; i < run->key_count; i++)
        if (run->keys[i].kind == SEARCH_KEY_GEO &&
            search_columns_geo(run->shared->columns, docid, &latitude, &longitude))
            return search_geo_metres(latitude, longitude, run->keys[i].latitude,
                                     run->keys[i].longitude);
    return -1;
}

/* Of the query's words the share that was found, the last of it by typos and relevance. */
static double ranking_score(const search_run *run, const search_entry *entry) {
    double parts = run->words->positive_count;
    if (run->request->is_fused)
        return entry->score;
    if (parts == 0 || entry->words == 0)
        return 1.0;
    double typo = 1.0 / (1.0 + entry->typos);
    double relevance = run->score_max > 0 ? entry->score / run->score_max : 0;
    relevance = search_places_score(run, entry, relevance);
    return (entry->words - 1 + 0.5 * typo + 0.5 * relevance) / parts;
}

static bool hit_make(search_run *run, const search_entry *entry, search_hits *hits,
                     search_hit *hit) {
    sqlite3_stmt *rows = run->reader->by_docid;
    bool is_row = false;
    search_sql_number(rows, 1, entry->docid);
    if (!search_sql_next(rows, &is_row, run->error))
        return false;
    if (!is_row)
        return core_error_set(run->error, CORE_ERROR_GAP,
                              "search index %s: it is damaged (document %u is not there): it must "
                              "be rebuilt",
                              run->reader->store->path, entry->docid);
    search_kept kept = search_store_kept_row(rows, 0);
    *hit = (search_hit){.id = core_arena_copy(&hits->arena, kept.id),
                        .json = core_arena_copy(&hits->arena, kept.json),
                        .score = ranking_score(run, entry),
                        .relevance = entry->score,
                        .distance_m = distance_of(run, entry->docid),
                        .words = entry->words,
                        .typos = entry->typos};
    if (run->request->is_fused)
        search_fused_show(entry, hit);
    (void)sqlite3_reset(rows);
    return (hit->id.data != NULL && hit->json.data != NULL) || memory_error(run);
}

static bool hits_fill(search_run *run, search_hits *hits) {
    const search_request *request = run->request;
    uint32_t first = request->offset < run->heap_count ? request->offset : run->heap_count;
    uint32_t left = run->heap_count - first;
    uint32_t count = request->limit < left ? request->limit : left;
    search_hit *list = core_arena_array(&hits->arena, count + 1, sizeof *list);
    if (list == NULL)
        return memory_error(run);
    hits->hits = list;
    for (uint32_t i = 0; i < count; i++) {
        const search_entry *entry = &run->heap[first + i];
        if (request->has_threshold && ranking_score(run, entry) < request->threshold)
            continue;
        if (!hit_make(run, entry, hits, &list[hits->hit_count]))
            return false;
        hits->hit_count++;
    }
    return true;
}

/* ---- What is found in texts ---- */
/* A word, or a phrase's words one behind the other. */
static bool term_copy(search_hits *hits, search_match_term *list, const search_query_term *term,
                      uint32_t word) {
    for (uint32_t i = 0; i < term->word_count; i++) {
        core_slice text = term->word_count == 1 ? term->text : term->words[i].text;
        search_match_term *to = &list[hits->term_count++];
        *to = (search_match_term){.text = core_arena_copy(&hits->arena, text),
                                  .word = word,
                                  .is_prefix = term->is_prefix,
                                  .phrase_left = term->word_count - 1 - i};
        if (to->text.data == NULL)
            return false;
    }
    return true;
}

static bool group_terms(search_hits *hits, search_match_term *list, const search_query_group *group,
                        uint32_t word) {
    for (uint32_t i = 0; i < group->count; i++) {
        const search_query_term *term = &group->terms[i];
        if (term->is_weak && !term->is_prefix)
            continue; /* a word that a beginning was written out as: beginnings_terms */
        if (!term_copy(hits, list, term, word))
            return false;
    }
    return true;
}

/* Words that may go on: of what was found by them the typed part is shown. */
static bool beginnings_terms(const search_run *run, search_hits *hits, search_match_term *list) {
    for (uint32_t i = 0; i < run->words->clause_count; i++) {
        const search_clause *clause = &run->words->clauses[i];
        for (uint32_t j = 0; j < clause->part_count; j++) {
            const search_part *part = &clause->parts[j];
            const search_query_term term = {
                .text = part->words[0].text, .word_count = 1, .is_prefix = true};
            if (part->is_prefix && !part->is_negative &&
                !term_copy(hits, list, &term, part->number))
                return false;
        }
    }
    return true;
}

static uint32_t terms_count(const search_run *run) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->clause_count; i++) {
        const search_query_clause *clause = &run->clauses[i];
        for (uint32_t j = 0; j < clause->count; j++)
            for (uint32_t k = 0; k < clause->groups[j].count; k++)
                count += clause->groups[j].terms[k].word_count;
        for (uint32_t j = 0; j < clause->span_count; j++)
            count += clause->spans[j].word_count;
    }
    return count;
}

static bool spans_terms(search_hits *hits, search_match_term *list,
                        const search_query_clause *clause) {
    for (uint32_t i = 0; i < clause->span_count; i++)
        if (!term_copy(hits, list, &clause->spans[i], clause->first_part + clause->spans[i].first))
            return false;
    return true;
}

static bool terms_fill(search_run *run, search_hits *hits) {
    size_t most = (size_t)terms_count(run) + SEARCH_QUERY_PARTS_MAX;
    search_match_term *list = core_arena_array(&hits->arena, most, sizeof *list);
    hits->terms = list;
    hits->word_count = run->words->positive_count;
    bool done = list != NULL;
    for (uint32_t i = 0; done && i < run->clause_count; i++) {
        const search_query_clause *clause = &run->clauses[i];
        for (uint32_t j = 0; done && j < clause->count; j++)
            done = group_terms(hits, list, &clause->groups[j], clause->first_part + j);
        done = done && spans_terms(hits, list, clause);
    }
    return (done && beginnings_terms(run, hits, list)) || memory_error(run);
}

static void totals_fill(search_run *run, search_hits *hits) {
    double total = run->estimated > (double)run->matched ? run->estimated : (double)run->matched;
    double max = run->schema->max_total_hits;
    hits->total = (uint64_t)(total < max ? total : max);
    hits->is_total_exact = !run->is_cut && run->matched <= run->schema->max_total_hits;
    hits->near_count = run->near_count;
    hits->position = run->shared->position;
}

search_hits *search_hits_make(search_run *run) {
    core_arena arena;
    core_arena_init(&arena, 16384, SEARCH_ANSWER_BYTES_MAX);
    search_hits *hits = core_arena_alloc(&arena, sizeof *hits);
    if (hits == NULL) {
        (void)memory_error(run);
        return NULL;
    }
    *hits = (search_hits){.arena = arena, .is_facets_exact = true};
    search_heap_sort(run);
    totals_fill(run, hits);
    bool done = hits_fill(run, hits) && terms_fill(run, hits);
    if (done && run->request->facets.is_given)
        done = search_facets_count(run, hits) || memory_error(run);
    if (done)
        return hits;
    search_hits_free(hits);
    return NULL;
}

void search_hits_free(search_hits *hits) {
    if (hits == NULL)
        return;
    core_arena arena = hits->arena; /* the answer itself is in it */
    core_arena_fini(&arena);
}
