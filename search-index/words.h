/* A query's text taken apart: words, "phrases", -words and -"phrases" that must not be there, and
 * with `is_boolean` OR, NOT and AND between them.
 *
 *     winter "love story" -snow             one clause, three parts
 *     winter love OR summer NOT snow        two clauses: (winter love) or (summer without snow)
 *
 * Words are taken as the index takes them. Stop-words are passed over, but one that is all there is
 * stays as a beginning. The last word counts as a beginning as long as nothing stands behind it.
 * A run of a script without blanks (is_pair) is a phrase of its pairs. Everything is bounded: what
 * is too much is left out from the end and `is_cut` says so; no text is refused. */
#ifndef WALCAST_SEARCH_INDEX_WORDS_H
#define WALCAST_SEARCH_INDEX_WORDS_H

#include "search-index/tokenizer.h"

#define SEARCH_QUERY_BYTES_MAX     4096
#define SEARCH_QUERY_PARTS_MAX     10 /* words and phrases that must be there, as Meilisearch */
#define SEARCH_QUERY_NEGATIVES_MAX 10
#define SEARCH_PHRASE_WORDS_MAX    50
#define SEARCH_QUERY_CLAUSES_MAX   5
#define SEARCH_ALTERNATIVES_MAX    50 /* of one clause */

typedef struct {
    core_slice text; /* as the index has it */
    core_slice stem; /* empty: none that differs */
    bool is_pair;    /* no typos, no beginnings but of one character alone */
} search_word;

typedef struct {
    const search_word *words; /* one: a word; several: a phrase, side by side in this order */
    uint32_t word_count;
    uint32_t number; /* among all parts that must be there, from 0; of negative ones unused */
    bool is_negative;
    bool is_quoted; /* found as written: no typos, no synonyms */
    bool is_prefix; /* one word, which may go on */
    size_t start;   /* where it stands in the query, in bytes */
    size_t end;
} search_part;

/* Words, as a phrase when several, that may stand for some parts side by side (synonyms). */
typedef struct {
    uint32_t first; /* of the clause's parts */
    uint32_t count;
    const search_word *words;
    uint32_t word_count;
} search_alternative;

typedef struct {
    const search_part *parts; /* in the order of the query, negative ones among them */
    uint32_t part_count;
    uint32_t positive_count;
    const search_alternative *alternatives;
    uint32_t alternative_count;
} search_clause;

typedef struct {
    const search_clause *clauses; /* any of them; none: the query is empty */
    uint32_t clause_count;
    uint32_t positive_count; /* parts that must be there, of all clauses */
    bool is_cut;
} search_words;

typedef struct search_synonyms search_synonyms; /* synonyms.h */

typedef struct {
    search_token_source source;
    const search_synonyms *synonyms; /* NULL: none; must outlive the result */
    bool is_boolean;
    bool has_prefix_search; /* else the last word must stand as it is */
} search_words_options;

/* The result lives in the arena. False: the arena is full (CORE_ERROR_LIMIT), or out of memory. */
CORE_MUST_CHECK bool search_words_read(core_arena *arena, core_slice text,
                                       const search_words_options *options,
                                       const search_words **words, core_error *error);

/* What may stand for some of the parts, side by side and neither quoted nor negative; at most
 * SEARCH_ALTERNATIVES_MAX, those of the first parts first. False: the arena is full. */
CORE_MUST_CHECK bool search_alternatives_find(core_arena *arena, const search_synonyms *synonyms,
                                              search_clause *clause);

#endif
