/* A query's text in words, phrases and clauses; see words.h.
 *
 * The text is walked from quote to quote. What is outside of quotes goes through the tokenizer as a
 * whole, and each word that comes out is judged by the bytes around it: a `-` in front, an operator
 * in its place, another piece of the same run. */
#include "search-index/words.h"

#include "search-index/letter.h"

enum { WORDS_PARTS_MAX = SEARCH_QUERY_PARTS_MAX + SEARCH_QUERY_NEGATIVES_MAX };

/* The part that is being put together. */
typedef struct {
    search_word words[SEARCH_PHRASE_WORDS_MAX];
    uint32_t count;
    size_t start;
    size_t end;
    bool is_negative;
    bool is_quoted;
    bool is_tail; /* its last word lies within the one before: the end of a run of pairs */
} words_open;

typedef struct {
    core_arena *arena;
    core_slice text;
    const search_words_options *options;
    core_error *error;
    bool failed;
    search_words *words;
    search_clause clauses[SEARCH_QUERY_CLAUSES_MAX];
    search_part parts[WORDS_PARTS_MAX]; /* of the clause that is open */
    uint32_t part_count;
    uint32_t positive_count;
    uint32_t negative_count; /* of all clauses */
    words_open open;
    size_t base;        /* of what the tokenizer works on, in the text */
    bool negates_next;  /* NOT came */
    bool has_stem_next; /* the word that a stem would belong to was taken */
    words_open stop;    /* the last stop-word outside of quotes */
} words_reader;

static bool reader_full(words_reader *reader) {
    reader->failed = true;
    return core_error_set(reader->error, CORE_ERROR_LIMIT,
                          "The query takes more memory than a request may.");
}

static bool is_blank_at(core_slice text, size_t at) {
    return text.data[at] <= ' ';
}

/* A `-` that stands in front of `at` and has nothing, or a blank, in front of itself. */
static bool is_negated_at(core_slice text, size_t at) {
    return at > 0 && text.data[at - 1] == '-' && (at == 1 || is_blank_at(text, at - 2));
}

static bool keep(words_reader *reader, core_slice text, core_slice *kept) {
    *kept = core_arena_copy(reader->arena, text);
    return kept->data != NULL || reader_full(reader);
}

/* ---- Parts ---- */
/* Whether there is room for one more; if not, the query is cut. */
static bool part_fits(words_reader *reader, bool is_negative) {
    bool fits = is_negative ? reader->negative_count < SEARCH_QUERY_NEGATIVES_MAX
                            : reader->words->positive_count < SEARCH_QUERY_PARTS_MAX;
    reader->words->is_cut = reader->words->is_cut || !fits;
    return fits;
}

/* A word that may go on: the last of the text, or one character of a script without blanks, which
 * the index has as the beginning of pairs. */
static bool is_prefix(const words_reader *reader, const words_open *open) {
    const search_word *word = &open->words[0];
    if (open->count != 1)
        return false;
    if (word->is_pair)
        return search_letter_length(word->text.data[0]) == word->text.length;
    return reader->options->has_prefix_search && open->end == reader->text.length &&
           !open->is_quoted && !open->is_negative;
}

static bool part_put(words_reader *reader, const words_open *open, bool must_go_on) {
    if (!part_fits(reader, open->is_negative))
        return true;
    search_word *words = core_arena_array(reader->arena, open->count, sizeof *words);
    if (words == NULL)
        return reader_full(reader);
    memcpy(words, open->words, open->count * sizeof *words);
    reader->parts[reader->part_count++] = (search_part){
        .words = words,
        .word_count = open->count,
        .number = open->is_negative ? 0 : reader->words->positive_count,
        .is_negative = open->is_negative,
        .is_quoted = open->is_quoted,
        .is_prefix = must_go_on || is_prefix(reader, open),
        .start = open->start,
        .end = open->end,
    };
    if (open->is_negative) {
        reader->negative_count++;
        return true;
    }
    reader->positive_count++;
    reader->words->positive_count++;
    return true;
}

static bool open_close(words_reader *reader) {
    words_open *open = &reader->open;
    uint32_t count = open->count;
    /* The last character of a run is in the pair before it. */
    if (count > 1 && open->is_tail)
        open->count--;
    bool ok = count == 0 || part_put(reader, open, false);
    *open = (words_open){.count = 0};
    return ok;
}

/* ---- Clauses ---- */
static bool clause_close(words_reader *reader) {
    if (reader->part_count == 0)
        return true;
    if (reader->words->clause_count == SEARCH_QUERY_CLAUSES_MAX) {
        reader->words->is_cut = true;
        reader->words->positive_count -= reader->positive_count;
    } else {
        search_part *parts = core_arena_array(reader->arena, reader->part_count, sizeof *parts);
        if (parts == NULL)
            return reader_full(reader);
        memcpy(parts, reader->parts, reader->part_count * sizeof *parts);
        search_clause *clause = &reader->clauses[reader->words->clause_count++];
        *clause = (search_clause){
            .parts = parts,
            .part_count = reader->part_count,
            .positive_count = reader->positive_count,
        };
        if (reader->options->synonyms != NULL &&
            !search_alternatives_find(reader->arena, reader->options->synonyms, clause))
            return reader_full(reader);
    }
    reader->part_count = 0;
    reader->positive_count = 0;
    return true;
}

/* `OR`, `NOT` and `AND`, written large, between blanks. */
static bool operator_take(words_reader *reader, const search_token *token, bool *is_operator) {
    core_slice raw =
        core_slice_make(reader->text.data + reader->base + token->start, token->end - token->start);
    size_t start = reader->base + token->start;
    size_t end = reader->base + token->end;
    *is_operator = reader->options->is_boolean &&
                   (start == 0 || is_blank_at(reader->text, start - 1)) &&
                   (end == reader->text.length || is_blank_at(reader->text, end) ||
                    reader->text.data[end] == '"');
    if (!*is_operator)
        return true;
    if (core_slice_is(raw, "OR")) {
        reader->negates_next = false;
        return open_close(reader) && clause_close(reader);
    }
    *is_operator = core_slice_is(raw, "NOT") || core_slice_is(raw, "AND");
    if (*is_operator)
        reader->negates_next = core_slice_is(raw, "NOT");
    return true;
}

/* ---- Words ---- */
static bool word_put(words_reader *reader, words_open *open, const search_token *token) {
    size_t end = reader->base + token->end;
    reader->has_stem_next = false;
    if (open->count == SEARCH_PHRASE_WORDS_MAX) {
        reader->words->is_cut = true;
        return true;
    }
    if (open->count == 0)
        open->start = reader->base + token->start;
    search_word *word = &open->words[open->count];
    *word = (search_word){.is_pair = token->is_pair};
    if (!keep(reader, token->text, &word->text))
        return false;
    open->is_tail = token->is_pair && open->count > 0 && end == open->end;
    open->end = end;
    open->count++;
    reader->has_stem_next = !open->is_quoted;
    return true;
}

static bool stem_put(words_reader *reader, const search_token *token) {
    words_open *open = &reader->open;
    if (!reader->has_stem_next || open->count == 0)
        return true;
    return keep(reader, token->text, &open->words[open->count - 1].stem);
}

/* A pair that lies over the one before: the same run. */
static bool is_same_run(const words_open *open, const search_token *token, size_t start) {
    return token->is_pair && open->count > 0 && open->words[open->count - 1].is_pair &&
           start < open->end;
}

static bool plain_put(words_reader *reader, const search_token *token) {
    size_t start = reader->base + token->start;
    bool is_operator;
    if (token->is_stem)
        return stem_put(reader, token);
    if (is_same_run(&reader->open, token, start))
        return word_put(reader, &reader->open, token);
    reader->has_stem_next = false;
    if (!open_close(reader) || !operator_take(reader, token, &is_operator))
        return false;
    if (is_operator)
        return true;
    bool is_negative = reader->negates_next || is_negated_at(reader->text, start);
    reader->negates_next = false;
    if (!token->is_stop) {
        reader->open.is_negative = is_negative;
        return word_put(reader, &reader->open, token);
    }
    if (is_negative)
        return true;
    reader->stop = (words_open){.count = 0};
    bool ok = word_put(reader, &reader->stop, token);
    reader->has_stem_next = false;
    return ok;
}

static bool plain_take(void *context, const search_token *token) {
    return plain_put(context, token);
}

static bool quoted_take(void *context, const search_token *token) {
    words_reader *reader = context;
    return token->is_stem || token->is_stop || word_put(reader, &reader->open, token);
}

/* The text from `start` to `end`, all of it within quotes or all outside. */
static bool piece_read(words_reader *reader, size_t start, size_t end, bool is_quoted) {
    const search_token_source *source = &reader->options->source;
    reader->base = start;
    if (is_quoted) {
        reader->open.is_quoted = true;
        reader->open.is_negative = reader->negates_next || is_negated_at(reader->text, start - 1);
        reader->negates_next = false;
    }
    core_slice piece = core_slice_make(reader->text.data + start, end - start);
    if (!source->run(source->context, piece, SEARCH_TOKENS_ALL,
                     is_quoted ? quoted_take : plain_take, reader))
        reader->failed = reader->failed || !reader_full(reader);
    return !reader->failed && open_close(reader);
}

static bool pieces_read(words_reader *reader) {
    bool is_quoted = false;
    for (size_t start = 0; start <= reader->text.length; is_quoted = !is_quoted) {
        size_t end = start;
        while (end < reader->text.length && reader->text.data[end] != '"')
            end++;
        if (!piece_read(reader, start, end, is_quoted))
            return false;
        start = end + 1;
    }
    return true;
}

/* Nothing but stop-words: the last of them, as the beginning of another word. */
static bool stop_put(words_reader *reader) {
    if (reader->stop.count == 0 || reader->part_count > 0 || reader->words->clause_count > 0 ||
        !reader->options->has_prefix_search)
        return true;
    return part_put(reader, &reader->stop, true);
}

static core_slice text_cut(core_slice text, bool *is_cut) {
    *is_cut = text.length > SEARCH_QUERY_BYTES_MAX;
    if (!*is_cut)
        return text;
    size_t length = SEARCH_QUERY_BYTES_MAX;
    while (length > SEARCH_QUERY_BYTES_MAX - 4 && (text.data[length] & 0xC0) == 0x80)
        length--;
    return core_slice_make(text.data, length);
}

static bool clauses_keep(words_reader *reader) {
    uint32_t count = reader->words->clause_count;
    search_clause *clauses = core_arena_array(reader->arena, count + 1, sizeof *clauses);
    if (clauses == NULL)
        return reader_full(reader);
    memcpy(clauses, reader->clauses, count * sizeof *clauses);
    reader->words->clauses = clauses;
    return true;
}

bool search_words_read(core_arena *arena, core_slice text, const search_words_options *options,
                       const search_words **words, core_error *error) {
    words_reader *reader = core_arena_alloc(arena, sizeof *reader);
    search_words *result = core_arena_alloc(arena, sizeof *result);
    if (reader == NULL || result == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "The query takes more memory than a request may.");
    reader->arena = arena;
    reader->text = text_cut(text, &result->is_cut);
    reader->options = options;
    reader->error = error;
    reader->words = result;
    *words = result;
    return pieces_read(reader) && stop_put(reader) && clause_close(reader) && clauses_keep(reader);
}
