/* How words are taken from text: the one way for documents, queries and highlights.
 *
 * Letters and digits of any script make words, in lower case and without diacritics (SQLite FTS5's
 * unicode61, remove_diacritics 2). Runs of Han, Hiragana, Katakana, Hangul, Thai, Lao, Khmer and
 * Myanmar characters, which write no blanks between words, become overlapping pairs, the last
 * character of a run by itself. With a language each word whose Snowball stem differs has the stem
 * at the same place. Words beyond SEARCH_WORD_BYTES_MAX bytes are cut there, at a character.
 * Stop-words are passed over, and their places with them.
 *
 * A tokenizer belongs to one thread at a time. */
#ifndef WALCAST_SEARCH_INDEX_TOKENIZER_H
#define WALCAST_SEARCH_INDEX_TOKENIZER_H

#include "search-index/schema.h"

#define SEARCH_WORD_BYTES_MAX 128

typedef struct {
    core_slice text; /* as the index has it; valid during the call */
    size_t start;    /* where it stands in the text, in bytes */
    size_t end;
    bool is_stem; /* of the word that came right before it, at the same place */
    bool is_pair; /* of a script without blanks: found as written only; a phrase with its next */
    bool is_stop; /* only with SEARCH_TOKENS_ALL */
} search_token;

/* False: enough, no more tokens are wanted. */
typedef bool search_token_taker(void *context, const search_token *token);

typedef enum {
    SEARCH_TOKENS_INDEX, /* what the index has: no stop-words */
    SEARCH_TOKENS_ALL,   /* stop-words too, marked so */
} search_tokens_kind;

/* Whoever takes words from text holds one of these, so that it can be tested by itself. */
typedef struct {
    void *context;
    /* False: out of memory. Text that is not UTF-8 is taken byte by byte, never refused. */
    bool (*run)(void *context, core_slice text, search_tokens_kind kind, search_token_taker *taker,
                void *taker_context);
} search_token_source;

typedef struct search_tokenizer search_tokenizer;

/* NULL: out of memory, or SQLite has no FTS5 (CORE_ERROR_INTERNAL). Keeps the schema. */
CORE_MUST_CHECK search_tokenizer *search_tokenizer_new(search_schema *schema, core_error *error);
void search_tokenizer_free(search_tokenizer *tokenizer);
/* False: out of memory. */
CORE_MUST_CHECK bool search_tokenizer_run(search_tokenizer *tokenizer, core_slice text,
                                          search_tokens_kind kind, search_token_taker *taker,
                                          void *context);
search_token_source search_tokenizer_source(search_tokenizer *tokenizer);

#endif
