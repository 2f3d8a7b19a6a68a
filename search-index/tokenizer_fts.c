/* FTS5's tokenizer interface over ours. One object serves a connection: it is the context that was
 * registered, so making and deleting an instance costs nothing. */
#include "search-index/tokenizer_fts.h"

#include <sqlite3.h>

typedef int fts_token_taker(void *, int, const char *, int, int, int);

typedef struct {
    search_fts_words *words;
    fts_token_taker *taker;
    void *context;
    uint32_t count;
    int code;
} fts_run;

fts5_api *search_fts_api(sqlite3 *database) {
    fts5_api *api = NULL;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, "SELECT fts5(?1)", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_pointer(statement, 1, &api, "fts5_api_ptr", NULL) == SQLITE_OK)
        (void)sqlite3_step(statement);
    (void)sqlite3_finalize(statement);
    return api;
}

static bool document_take(void *context, const search_token *token) {
    fts_run *run = context;
    if (!token->is_stem && run->count++ >= SEARCH_WORDS_PER_TEXT_MAX)
        return false;
    if (run->words->seen != NULL)
        run->words->seen(run->words->context, token);
    run->code = run->taker(run->context, token->is_stem ? FTS5_TOKEN_COLOCATED : 0,
                           (const char *)token->text.data, (int)token->text.length,
                           (int)token->start, (int)token->end);
    return run->code == SQLITE_OK;
}

static int document_run(fts_run *run, core_slice text) {
    static const char mark = SEARCH_BREAK;
    for (size_t at = 0; at < text.length && run->code == SQLITE_OK;) {
        const uint8_t *found = memchr(text.data + at, SEARCH_BREAK, text.length - at);
        size_t end = found != NULL ? (size_t)(found - text.data) : text.length;
        if (!search_tokenizer_run(run->words->tokenizer, core_slice_make(text.data + at, end - at),
                                  SEARCH_TOKENS_INDEX, document_take, run))
            return SQLITE_NOMEM;
        if (found != NULL && run->code == SQLITE_OK)
            run->code = run->taker(run->context, 0, &mark, 1, (int)end, (int)end + 1);
        at = end + 1;
    }
    return run->code;
}

/* As it stands, at blanks. */
static int expression_run(fts_run *run, core_slice text) {
    for (size_t at = 0; at < text.length && run->code == SQLITE_OK; at++) {
        size_t from = at;
        while (at < text.length && text.data[at] != ' ')
            at++;
        if (at > from)
            run->code = run->taker(run->context, 0, (const char *)text.data + from,
                                   (int)(at - from), (int)from, (int)at);
    }
    return run->code;
}

static int fts_create(void *context, const char **arguments, int count, Fts5Tokenizer **out) {
    (void)arguments;
    if (count != 0)
        return SQLITE_ERROR;
    *out = context;
    return SQLITE_OK;
}

static void fts_delete(Fts5Tokenizer *tokenizer) {
    (void)tokenizer;
}

static int fts_tokenize(Fts5Tokenizer *tokenizer, void *context, int flags, const char *text,
                        int length, fts_token_taker *taker) {
    fts_run run = {
        .words = (search_fts_words *)(void *)tokenizer, .taker = taker, .context = context};
    core_slice slice = core_slice_make(text, length > 0 ? (size_t)length : 0);
    if ((flags & FTS5_TOKENIZE_QUERY) != 0)
        return expression_run(&run, slice);
    return run.words->tokenizer != NULL ? document_run(&run, slice) : SQLITE_MISUSE;
}

bool search_fts_register(sqlite3 *database, search_fts_words *words) {
    fts5_tokenizer calls = {
        .xCreate = fts_create, .xDelete = fts_delete, .xTokenize = fts_tokenize};
    fts5_api *api = search_fts_api(database);
    return api != NULL && api->xCreateTokenizer(api, "walcast", words, &calls, NULL) == SQLITE_OK;
}
