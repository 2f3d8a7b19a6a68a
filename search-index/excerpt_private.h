/* What the excerpt's files share. */
#ifndef WALCAST_SEARCH_INDEX_EXCERPT_PRIVATE_H
#define WALCAST_SEARCH_INDEX_EXCERPT_PRIVATE_H

#include "search-index/excerpt.h"

#define EXCERPT_NO_TERM UINT32_MAX

/* A word of the text, or what stands between two. */
typedef struct {
    size_t start;
    size_t end;      /* where the next one begins at the latest */
    size_t full_end; /* of a word: its own, within the next one of the same run */
    uint32_t word;   /* the place of the word; of what is between: of the next one */
    uint32_t term;   /* which of the terms' texts it is */
    uint32_t stem;   /* the same of its stem */
    uint32_t prefix; /* characters that a term is the beginning of */
    uint64_t prefix_words;
    bool is_word;
    bool is_hard; /* between: ends a sentence or a part of one */
    bool is_stop;
} excerpt_token;

/* A text of the terms, once however often it is a term. */
typedef struct {
    core_slice text;
    uint64_t words; /* of the query, that it is a term of by itself */
} excerpt_term;

struct search_excerpt {
    search_token_source source;
    const search_match_term *terms;
    uint32_t term_count;
    excerpt_term *texts; /* in the order of their bytes */
    uint32_t text_count;
    uint32_t *term_texts; /* of each term: which text */
    core_slice text;      /* that is looked at */
    excerpt_token *tokens;
    uint32_t token_count;
    uint32_t token_capacity;
    uint32_t word_count;
    search_match *matches;
    uint32_t match_count;
    uint32_t match_capacity;
    bool failed;
};

/* The bytes of the text that a crop of `length` words shows. */
void excerpt_crop(const search_excerpt *excerpt, uint32_t length, size_t *start, size_t *end);

#endif
