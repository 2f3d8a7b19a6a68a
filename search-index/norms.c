/* See norms.h. */
#include "search-index/norms.h"

#include <math.h>
#include <stdlib.h>

#define NORM_STEPS 16.0 /* to a doubling */

uint8_t search_norm_of(uint32_t words) {
    double norm = NORM_STEPS * log2(1.0 + words);
    return norm >= 255 ? 255 : (uint8_t)(norm + 0.5);
}

double search_norm_words(uint8_t norm) {
    return exp2(norm / NORM_STEPS) - 1.0;
}

void search_norms_init(search_norms *norms) {
    *norms = (search_norms){.capacity = 0};
}

void search_norms_fini(search_norms *norms) {
    free(norms->norms);
    search_norms_init(norms);
}

bool search_norms_reserve(search_norms *norms, search_docid docid) {
    if (docid < norms->capacity)
        return true;
    uint64_t size = docid + (uint64_t)docid / 2 + 1024;
    if (size > SEARCH_DOCID_MAX + UINT64_C(1))
        size = SEARCH_DOCID_MAX + UINT64_C(1);
    uint8_t *grown = realloc(norms->norms, size);
    if (grown == NULL)
        return false;
    memset(grown + norms->capacity, 0, size - norms->capacity);
    norms->norms = grown;
    norms->capacity = (uint32_t)size;
    return true;
}

void search_norms_put(search_norms *norms, search_docid docid, uint8_t norm) {
    assert(docid < norms->capacity);
    norms->norms[docid] = norm;
    norms->words += (uint64_t)(search_norm_words(norm) + 0.5);
    norms->documents++;
}

void search_norms_remove(search_norms *norms, search_docid docid, uint8_t norm) {
    assert(docid < norms->capacity && norms->norms[docid] == norm && norms->documents > 0);
    norms->norms[docid] = 0;
    norms->words -= (uint64_t)(search_norm_words(norm) + 0.5);
    norms->documents--;
}

double search_norms_average(const search_norms *norms) {
    return norms->documents > 0 ? (double)norms->words / norms->documents : 1.0;
}
