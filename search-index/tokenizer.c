/* Words from text. Plain ASCII is taken here, a byte at a time; stretches with other characters go
 * through SQLite's unicode61, which knows Unicode's classes and cases; what it gives of scripts
 * without blanks is cut into pairs. */
#include "search-index/tokenizer_fts.h"

#include "search-index/language.h"
#include "search-index/script.h"
#include "search-index/word_set.h"

#include <sqlite3.h>
#include <stdlib.h>

#define TOKENIZER_MAGIC  0x53544F4Bu
#define ARGUMENT_MAX     (SEARCH_SEPARATORS_MAX * 4 + 1)
#define CASE_BIT         0x20
#define STOP_ARENA_BYTES ((size_t)4 << 20)

struct search_tokenizer {
    uint32_t magic;
    search_schema *schema;
    sqlite3 *database; /* in memory and empty: unicode61 is had by a connection only */
    fts5_tokenizer unicode;
    Fts5Tokenizer *instance;
    Fts5Tokenizer *inner;    /* while `instance` is at work: it keeps the word it gave in itself */
    search_stemmer *stemmer; /* NULL: words are not stemmed */
    core_arena arena;
    search_word_set stops;
    bool is_word[128];
};

/* One call of search_tokenizer_run. */
typedef struct {
    search_tokenizer *tokenizer;
    core_slice text;
    size_t base; /* of the stretch that unicode61 has now */
    search_tokens_kind kind;
    search_token_taker *taker;
    void *context;
    bool is_inner; /* unicode61 has a part of one of its own tokens */
    bool is_enough;
    bool is_failed;
} token_run;

/* ---- One word ---- */
static core_slice word_cut(core_slice word) {
    if (word.length <= SEARCH_WORD_BYTES_MAX)
        return word;
    size_t length = SEARCH_WORD_BYTES_MAX;
    while (length > SEARCH_WORD_BYTES_MAX - 4 && (word.data[length] & 0xC0) == 0x80)
        length--;
    return core_slice_make(word.data, length);
}

static void token_give(token_run *run, const search_token *token) {
    if (!run->is_enough && !run->taker(run->context, token))
        run->is_enough = true;
}

static void word_emit(token_run *run, core_slice word, size_t start, size_t end) {
    search_tokenizer *tokenizer = run->tokenizer;
    search_token token = {.text = word_cut(word), .start = start, .end = end};
    token.is_stop = search_word_set_has(&tokenizer->stops, token.text);
    if (token.is_stop && run->kind == SEARCH_TOKENS_INDEX)
        return;
    token_give(run, &token);
    if (tokenizer->stemmer == NULL || token.is_stop)
        return;
    core_slice stem = search_stemmer_stem(tokenizer->stemmer, token.text);
    if (core_slice_equal(stem, token.text))
        return;
    token.text = stem;
    token.is_stem = true;
    token_give(run, &token);
}

/* ASCII only: `start` to `end`. */
static void ascii_emit(token_run *run, size_t start, size_t end) {
    uint8_t word[SEARCH_WORD_BYTES_MAX];
    size_t length = end - start < sizeof word ? end - start : sizeof word;
    for (size_t i = 0; i < length; i++) {
        uint8_t c = run->text.data[start + i];
        word[i] = c >= 'A' && c <= 'Z' ? c | CASE_BIT : c;
    }
    word_emit(run, core_slice_make(word, length), start, end);
}

/* ---- Scripts without blanks ---- */
static size_t character_length(core_slice text, size_t at) {
    uint8_t lead = text.data[at];
    size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return length < text.length - at ? length : text.length - at;
}

static uint32_t character_at(core_slice text, size_t at, size_t length) {
    static const uint8_t bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t c = text.data[at] & bits[length];
    for (size_t i = 1; i < length; i++)
        c = c << 6 | (text.data[at + i] & 0x3F);
    return c;
}

static bool is_paired_at(core_slice text, size_t at, size_t *length) {
    *length = character_length(text, at);
    return *length >= 3 && search_script_is_paired(character_at(text, at, *length));
}

/* From `start` to `end` all are of such scripts: each with its next, the last by itself. */
static void pairs_emit(token_run *run, size_t start, size_t end) {
    for (size_t at = start; at < end && !run->is_enough;) {
        size_t first = character_length(run->text, at);
        size_t second = at + first < end ? character_length(run->text, at + first) : 0;
        search_token token = {.text = core_slice_make(run->text.data + at, first + second),
                              .start = at,
                              .end = at + first + second,
                              .is_pair = true};
        token_give(run, &token);
        at += first;
    }
}

static void unicode_run(token_run *run, size_t start, size_t end);

/* What unicode61 took for one word, as the text has it, in runs of either kind. */
static void mixed_emit(token_run *run, size_t start, size_t end) {
    for (size_t at = start; at < end && !run->is_enough;) {
        size_t from = at, length;
        bool is_paired = is_paired_at(run->text, at, &length);
        do
            at += length;
        while (at < end && is_paired_at(run->text, at, &length) == is_paired);
        if (at > end)
            at = end;
        if (is_paired)
            pairs_emit(run, from, at);
        else
            unicode_run(run, from, at);
    }
}

/* ---- unicode61 ---- */
static int unicode_take(void *context, int flags, const char *token, int length, int start,
                        int end) {
    token_run *run = context;
    (void)flags;
    if (run->is_enough)
        return SQLITE_DONE;
    core_slice word = core_slice_make(token, (size_t)length);
    size_t from = run->base + (size_t)start, to = run->base + (size_t)end;
    core_slice original = core_slice_make(run->text.data + from, to - from);
    if (run->is_inner || !search_script_may_be_paired(original)) {
        word_emit(run, word, from, to);
        return SQLITE_OK;
    }
    size_t base = run->base;
    run->is_inner = true;
    mixed_emit(run, from, to);
    run->is_inner = false;
    run->base = base;
    return SQLITE_OK;
}

static void unicode_run(token_run *run, size_t start, size_t end) {
    search_tokenizer *tokenizer = run->tokenizer;
    run->base = start;
    Fts5Tokenizer *instance = run->is_inner ? tokenizer->inner : tokenizer->instance;
    int code = tokenizer->unicode.xTokenize(instance, run, FTS5_TOKENIZE_DOCUMENT,
                                            (const char *)run->text.data + start,
                                            (int)(end - start), unicode_take);
    if (code != SQLITE_OK && code != SQLITE_DONE)
        run->is_failed = run->is_enough = true;
}

/* ---- A whole text ---- */
bool search_tokenizer_run(search_tokenizer *tokenizer, core_slice text, search_tokens_kind kind,
                          search_token_taker *taker, void *context) {
    CORE_MAGIC_CHECK(tokenizer, TOKENIZER_MAGIC);
    assert(text.length <= INT32_MAX);
    token_run run = {
        .tokenizer = tokenizer, .text = text, .kind = kind, .taker = taker, .context = context};
    const uint8_t *data = text.data;
    for (size_t at = 0; at < text.length && !run.is_enough;) {
        size_t from = at;
        while (at < text.length && data[at] < 0x80 && tokenizer->is_word[data[at]])
            at++;
        bool is_ascii = at == text.length || data[at] < 0x80;
        if (is_ascii && at == from) {
            at++;
        } else if (is_ascii) {
            ascii_emit(&run, from, at);
        } else {
            while (at < text.length && (data[at] >= 0x80 || tokenizer->is_word[data[at]]))
                at++;
            unicode_run(&run, from, at);
        }
    }
    return !run.is_failed;
}

static bool source_run(void *context, core_slice text, search_tokens_kind kind,
                       search_token_taker *taker, void *taker_context) {
    return search_tokenizer_run(context, text, kind, taker, taker_context);
}

search_token_source search_tokenizer_source(search_tokenizer *tokenizer) {
    CORE_MAGIC_CHECK(tokenizer, TOKENIZER_MAGIC);
    return (search_token_source){.context = tokenizer, .run = source_run};
}

/* ---- Making one ---- */
static void characters_join(const core_slice *list, size_t count, char text[ARGUMENT_MAX]) {
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(text + length, list[i].data, list[i].length);
        length += list[i].length;
    }
    text[length] = '\0';
}

static void classes_fill(search_tokenizer *tokenizer, const search_schema_spec *spec) {
    for (int c = 0; c < 128; c++)
        tokenizer->is_word[c] =
            (c >= '0' && c <= '9') || ((c | CASE_BIT) >= 'a' && (c | CASE_BIT) <= 'z');
    for (size_t i = 0; i < spec->non_separator_count; i++)
        if (spec->non_separators[i].data[0] < 0x80)
            tokenizer->is_word[spec->non_separators[i].data[0]] = true;
    for (size_t i = 0; i < spec->separator_count; i++)
        if (spec->separators[i].data[0] < 0x80)
            tokenizer->is_word[spec->separators[i].data[0]] = false;
}

/* Marks are letters here: without them unicode61 cuts words of Indian scripts at each vowel. */
static bool unicode_make(search_tokenizer *tokenizer, const search_schema_spec *spec) {
    char joined[ARGUMENT_MAX], apart[ARGUMENT_MAX];
    characters_join(spec->non_separators, spec->non_separator_count, joined);
    characters_join(spec->separators, spec->separator_count, apart);
    const char *arguments[] = {"remove_diacritics", "2",    "categories", "L* N* Co Mn Mc",
                               "tokenchars",        joined, "separators", apart};
    void *context = NULL;
    fts5_api *api = search_fts_api(tokenizer->database);
    if (api == NULL || api->xFindTokenizer(api, "unicode61", &context, &tokenizer->unicode) != 0)
        return false;
    int count = (int)CORE_COUNT_OF(arguments);
    return tokenizer->unicode.xCreate(context, arguments, count, &tokenizer->instance) == 0 &&
           tokenizer->unicode.xCreate(context, arguments, count, &tokenizer->inner) == 0;
}

static bool stop_take(void *context, const search_token *token) {
    search_tokenizer *tokenizer = context;
    return token->is_stem || 2 * tokenizer->stops.count + 2 >= tokenizer->stops.size ||
           search_word_set_add(&tokenizer->stops, &tokenizer->arena, token->text);
}

/* In the form in which words come: so it is filled by way of a run. */
static bool stops_fill(search_tokenizer *tokenizer, const search_schema_spec *spec) {
    if (!search_word_set_init(&tokenizer->stops, &tokenizer->arena, 2 * spec->stop_word_count))
        return false;
    for (size_t i = 0; i < spec->stop_word_count; i++)
        if (!search_tokenizer_run(tokenizer, spec->stop_words[i], SEARCH_TOKENS_ALL, stop_take,
                                  tokenizer))
            return false;
    return true;
}

static bool parts_make(search_tokenizer *tokenizer, core_error *error) {
    const search_schema_spec *spec = search_schema_get(tokenizer->schema);
    classes_fill(tokenizer, spec);
    if (sqlite3_open_v2(":memory:", &tokenizer->database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK ||
        !unicode_make(tokenizer, spec))
        return core_error_set(error, CORE_ERROR_INTERNAL,
                              "search tokenizer: SQLite %s has no FTS5 with a unicode61 tokenizer, "
                              "or memory is out",
                              sqlite3_libversion());
    if (!stops_fill(tokenizer, spec))
        return core_error_set(error, CORE_ERROR_INTERNAL, "search tokenizer: out of memory");
    if (spec->language.length == 0)
        return true;
    tokenizer->stemmer = search_stemmer_new(spec->language);
    return tokenizer->stemmer != NULL ||
           core_error_set(error, CORE_ERROR_INTERNAL, "search tokenizer: no stemmer for `%.*s`",
                          CORE_SLICE_ARGS(spec->language));
}

search_tokenizer *search_tokenizer_new(search_schema *schema, core_error *error) {
    search_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (tokenizer == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "search tokenizer: out of memory");
        return NULL;
    }
    tokenizer->magic = TOKENIZER_MAGIC;
    tokenizer->schema = search_schema_retain(schema);
    core_arena_init(&tokenizer->arena, 4096, STOP_ARENA_BYTES);
    if (parts_make(tokenizer, error))
        return tokenizer;
    search_tokenizer_free(tokenizer);
    return NULL;
}

void search_tokenizer_free(search_tokenizer *tokenizer) {
    if (tokenizer == NULL)
        return;
    CORE_MAGIC_CHECK(tokenizer, TOKENIZER_MAGIC);
    if (tokenizer->instance != NULL)
        tokenizer->unicode.xDelete(tokenizer->instance);
    if (tokenizer->inner != NULL)
        tokenizer->unicode.xDelete(tokenizer->inner);
    (void)sqlite3_close_v2(tokenizer->database);
    search_stemmer_free(tokenizer->stemmer);
    core_arena_fini(&tokenizer->arena);
    search_schema_release(tokenizer->schema);
    tokenizer->magic = 0;
    free(tokenizer);
}
