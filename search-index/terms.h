/* The terms of an index in memory: which there are, in how many documents each stands, which begin
 * with some letters and which are a typo away from a word.
 *
 * Around 37 bytes a term of eight letters. Changes need the dictionary to oneself; any number of
 * threads may look something up together while nobody changes it. What look-ups return points into
 * it and is valid until the next change. Words come as the tokenizer gives them (lower case,
 * UTF-8); one of more than SEARCH_TERM_BYTES_MAX bytes is passed over: it is never found. */
#ifndef WALCAST_SEARCH_INDEX_TERMS_H
#define WALCAST_SEARCH_INDEX_TERMS_H

#include "core/core.h"

#define SEARCH_TERM_BYTES_MAX 255
#define SEARCH_TERMS_MAX      ((1u << 24) - 2)
/* Words of more characters are not looked for with typos. */
#define SEARCH_TYPO_CHARACTERS_MAX 64
#define SEARCH_TYPO_DISTANCE_MAX   2

typedef struct search_terms search_terms;

typedef struct {
    core_slice text;
    uint32_t documents; /* in how many it stands; never 0 */
    uint32_t distance;  /* from the word asked for; 0 from search_terms_prefix */
} search_term_match;

typedef struct {
    core_slice word;
    unsigned distance_max; /* 1 or 2; greater counts as 2, and 0 finds nothing */
    bool is_prefix;        /* the term may go on behind what was typed */
} search_typo;

typedef struct {
    uint32_t terms;
    uint64_t documents; /* the sum of the terms': a document with several counts several times */
} search_terms_total;

/* NULL: out of memory. */
search_terms *search_terms_new(void);
void search_terms_free(search_terms *terms);

/* The word stands in `documents` more documents. False, and nothing changed, when memory is out or
 * there are SEARCH_TERMS_MAX terms: such a word is found as it is written, but not with typos. */
CORE_MUST_CHECK bool search_terms_add(search_terms *terms, core_slice word, uint32_t documents);
/* It stands in `documents` fewer, at least 0; one that stands in none is found no more. Forgotten
 * words are swept out once they are a quarter of all (20 ms for 200,000 terms); the same when a
 * quarter came out of order. */
void search_terms_remove(search_terms *terms, core_slice word, uint32_t documents);

/* In how many documents it stands. */
uint32_t search_terms_documents(const search_terms *terms, core_slice word);
uint32_t search_terms_count(const search_terms *terms);
/* Bytes of memory that it holds. */
size_t search_terms_bytes(const search_terms *terms);

/* Terms that begin with `prefix`, itself among them, at most `max`: those of most documents first,
 * equal ones in the order of their bytes. `total`, unless NULL, is of all of them. Returns how many
 * were written. Costs a step for each term that begins so. */
size_t search_terms_prefix(const search_terms *terms, core_slice prefix, search_term_match *out,
                           size_t max, search_terms_total *total);

/* Terms at a distance of 1 to `distance_max`, at most `max`: the nearest first, then those of most
 * documents, then in the order of their bytes. A letter left out, put in, changed, or changed with
 * its neighbour counts one (optimal string alignment), and one more when the first letter differs.
 * With `is_prefix` the distance is that of the term's nearest beginning. */
size_t search_terms_near(const search_terms *terms, const search_typo *typo, search_term_match *out,
                         size_t max);

#endif
