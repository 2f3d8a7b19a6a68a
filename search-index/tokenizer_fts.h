/* The tokenizer as FTS5 calls it: documents go through search_tokenizer, expressions are ours.
 *
 * What FTS5 is given to match is written by the engine from words that the tokenizer gave before,
 * so it is taken as it stands, cut at blanks. Documents' texts may hold SEARCH_BREAK between parts
 * that are no neighbours (an array's elements): it takes a place, so no phrase goes over it. */
#ifndef WALCAST_SEARCH_INDEX_TOKENIZER_FTS_H
#define WALCAST_SEARCH_INDEX_TOKENIZER_FTS_H

#include "search-index/tokenizer.h"

#define SEARCH_BREAK 0x1E
/* Words of one text that are indexed; what is behind them is not found. As Meilisearch. */
#define SEARCH_WORDS_PER_TEXT_MAX 65535

typedef struct sqlite3 sqlite3;
typedef struct fts5_api fts5_api;

/* Called for each word of a document that FTS5 takes in, stems too, breaks not. */
typedef void search_word_seen(void *context, const search_token *token);

typedef struct {
    search_tokenizer *tokenizer; /* NULL: the connection only matches */
    search_word_seen *seen;      /* may be NULL */
    void *context;
} search_fts_words;

/* NULL: this SQLite has no FTS5. */
fts5_api *search_fts_api(sqlite3 *database);
/* Registers the tokenizer `walcast` on the connection; `words` must live as long as it is open. */
CORE_MUST_CHECK bool search_fts_register(sqlite3 *database, search_fts_words *words);

#endif
