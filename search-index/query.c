/* One query from its request to its answer: words, tiers, passes; and without words, a walk over
 * the columns. */
#include "search-index/query.h"

#include <stdlib.h>

#define QUERY_ARENA_BYTES ((size_t)32 << 20)
#define EXPRESSION_BYTES  ((size_t)256 << 10)
#define DISTINCT_HEAP     20u /* so many times what is wanted, for documents that fall out */
#define DISTINCT_HEAP_MAX 20000u
#define HEAP_MAX          1000000u

/* ---- Making a run ---- */
static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static uint32_t most(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static core_slice distinct_of(const search_run *run) {
    return run->request->distinct.length > 0 ? run->request->distinct : run->schema->distinct;
}

static void sizes_set(search_run *run) {
    const search_request *request = run->request;
    uint32_t max = run->schema->max_total_hits;
    uint64_t asked = (uint64_t)request->offset + request->limit;
    run->heap_max = asked < max ? (uint32_t)asked : max;
    run->wanted = request->is_paged ? max : run->heap_max;
    if (distinct_of(run).length > 0 && run->heap_max > 0)
        run->heap_max = least(run->heap_max * DISTINCT_HEAP, DISTINCT_HEAP_MAX);
    if (request->is_fused) {
        run->heap_max = most(run->heap_max, SEARCH_FUSED_WORDS);
        run->wanted = most(run->wanted, SEARCH_FUSED_WANTED);
    }
    run->heap_max = least(run->heap_max, HEAP_MAX);
}

static bool needs_columns(const search_run *run) {
    const search_request *request = run->request;
    return run->is_sorted || request->filter != NULL || request->facets.is_given ||
           distinct_of(run).length > 0;
}

static bool memory_make(search_run *run) {
    run->end = search_columns_end(run->shared->columns);
    if (run->end == 0)
        run->end = 1;
    run->seen = calloc(run->end / 64 + 1, sizeof *run->seen);
    run->heap = malloc((run->heap_max + 1) * sizeof *run->heap);
    return (run->seen != NULL && run->heap != NULL) ||
           core_error_set(run->error, CORE_ERROR_INTERNAL, "search: out of memory");
}

static bool words_read(search_run *run) {
    search_store_reader *reader = run->reader;
    const search_synonyms *synonyms = search_store_reader_synonyms(reader, run->error);
    const search_words_options options = {.source = search_tokenizer_source(reader->tokenizer),
                                          .synonyms = synonyms,
                                          .is_boolean = run->request->is_boolean,
                                          .has_prefix_search = run->schema->has_prefix_search};
    return synonyms != NULL &&
           search_words_read(&run->arena, run->request->q, &options, &run->words, run->error);
}

/* With the lock held for reading: nothing that it looks at changes until it is given back. */
static bool run_prepare(search_run *run) {
    search_order_prepare(run);
    if (run->shared->is_columns_full && needs_columns(run))
        return core_error_set(run->error, CORE_ERROR_LIMIT,
                              "search index %s: its filterable and sortable attributes do not fit "
                              "in memory; make fewer attributes so, or raise the maximum",
                              run->reader->store->path);
    sizes_set(run);
    return words_read(run) &&
           search_filter_bind(&run->arena, run->request->filter, run->reader->store->schema,
                              run->shared->columns, &run->filter, run->error) &&
           memory_make(run) && search_query_clauses(run);
}

static void run_fini(search_run *run) {
    core_arena_fini(&run->arena);
    core_buffer_fini(&run->expression);
    free(run->seen);
    free(run->near);
    free(run->heap);
}

/* ---- Tiers ---- */
static bool is_full(const search_run *run) {
    return run->stops_at_words && run->matched >= run->wanted;
}

static bool has_typos(const search_run *run, const search_tier *tier) {
    for (uint32_t i = 0; i < run->clause_count; i++)
        for (uint32_t j = 0; j < run->clauses[i].count; j++)
            if (!search_tier_drops(tier, i, j) &&
                run->clauses[i].groups[j].count > run->clauses[i].groups[j].exact_count)
                return true;
    return false;
}

/* As written, then with typos. Where there are more matches than a pass may score, those in the
 * heaviest attribute come first. */
static bool tier_run(search_run *run, search_tier tier) {
    bool is_huge = search_pass_bound(run, &tier) > SEARCH_BUDGET && !run->is_sorted;
    if (is_huge && run->shared->slots.count > 1) {
        tier.in_heaviest = true;
        if (!search_pass_run(run, &tier))
            return false;
        tier.in_heaviest = false;
        if (is_full(run) && run->stops_at_typos && !run->request->facets.is_given) {
            run->is_cut = true;
            run->estimated = (double)search_pass_bound(run, &tier);
            return true;
        }
    }
    if (!search_pass_run(run, &tier))
        return false;
    if (is_full(run) && run->stops_at_typos)
        return true;
    if (!search_query_typos(run))
        return false;
    tier.has_typos = true;
    return !has_typos(run, &tier) || search_pass_run(run, &tier);
}

/* The commonest parts go first, one a step; the rarest stays. */
static uint32_t commonest_drop(const search_query_clause *clause, uint32_t dropped) {
    uint32_t worst = UINT32_MAX, left = 0;
    for (uint32_t i = 0; i < clause->count; i++) {
        if ((dropped >> i & 1) != 0)
            continue;
        left++;
        if (worst == UINT32_MAX || clause->groups[i].documents > clause->groups[worst].documents)
            worst = i;
    }
    return left > 1 ? dropped | 1u << worst : dropped;
}

static bool tiers_run(search_run *run) {
    uint32_t dropped[SEARCH_QUERY_CLAUSES_MAX] = {0};
    uint32_t parts = 0;
    bool by_frequency = run->request->strategy == SEARCH_STRATEGY_FREQUENCY;
    for (uint32_t i = 0; i < run->clause_count; i++)
        if (run->clauses[i].count > parts)
            parts = run->clauses[i].count;
    bool is_last_only = run->request->strategy == SEARCH_STRATEGY_ALL || run->request->is_boolean;
    for (uint32_t left = parts; left > 0; left--) {
        search_tier tier = {.parts = by_frequency ? parts : left,
                            .dropped = by_frequency ? dropped : NULL};
        if (!tier_run(run, tier))
            return false;
        if (is_full(run) || is_last_only)
            break;
        for (uint32_t i = 0; i < run->clause_count; i++)
            dropped[i] = commonest_drop(&run->clauses[i], dropped[i]);
    }
    return true;
}

/* ---- Without words ---- */
/* Documents that must not come: marked as seen, and not counted. */
static bool negatives_run(search_run *run, uint64_t **excluded) {
    *excluded = NULL;
    if (!search_expression_negatives(run))
        return true;
    const search_bound_filter *filter = run->filter;
    run->filter = NULL;
    run->pass_matched = run->pass_scored = run->pass_budget = 0;
    run->pass_limit = UINT32_MAX;
    bool done = search_pass_match(run, 1, run->end);
    run->filter = filter;
    run->matched = 0;
    *excluded = run->seen;
    run->seen = calloc(run->end / 64 + 1, sizeof *run->seen);
    return done && (run->seen != NULL ||
                    core_error_set(run->error, CORE_ERROR_INTERNAL, "search: out of memory"));
}

static void columns_walk(search_run *run, const uint64_t *excluded) {
    bool is_first_only = !run->is_sorted;
    for (search_docid docid = 1; docid < run->end; docid++) {
        if (!search_columns_has(run->shared->columns, docid) ||
            (excluded != NULL && search_bit_has(excluded, docid)) ||
            (run->filter != NULL && !search_filter_passes(run->filter, docid)))
            continue;
        run->seen[docid / 64] |= UINT64_C(1) << docid % 64;
        run->matched++;
        if (is_first_only && run->heap_count == run->heap_max)
            continue;
        search_heap_put(run, &(search_entry){.docid = docid});
    }
}

static bool columns_run(search_run *run) {
    uint64_t *excluded;
    bool done = negatives_run(run, &excluded);
    if (done)
        columns_walk(run, excluded);
    free(excluded);
    return done;
}

/* ---- With neighbours ---- */
static bool fused_run(search_run *run) {
    uint64_t *excluded;
    bool has_words = run->words->positive_count > 0 && !run->request->is_near_only;
    bool done = negatives_run(run, &excluded) && (!has_words || tiers_run(run)) &&
                search_query_fuse(run, excluded);
    free(excluded);
    return done;
}

/* ---- Distinct ---- */
/* Of each value the best stays; documents without one all stay. */
static bool distinct_keep(search_run *run, uint32_t column) {
    uint64_t *values = malloc((run->heap_count + 1) * sizeof *values);
    uint32_t kept = 0, count = 0;
    if (values == NULL)
        return core_error_set(run->error, CORE_ERROR_INTERNAL, "search: out of memory");
    search_heap_sort(run);
    for (uint32_t i = 0; i < run->heap_count; i++) {
        search_values of = search_column_values(run->shared->columns, column, run->heap[i].docid);
        bool is_known = false;
        for (uint32_t j = 0; of.count > 0 && j < count && !is_known; j++)
            is_known = values[j] == of.values[0].bits;
        if (is_known)
            continue;
        if (of.count > 0)
            values[count++] = of.values[0].bits;
        run->heap[kept++] = run->heap[i];
        if (kept >= run->wanted)
            break;
    }
    run->is_cut = run->is_cut || kept < run->heap_count;
    run->heap_count = kept;
    /* Sorted, best first: as a heap it must have the worst first. */
    for (uint32_t i = 0; i < kept / 2; i++) {
        search_entry swapped = run->heap[i];
        run->heap[i] = run->heap[kept - 1 - i];
        run->heap[kept - 1 - i] = swapped;
    }
    free(values);
    return true;
}

static bool run_whole(search_run *run) {
    search_score_prepare(run);
    bool done = run->request->is_fused           ? fused_run(run)
                : run->words->positive_count > 0 ? tiers_run(run)
                                                 : columns_run(run);
    uint32_t column = distinct_of(run).length > 0
                          ? search_columns_find(run->shared->columns, distinct_of(run))
                          : SEARCH_COLUMN_NONE;
    return done && (column == SEARCH_COLUMN_NONE || distinct_keep(run, column));
}

search_hits *search_store_query(search_reader *public, const search_request *request,
                                core_error *error) {
    search_store_reader *reader = search_store_reader_of(public);
    search_store *store = reader->store;
    search_hits *hits = NULL;
    search_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "search: out of memory");
        return NULL;
    }
    core_arena_init(&run->arena, 16384, QUERY_ARENA_BYTES);
    core_buffer_init(&run->expression, EXPRESSION_BYTES);
    run->reader = reader;
    run->request = request;
    run->error = error;
    run->shared = &store->shared;
    (void)pthread_rwlock_rdlock(&store->lock);
    run->schema = search_schema_get(store->schema);
    run->deadline_us = search_now_us() + (int64_t)run->schema->cutoff_ms * CORE_US_PER_MS;
    if (search_sql_run(reader->database, "BEGIN", error)) {
        if (run_prepare(run) && run_whole(run))
            hits = search_hits_make(run);
        (void)sqlite3_exec(reader->database, "COMMIT", NULL, NULL, NULL);
    }
    (void)pthread_rwlock_unlock(&store->lock);
    run_fini(run);
    free(run);
    return hits;
}

/* ---- Listing ---- */
static bool list_run(search_store_reader *reader, const search_request *request,
                     const search_bound_filter *filter, search_kept_taker *taker, void *context,
                     uint64_t *total, core_error *error) {
    const search_columns *columns = reader->store->shared.columns;
    uint32_t left = request->limit;
    bool goes_on = true;
    for (search_docid docid = 1; docid < search_columns_end(columns); docid++) {
        bool is_row = false;
        if (!search_columns_has(columns, docid) ||
            (filter != NULL && !search_filter_passes(filter, docid)))
            continue;
        if ((*total)++ < request->offset || left == 0 || !goes_on)
            continue;
        left--;
        search_sql_number(reader->by_docid, 1, docid);
        if (!search_sql_next(reader->by_docid, &is_row, error))
            return false;
        if (!is_row)
            continue;
        search_kept kept = search_store_kept_row(reader->by_docid, 0);
        goes_on = taker(context, &kept);
        (void)sqlite3_reset(reader->by_docid);
    }
    return true;
}

bool search_store_list(search_reader *public, const search_request *request,
                       search_kept_taker *taker, void *context, uint64_t *total,
                       core_error *error) {
    search_store_reader *reader = search_store_reader_of(public);
    search_store *store = reader->store;
    const search_bound_filter *filter = NULL;
    core_arena arena;
    *total = 0;
    core_arena_init(&arena, 4096, QUERY_ARENA_BYTES);
    (void)pthread_rwlock_rdlock(&store->lock);
    bool done = request->filter == NULL ||
                (!store->shared.is_columns_full ||
                 core_error_set(error, CORE_ERROR_LIMIT,
                                "search index %s: its filterable attributes do not fit in memory",
                                store->path));
    done = done &&
           search_filter_bind(&arena, request->filter, store->schema, store->shared.columns,
                              &filter, error) &&
           list_run(reader, request, filter, taker, context, total, error);
    (void)pthread_rwlock_unlock(&store->lock);
    core_arena_fini(&arena);
    return done;
}
