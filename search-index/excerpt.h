/* A text as a search's answer shows it: what was found in it, highlighted, and cropped around the
 * best of it.
 *
 * Words are taken as the index takes them. What of a word was typed is highlighted when it was
 * found by its beginning, else the whole word; a phrase as one. A crop is a number of words around
 * the stretch with the most of the query's words, then the closest together, then in the query's
 * order. Looks at SEARCH_EXCERPT_WORDS_MAX words of a text; what is behind them is shown as it is.
 * One thread at a time. */
#ifndef WALCAST_SEARCH_INDEX_EXCERPT_H
#define WALCAST_SEARCH_INDEX_EXCERPT_H

#include "search-index/backend.h"

#define SEARCH_EXCERPT_WORDS_MAX   50000
#define SEARCH_EXCERPT_MATCHES_MAX 5000

typedef struct {
    size_t start; /* what is highlighted, in bytes */
    size_t end;
    size_t word_end; /* behind the word that it is the beginning of */
    uint32_t first_token;
    uint32_t last_token;
    uint32_t first_word; /* places among the text's words */
    uint32_t last_word;
    uint64_t words; /* bit N: the query's Nth word */
} search_match;

typedef struct search_excerpt search_excerpt;

typedef struct {
    bool is_highlighted;
    uint32_t crop_length; /* words; 0: the whole text */
    core_slice crop_marker;
    core_slice highlight_pre;
    core_slice highlight_post;
} search_excerpt_options;

/* Keeps `source` and `terms`, which must outlive it. NULL: out of memory. */
search_excerpt *search_excerpt_new(search_token_source source, const search_match_term *terms,
                                   uint32_t term_count);
void search_excerpt_free(search_excerpt *excerpt);

/* Finds the words and matches of `text`, for the two below until the next. False: out of memory. */
CORE_MUST_CHECK bool search_excerpt_look(search_excerpt *excerpt, core_slice text);
/* What was found, in the order of the text. */
const search_match *search_excerpt_matches(const search_excerpt *excerpt, uint32_t *count);
/* Appends the text that was looked at, as `options` want it. */
void search_excerpt_write(const search_excerpt *excerpt, const search_excerpt_options *options,
                          core_buffer *out);

#endif
