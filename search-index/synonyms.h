/* A schema's synonyms, taken apart once: which words or phrases may stand for some words of a
 * query.
 *
 * Both sides are words as the index has them, so case and diacritics do not matter, and with a
 * language their stems, which stand wherever another form of the word does; stop-words are left
 * out. Made with a schema and never changed: any thread may look something up. */
#ifndef WALCAST_SEARCH_INDEX_SYNONYMS_H
#define WALCAST_SEARCH_INDEX_SYNONYMS_H

#include "search-index/words.h"

/* Of one side of a synonym, in a script without blanks; more are left out. */
#define SEARCH_SYNONYM_TOKENS_MAX 16
#define SEARCH_SYNONYM_KEY_MAX    ((SEARCH_WORD_BYTES_MAX + 1) * SEARCH_SYNONYM_TOKENS_MAX)

/* Words that may stand for others: one, or several side by side. */
typedef struct {
    const search_word *words;
    uint32_t word_count;
} search_synonym_other;

/* NULL: out of memory (CORE_ERROR_INTERNAL) or the schema's are too many to keep. `source` is used
 * during the call only. */
CORE_MUST_CHECK search_synonyms *search_synonyms_new(const search_schema *schema,
                                                     const search_token_source *source,
                                                     core_error *error);
void search_synonyms_free(search_synonyms *synonyms);

/* The form in which a word is looked up, and may stand for another: its stem if it has one. */
core_slice search_synonym_form(const search_word *word);
/* Of words in that form, joined by single blanks; none: NULL. Valid as long as the synonyms. */
const search_synonym_other *search_synonyms_find(const search_synonyms *synonyms, core_slice key,
                                                 uint32_t *count);
/* How many words the longest key has: more need not be asked for. */
uint32_t search_synonyms_longest(const search_synonyms *synonyms);

#endif
