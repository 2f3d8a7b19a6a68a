/* What the dictionary's files share: its arrays, and the blocks that keep its order. */
#ifndef WALCAST_SEARCH_INDEX_TERMS_PRIVATE_H
#define WALCAST_SEARCH_INDEX_TERMS_PRIVATE_H

#include "search-index/terms.h"

#define SEARCH_TERMS_BLOCK_IDS 512
#define SEARCH_FIRSTS_MAX      128u /* letters that terms begin with; of scripts with more: none */

/* Ids of terms in the order of their bytes, at most SEARCH_TERMS_BLOCK_IDS; a full block is split.
 * Their letters stand beside them: a look for typos goes over a hundred thousand terms, which takes
 * one stream of memory so and a miss each by id. */
typedef struct {
    uint64_t *letters; /* search_letters_of; owned, and `ids` are the rest of this memory */
    uint32_t *ids;
    uint32_t count;
    uint32_t capacity;
} search_terms_block;

typedef struct {
    search_terms_block *blocks;
    size_t count;
    size_t capacity;
} search_terms_order;

/* Where a term stands in the order; block == count is behind all. */
typedef struct {
    size_t block;
    uint32_t index;
} search_terms_place;

/* A letter that terms begin with. */
typedef struct {
    uint32_t letter;
    uint32_t id; /* of a term that does */
} search_first;

struct search_terms {
    /* One entry each a term, by id. */
    uint32_t *starts;    /* into bytes: a byte of length, then the text */
    uint32_t *documents; /* 0: forgotten, or not in use yet */
    uint32_t count;
    uint32_t capacity;
    uint32_t forgotten;
    uint32_t strays; /* whose id does not follow the order */
    uint8_t *bytes;
    size_t bytes_used;
    size_t bytes_capacity;
    /* Open addressing: 0, or eight bits of the text's hash over its id + 1. */
    uint32_t *slots;
    size_t slot_count;
    search_terms_order order;
    search_first firsts[SEARCH_FIRSTS_MAX]; /* whoever begins so may be forgotten by now */
    uint32_t first_count;                   /* above SEARCH_FIRSTS_MAX: there are more */
};

/* 32 kinds of letters, two bits each: stands in the word, stands there twice or more. An edit
 * changes at most one bit in either direction, which is what makes it a filter for typos. */
uint64_t search_letters_of(core_slice word);

static inline core_slice search_term_text(const search_terms *terms, uint32_t id) {
    const uint8_t *at = terms->bytes + terms->starts[id];
    return core_slice_make(at + 1, at[0]);
}

/* False: there is none. */
bool search_terms_find(const search_terms *terms, core_slice word, uint32_t *id);
/* The first place whose term is not below `text` (is_after: is above all that begin with it). */
search_terms_place search_terms_order_find(const search_terms *terms, core_slice text,
                                           bool is_after);
/* Puts `id`, of a term of those letters, at a place that search_terms_order_find gave for its text.
 * False: out of memory. */
CORE_MUST_CHECK bool search_terms_order_insert(search_terms_order *order, search_terms_place place,
                                               uint32_t id, uint64_t letters);
void search_terms_order_fini(search_terms_order *order);
size_t search_terms_order_bytes(const search_terms_order *order);

/* Puts a match where it belongs among the `*count` best of at most `max`. */
void search_term_match_keep(search_term_match *out, size_t *count, size_t max,
                            search_term_match match);

#endif
