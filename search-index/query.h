/* A query of the embedded engine, step by step; private to it.
 *
 * A query's parts (words.h) become groups of terms that the index has: as written, beginnings,
 * typos. Tiers are tried in order, each one expression for FTS5: all parts as written, then with
 * typos, then without the last part, and so on, until the page is full; documents that an earlier
 * tier had are passed over. FTS5 calls back for each match, in the order of docids: the filter
 * decides, the score is counted from the match's places and the norms in memory, and a heap keeps
 * the best. A pass over more matches than its budget looks at a part of each stretch of docids, and
 * the total is an estimate. */
#ifndef WALCAST_SEARCH_INDEX_QUERY_H
#define WALCAST_SEARCH_INDEX_QUERY_H

#include "search-index/request.h"
#include "search-index/store_private.h"
#include "search-index/words.h"

#define SEARCH_PARTS_MAX        (SEARCH_QUERY_PARTS_MAX * SEARCH_QUERY_CLAUSES_MAX)
#define SEARCH_PHRASES_MAX      400u /* of one expression */
#define SEARCH_PLACES_MAX       16u /* of a part in one document, of those that are held side by side */
#define SEARCH_PROXIMITY_MAX    8u     /* of two parts: further away is all the same */
#define SEARCH_BUDGET           20000u /* matches that a pass scores */
#define SEARCH_BUDGET_SORTED    200000u
#define SEARCH_BUDGET_COUNTED   200000u /* matches that a pass counts for facets */
#define SEARCH_DOCIDS_CHECKED   512u    /* between two looks at the clock */
#define SEARCH_FUSED_WORDS      1000u   /* matches of words that are ranked for a fusion */
#define SEARCH_FUSED_WANTED     100u    /* after so many no further tier is tried for one */
#define SEARCH_ANSWER_BYTES_MAX ((size_t)256 << 20)

/* ---- Terms: query_terms.c ---- */
typedef struct {
    const search_word *words; /* one, or a phrase's */
    uint32_t word_count;
    core_slice text; /* of one: itself, its stem or a neighbour */
    uint32_t documents;
    uint32_t first; /* parts that it stands for */
    uint32_t count;
    uint8_t typos;
    bool is_prefix;
    bool is_weak;  /* a beginning only: counts less than the whole word */
    bool is_exact; /* as it was written: no beginning, stem, synonym or typo */
} search_query_term;

typedef struct {
    const search_part *part;
    search_query_term *terms; /* those as written, then those with typos */
    uint32_t exact_count;
    uint32_t count;
    bool knows_typos;   /* else they are looked up when a tier wants them */
    uint32_t documents; /* at most: the sum of its terms' */
    double weight;      /* BM25's inverse document frequency */
} search_query_group;

typedef struct {
    search_query_group *groups; /* of parts that must be there, in the query's order */
    uint32_t count;
    uint32_t first_part; /* the number of its first one among the query's */
    search_query_group *negatives;
    uint32_t negative_count;
    search_query_term *spans; /* synonyms of several parts together */
    uint32_t span_count;
} search_query_clause;

/* ---- Ranking: query_order.c ---- */
typedef enum {
    SEARCH_KEY_WORDS,
    SEARCH_KEY_TYPO,
    SEARCH_KEY_PROXIMITY,
    SEARCH_KEY_ATTRIBUTE,
    SEARCH_KEY_EXACTNESS,
    SEARCH_KEY_COLUMN,
    SEARCH_KEY_GEO,
    SEARCH_KEY_SCORE,
} search_key_kind;

typedef struct {
    search_key_kind kind;
    uint32_t column; /* NONE: no document has it */
    bool is_descending;
    double latitude;
    double longitude;
} search_key;

typedef struct {
    search_docid docid;
    float score;
    uint16_t words;
    uint16_t typos;
    /* Of the ranking rules; 0 is best, and where the rule does not count. */
    uint16_t proximity; /* how far parts that follow one another stand apart, added up */
    uint16_t attribute; /* the first slot of each part, added up */
    uint16_t inexact;   /* parts that stand there otherwise than written */
} search_entry;

/* One phrase of the expression that runs, by FTS5's number. */
typedef struct {
    uint16_t first; /* parts */
    uint16_t count;
    uint8_t typos;
    uint8_t words; /* of it */
    bool is_exact;
    float share; /* of a place in a text: less for beginnings and typos */
} search_phrase;

/* Where a part stands in the document at hand: slot and word in one number, of a phrase its first
 * and last word. */
typedef struct {
    uint32_t count;
    struct {
        uint32_t first, last;
    } places[SEARCH_PLACES_MAX];
    uint32_t slot; /* the first; NONE: it is not there */
    bool is_exact;
} search_part_places;

typedef struct search_run {
    search_store_reader *reader;
    const search_shared *shared;
    const search_schema_spec *schema;
    const search_request *request;
    core_arena arena; /* of the query; the answer has its own */
    core_error *error;
    const search_words *words;
    search_query_clause *clauses;
    uint32_t clause_count;
    const search_bound_filter *filter;

    search_key keys[SEARCH_REQUEST_SORTS_MAX + SEARCH_RANKING_RULES_MAX + 4];
    uint32_t key_count;
    bool is_sorted;      /* by a column or a place, before the score */
    bool stops_at_words; /* documents of fewer words never come before */
    bool stops_at_typos;
    bool has_places;      /* some rule needs to know where parts stand */
    bool is_other_before; /* a rule other than words and typo comes before those that follow */
    search_part_places part_places[SEARCH_QUERY_PARTS_MAX];

    search_entry *heap; /* the worst first */
    uint32_t heap_count;
    uint32_t heap_max;
    uint32_t wanted; /* matches after which no further tier is tried */

    uint64_t *seen; /* a bit a docid */
    uint64_t *near; /* the same of neighbours; NULL: the query has none */
    uint32_t near_count;
    search_docid end;
    uint64_t matched;
    double estimated; /* matches, of passes that were ended early what may be behind */
    bool is_cut;      /* a pass was ended early */
    bool is_late;     /* by the clock */
    int64_t deadline_us;

    /* The pass that runs. */
    core_buffer expression;
    search_phrase phrases[SEARCH_PHRASES_MAX];
    uint32_t phrase_count;
    bool is_merged; /* a beginning in it is one that FTS5 merges of its words */
    uint32_t pass_matched;
    uint32_t pass_scored;
    search_docid pass_last;
    uint32_t pass_budget;
    uint32_t pass_limit; /* matches after which it ends */
    double weights[SEARCH_PARTS_MAX];
    const double *slot_weights;
    float norm_factors[256]; /* BM25's by norm */
    double score_max;
} search_run;

/* Registers the function that FTS5 calls for each match on the reader's connection. */
CORE_MUST_CHECK bool search_run_register(search_store_reader *reader);

/* ---- query_terms.c ---- */
/* The groups of a clause, looked up in the dictionary, and typos of what is not there. */
CORE_MUST_CHECK bool search_query_clauses(search_run *run);
/* Typos of all others too: a look at every term for each. */
CORE_MUST_CHECK bool search_query_typos(search_run *run);
/* ---- query_expression.c ---- */
typedef struct {
    uint32_t parts;          /* of each clause: the first so many */
    const uint32_t *dropped; /* NULL, or a bit for each part that is left out, by clause */
    bool has_typos;
    bool in_heaviest; /* within the attribute of most weight only */
} search_tier;
static inline bool search_tier_drops(const search_tier *tier, uint32_t clause, uint32_t group) {
    return tier->dropped != NULL ? (tier->dropped[clause] >> group & 1) != 0 : group >= tier->parts;
}
/* Into run->expression and run->phrases. False: nothing can match. */
CORE_MUST_CHECK bool search_expression_write(search_run *run, const search_tier *tier);
/* Of a query that only says what must not be there: any of that. False: nothing has it. */
CORE_MUST_CHECK bool search_expression_negatives(search_run *run);
/* ---- query_pass.c ---- */
/* Runs the tier's expression within the budgets; matches are taken by query_score.c. */
CORE_MUST_CHECK bool search_pass_run(search_run *run, const search_tier *tier);
/* The expression as it is written, over docids `from` to `last`; where it ended is pass_last. */
CORE_MUST_CHECK bool search_pass_match(search_run *run, search_docid from, search_docid last);
/* At most so many documents match. */
uint64_t search_pass_bound(const search_run *run, const search_tier *tier);
/* ---- query_score.c ---- */
void search_score_prepare(search_run *run);
/* ---- query_places.c: proximity, attribute, exactness ---- */
void search_places_reset(search_run *run);
/* The phrase stands there: in `slot`, as its word number `offset`. */
void search_places_add(search_run *run, const search_phrase *phrase, uint32_t slot,
                       uint32_t offset);
/* What the rules say of the document whose parts were added. */
void search_places_rank(const search_run *run, search_entry *entry);
/* The same as a share of 1, by the order of the rules, with `relevance` behind them. */
double search_places_score(const search_run *run, const search_entry *entry, double relevance);
/* ---- query_order.c ---- */
void search_order_prepare(search_run *run);
/* Whether `a` comes before `b`. */
bool search_order_before(const search_run *run, const search_entry *a, const search_entry *b);
void search_heap_put(search_run *run, const search_entry *entry);
/* The best first. */
void search_heap_sort(search_run *run);
/* Behind a fusion: the request's sorts, then the fused score, then what words found earlier. */
void search_order_fused(search_run *run);
/* ---- query_fused.c ---- */
/* The heap has what words found: it gets these and the request's neighbours, in their fused order.
 * Neighbours in `excluded` (NULL: none) are left out. */
CORE_MUST_CHECK bool search_query_fuse(search_run *run, const uint64_t *excluded);
/* An entry of a fusion has ranks where others have words and typos. */
void search_fused_show(const search_entry *entry, search_hit *hit);
/* ---- query_facets.c ---- */
CORE_MUST_CHECK bool search_facets_count(search_run *run, search_hits *hits);
/* ---- query_hits.c ---- */
CORE_MUST_CHECK search_hits *search_hits_make(search_run *run);

static inline int64_t search_now_us(void) {
    const core_clock *clock = core_clock_system();
    return clock->monotonic_ns(clock) / 1000;
}

static inline bool search_bit_has(const uint64_t *bits, search_docid docid) {
    return (bits[docid / 64] >> docid % 64 & 1) != 0;
}

static inline bool search_run_has_seen(const search_run *run, search_docid docid) {
    return search_bit_has(run->seen, docid);
}

#endif
