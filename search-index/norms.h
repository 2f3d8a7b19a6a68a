/* How many words each document has, in a byte: BM25 weighs a word in a short text more.
 *
 * A byte counts in steps of about 4.4 %, so 255 stands for some 60,000 words. */
#ifndef WALCAST_SEARCH_INDEX_NORMS_H
#define WALCAST_SEARCH_INDEX_NORMS_H

#include "search-index/columns.h"

typedef struct {
    uint8_t *norms; /* by docid */
    uint32_t capacity;
    uint64_t words;     /* of all documents, as the bytes count them */
    uint32_t documents; /* with words counted */
} search_norms;

uint8_t search_norm_of(uint32_t words);
/* As many words as the byte stands for. */
double search_norm_words(uint8_t norm);

void search_norms_init(search_norms *norms);
void search_norms_fini(search_norms *norms);
/* Makes room for docids up to it. False: out of memory. */
CORE_MUST_CHECK bool search_norms_reserve(search_norms *norms, search_docid docid);
/* For docids that room was made for; of one that is new, or not counted (hidden, gone). */
void search_norms_put(search_norms *norms, search_docid docid, uint8_t norm);
void search_norms_remove(search_norms *norms, search_docid docid, uint8_t norm);

static inline uint8_t search_norms_of(const search_norms *norms, search_docid docid) {
    return docid < norms->capacity ? norms->norms[docid] : 0;
}
double search_norms_average(const search_norms *norms);

#endif
