/* One pass of FTS5 over a tier's matches, within a budget.
 *
 * FTS5 comes by docids in their order, which is by and large that in which documents came. Where
 * there may be more matches than are scored, the pass takes stripes of the docids in turn, each
 * from its beginning, so that neither old nor new documents are all that is seen. */
#include "search-index/query.h"

#define STRIPES 8u
#define ROUNDS  2u /* what one stripe leaves of the budget goes to others */
#define RELATED 2  /* words of one query stand together so many times as often as by chance */

typedef struct {
    search_docid first, next, end;
    uint64_t matched;
} pass_stripe;

bool search_pass_match(search_run *run, search_docid from, search_docid last) {
    sqlite3_stmt *match = run->reader->match;
    bool is_row = false;
    search_sql_text(match, 1, core_buffer_slice(&run->expression));
    search_sql_number(match, 2, from);
    search_sql_number(match, 3, last);
    run->reader->run = run;
    bool done = search_sql_next(match, &is_row, run->error);
    run->reader->run = NULL;
    if (is_row) /* it was ended early */
        (void)sqlite3_reset(match);
    else
        run->pass_last = last;
    return done;
}

/* As many as the rarest part may have, of the clause that may have most. */
uint64_t search_pass_bound(const search_run *run, const search_tier *tier) {
    uint64_t bound = 0;
    for (uint32_t i = 0; i < run->clause_count; i++) {
        uint64_t rarest = UINT64_MAX;
        for (uint32_t j = 0; j < run->clauses[i].count; j++)
            if (!search_tier_drops(tier, i, j) && run->clauses[i].groups[j].documents < rarest)
                rarest = run->clauses[i].groups[j].documents;
        bound += rarest == UINT64_MAX ? 0 : rarest;
    }
    return bound;
}

/* Documents of the words as they are; of a beginning alone what its words have together. */
static double group_guess(const search_query_group *group) {
    uint64_t whole = 0;
    for (uint32_t i = 0; i < group->exact_count; i++)
        whole += group->terms[i].is_weak ? 0 : group->terms[i].documents;
    return whole > 0 ? (double)whole : group->documents;
}

/* About so many match, if the parts of a clause stood in documents by chance. */
static double matches_guess(const search_run *run, const search_tier *tier) {
    double guess = 0, all = run->shared->norms.documents > 0 ? run->shared->norms.documents : 1;
    for (uint32_t i = 0; i < run->clause_count; i++) {
        double of_clause = all;
        uint32_t parts = 0;
        for (uint32_t j = 0; j < run->clauses[i].count; j++)
            if (!search_tier_drops(tier, i, j)) {
                double documents = group_guess(&run->clauses[i].groups[j]);
                of_clause *= documents < all ? documents / all : 1;
                parts++;
            }
        guess += parts == 0 ? 0 : parts == 1 ? of_clause : RELATED * of_clause;
    }
    return guess;
}

/* The stripes that are still to come have equal shares of what is left. */
static uint32_t share_of(uint32_t used, uint32_t most, uint32_t stripes) {
    return used < most ? used + (most - used + stripes - 1) / stripes : used;
}

static bool stripe_run(search_run *run, pass_stripe *stripe) {
    uint64_t before = run->matched;
    bool done = search_pass_match(run, stripe->next, stripe->end - 1);
    stripe->matched += run->matched - before;
    stripe->next = run->pass_last + 1;
    return done;
}

/* What is behind the place where a stripe was ended is guessed by what is in front of it. */
static void stripes_count(search_run *run, const pass_stripe *stripes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const pass_stripe *stripe = &stripes[i];
        double looked = (double)(stripe->next - stripe->first);
        bool is_cut = stripe->next < stripe->end;
        run->is_cut = run->is_cut || is_cut;
        if (looked > 0)
            run->estimated += (double)stripe->matched * (stripe->end - stripe->first) / looked;
    }
}

static bool stripes_run(search_run *run, uint32_t count) {
    pass_stripe stripes[STRIPES];
    const uint32_t budget = run->pass_budget, limit = run->pass_limit;
    bool done = true;
    for (uint32_t i = 0; i < count; i++) {
        search_docid first = 1 + (search_docid)((uint64_t)run->end * i / count);
        stripes[i] = (pass_stripe){
            .first = first,
            .next = first,
            .end = 1 + (search_docid)((uint64_t)run->end * (i + 1) / count),
        };
    }
    for (uint32_t round = 0; done && round < (count > 1 ? ROUNDS : 1); round++)
        for (uint32_t i = 0; done && i < count && !run->is_late; i++) {
            run->pass_budget = share_of(run->pass_scored, budget, count - i);
            run->pass_limit = share_of(run->pass_matched, limit, count - i);
            if (stripes[i].next < stripes[i].end && run->pass_matched < run->pass_limit)
                done = stripe_run(run, &stripes[i]);
        }
    stripes_count(run, stripes, count);
    return done;
}

bool search_pass_run(search_run *run, const search_tier *tier) {
    bool is_counted = run->request->facets.is_given || run->request->is_paged;
    if (run->is_late || !search_expression_write(run, tier))
        return core_buffer_ok(&run->expression) ||
               core_error_set(run->error, CORE_ERROR_LIMIT,
                              "search: the query is too long; give fewer words");
    run->pass_matched = run->pass_scored = 0;
    run->pass_budget = run->is_sorted ? SEARCH_BUDGET_SORTED : SEARCH_BUDGET;
    run->pass_limit = is_counted && run->pass_budget < SEARCH_BUDGET_COUNTED ? SEARCH_BUDGET_COUNTED
                                                                             : run->pass_budget;
    /* A stripe costs a start, half a millisecond of two common words, and all that FTS5 merges. */
    bool is_huge = matches_guess(run, tier) > run->pass_budget && !run->is_merged;
    return stripes_run(run, is_huge && run->end >= STRIPES ? STRIPES : 1);
}
