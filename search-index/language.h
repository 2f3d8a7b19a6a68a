/* Stems of words, by Snowball's algorithms; the one place that knows libstemmer.
 *
 * A stemmer belongs to one thread at a time. It remembers the stems of the words it met last, since
 * texts repeat them: a look instead of a run of the algorithm. */
#ifndef WALCAST_SEARCH_INDEX_LANGUAGE_H
#define WALCAST_SEARCH_INDEX_LANGUAGE_H

#include "core/core.h"

typedef struct search_stemmer search_stemmer;

/* An algorithm's canonical name, in lower case: `english`, `german`, `russian`. */
bool search_language_is_known(core_slice name);

/* NULL: the language is not known, or memory is out. */
CORE_MUST_CHECK search_stemmer *search_stemmer_new(core_slice language);
void search_stemmer_free(search_stemmer *stemmer); /* NULL is allowed */
/* The stem, valid until the next call; the word itself where there is none or memory is out. */
core_slice search_stemmer_stem(search_stemmer *stemmer, core_slice word);

#endif
