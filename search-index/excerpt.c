/* What was found in a text, and the text with it highlighted; see excerpt.h. */
#include "search-index/excerpt_private.h"

#include "search-index/letter.h"

#include <stdlib.h>

/* ---- Terms ---- */
static int text_compare(const void *a, const void *b) {
    return core_slice_compare(((const excerpt_term *)a)->text, ((const excerpt_term *)b)->text);
}

static uint32_t text_find(const search_excerpt *excerpt, core_slice text) {
    excerpt_term wanted = {.text = text};
    const excerpt_term *found =
        bsearch(&wanted, excerpt->texts, excerpt->text_count, sizeof wanted, text_compare);
    return found != NULL ? (uint32_t)(found - excerpt->texts) : EXCERPT_NO_TERM;
}

static uint64_t word_bit(const search_match_term *term) {
    return UINT64_C(1) << (term->word & 63);
}

/* Whether the term is neither a beginning nor part of a phrase. */
static bool is_alone(const search_excerpt *excerpt, uint32_t at) {
    return !excerpt->terms[at].is_prefix && excerpt->terms[at].phrase_left == 0 &&
           (at == 0 || excerpt->terms[at - 1].phrase_left == 0);
}

static void texts_make(search_excerpt *excerpt) {
    for (uint32_t i = 0; i < excerpt->term_count; i++)
        excerpt->texts[i].text = excerpt->terms[i].text;
    qsort(excerpt->texts, excerpt->term_count, sizeof *excerpt->texts, text_compare);
    for (uint32_t i = 0; i < excerpt->term_count; i++)
        if (i == 0 || text_compare(&excerpt->texts[excerpt->text_count - 1], &excerpt->texts[i]))
            excerpt->texts[excerpt->text_count++] = excerpt->texts[i];
    for (uint32_t i = 0; i < excerpt->term_count; i++) {
        excerpt->term_texts[i] = text_find(excerpt, excerpt->terms[i].text);
        if (is_alone(excerpt, i))
            excerpt->texts[excerpt->term_texts[i]].words |= word_bit(&excerpt->terms[i]);
    }
}

search_excerpt *search_excerpt_new(search_token_source source, const search_match_term *terms,
                                   uint32_t term_count) {
    search_excerpt *excerpt = calloc(1, sizeof *excerpt);
    if (excerpt == NULL)
        return NULL;
    excerpt->source = source;
    excerpt->terms = terms;
    excerpt->term_count = term_count;
    excerpt->texts = calloc((size_t)term_count + 1, sizeof *excerpt->texts);
    excerpt->term_texts = calloc((size_t)term_count + 1, sizeof *excerpt->term_texts);
    if (excerpt->texts == NULL || excerpt->term_texts == NULL) {
        search_excerpt_free(excerpt);
        return NULL;
    }
    texts_make(excerpt);
    return excerpt;
}

void search_excerpt_free(search_excerpt *excerpt) {
    if (excerpt == NULL)
        return;
    free(excerpt->texts);
    free(excerpt->term_texts);
    free(excerpt->tokens);
    free(excerpt->matches);
    free(excerpt);
}

/* ---- Words of the text ---- */
static excerpt_token *token_put(search_excerpt *excerpt, size_t start, size_t end) {
    if (excerpt->token_count == excerpt->token_capacity) {
        uint32_t capacity = excerpt->token_capacity * 2 + 64;
        excerpt_token *tokens = realloc(excerpt->tokens, capacity * sizeof *tokens);
        if (tokens == NULL) {
            excerpt->failed = true;
            return NULL;
        }
        excerpt->tokens = tokens;
        excerpt->token_capacity = capacity;
    }
    excerpt_token *token = &excerpt->tokens[excerpt->token_count++];
    *token = (excerpt_token){.start = start,
                             .end = end,
                             .full_end = end,
                             .word = excerpt->word_count,
                             .term = EXCERPT_NO_TERM,
                             .stem = EXCERPT_NO_TERM};
    return token;
}

static bool has_hard_sign(core_slice text) {
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] == '\n' || strchr(".,;!?()[]{}\"", text.data[i]) != NULL)
            return true;
    return memmem(text.data, text.length, "。", 3) != NULL ||
           memmem(text.data, text.length, "、", 3) != NULL;
}

/* What stands between the last word and `end`. */
static bool between_put(search_excerpt *excerpt, size_t end) {
    size_t start = excerpt->token_count > 0 ? excerpt->tokens[excerpt->token_count - 1].end : 0;
    if (start >= end)
        return true;
    excerpt_token *token = token_put(excerpt, start, end);
    if (token != NULL)
        token->is_hard = has_hard_sign(core_slice_make(excerpt->text.data + start, end - start));
    return token != NULL;
}

/* The longest term that the word begins with. */
static void prefixes_find(const search_excerpt *excerpt, core_slice text, excerpt_token *token) {
    for (uint32_t i = 0; i < excerpt->term_count; i++) {
        const search_match_term *term = &excerpt->terms[i];
        if (!term->is_prefix || term->text.length == 0 || !core_slice_begins(text, term->text))
            continue;
        uint32_t characters = (uint32_t)search_letter_count(term->text);
        token->prefix = characters > token->prefix ? characters : token->prefix;
        token->prefix_words |= word_bit(term);
    }
}

static bool word_take(void *context, const search_token *token) {
    search_excerpt *excerpt = context;
    excerpt_token *last =
        excerpt->token_count > 0 ? &excerpt->tokens[excerpt->token_count - 1] : NULL;
    if (token->is_stem) {
        if (last != NULL && last->is_word)
            last->stem = text_find(excerpt, token->text);
        return true;
    }
    if (excerpt->word_count == SEARCH_EXCERPT_WORDS_MAX)
        return false;
    /* Of two pairs that lie over one another the first counts up to the second. */
    if (last != NULL && last->is_word && last->end > token->start)
        last->end = token->start;
    if (!between_put(excerpt, token->start))
        return false;
    excerpt_token *word = token_put(excerpt, token->start, token->end);
    if (word == NULL)
        return false;
    excerpt->word_count++;
    word->is_word = true;
    word->is_stop = token->is_stop;
    word->term = text_find(excerpt, token->text);
    prefixes_find(excerpt, token->text, word);
    return true;
}

/* ---- Matches ---- */
static bool match_put(search_excerpt *excerpt, search_match match) {
    if (excerpt->match_count == excerpt->match_capacity) {
        uint32_t capacity = excerpt->match_capacity * 2 + 16;
        search_match *matches = realloc(excerpt->matches, capacity * sizeof *matches);
        if (matches == NULL)
            return !(excerpt->failed = true);
        excerpt->matches = matches;
        excerpt->match_capacity = capacity;
    }
    match.first_word = excerpt->tokens[match.first_token].word;
    match.last_word = excerpt->tokens[match.last_token].word;
    match.start = excerpt->tokens[match.first_token].start;
    match.word_end = excerpt->tokens[match.last_token].full_end;
    excerpt->matches[excerpt->match_count++] = match;
    return true;
}

static bool is_term_at(const search_excerpt *excerpt, uint32_t at, uint32_t term) {
    const excerpt_token *token = &excerpt->tokens[at];
    uint32_t text = excerpt->term_texts[term];
    return token->is_word && (token->term == text || token->stem == text);
}

/* Whether the phrase that begins with the term stands at the token; `*last` is its last one. */
static bool phrase_stands(const search_excerpt *excerpt, uint32_t term, uint32_t at,
                          uint32_t *last) {
    uint32_t count = excerpt->terms[term].phrase_left + 1;
    for (uint32_t found = 0; at < excerpt->token_count; at++) {
        bool is_here = is_term_at(excerpt, at, term + found);
        if (excerpt->tokens[at].is_word && !is_here && !excerpt->tokens[at].is_stop)
            return false;
        if (!is_here)
            continue;
        *last = at;
        if (++found == count)
            return true;
    }
    return false;
}

/* The longest phrase that begins at the token. */
static bool phrase_find(const search_excerpt *excerpt, uint32_t at, search_match *match) {
    bool is_found = false;
    for (uint32_t i = 0; i < excerpt->term_count; i += excerpt->terms[i].phrase_left + 1) {
        uint32_t last;
        uint32_t left = excerpt->terms[i].phrase_left;
        if (left >= excerpt->term_count - i)
            break; /* not a whole phrase */
        if (left == 0 || !is_term_at(excerpt, at, i) || !phrase_stands(excerpt, i, at, &last) ||
            (is_found && last <= match->last_token))
            continue;
        *match = (search_match){.first_token = at, .last_token = last};
        match->words = word_bit(&excerpt->terms[i]);
        match->end = excerpt->tokens[last].full_end;
        is_found = true;
    }
    return is_found;
}

static bool is_combining(uint32_t letter) {
    return letter >= 0x300 && letter <= 0x36F;
}

/* Behind `count` characters of the word, and the marks that belong to the last. */
static size_t characters_end(core_slice text, size_t start, size_t end, uint32_t count) {
    core_slice word = core_slice_make(text.data, end);
    size_t at = start;
    while (at < end) {
        size_t next = at;
        if (!is_combining(search_letter_next(word, &next)) && count-- == 0)
            break;
        at = next;
    }
    return at;
}

static bool word_find(const search_excerpt *excerpt, uint32_t at, search_match *match) {
    const excerpt_token *token = &excerpt->tokens[at];
    uint64_t whole = token->term != EXCERPT_NO_TERM ? excerpt->texts[token->term].words : 0;
    whole |= token->stem != EXCERPT_NO_TERM ? excerpt->texts[token->stem].words : 0;
    *match = (search_match){.first_token = at, .last_token = at};
    match->words = whole | token->prefix_words;
    match->end = whole != 0
                     ? token->full_end
                     : characters_end(excerpt->text, token->start, token->full_end, token->prefix);
    return match->words != 0;
}

static void matches_find(search_excerpt *excerpt) {
    for (uint32_t at = 0; at < excerpt->token_count; at++) {
        search_match match;
        if (!excerpt->tokens[at].is_word)
            continue;
        if (!phrase_find(excerpt, at, &match) && !word_find(excerpt, at, &match))
            continue;
        if (excerpt->match_count == SEARCH_EXCERPT_MATCHES_MAX || !match_put(excerpt, match))
            return;
        at = match.last_token;
    }
}

bool search_excerpt_look(search_excerpt *excerpt, core_slice text) {
    excerpt->text = text;
    excerpt->token_count = 0;
    excerpt->word_count = 0;
    excerpt->match_count = 0;
    excerpt->failed = false;
    if (!excerpt->source.run(excerpt->source.context, text, SEARCH_TOKENS_ALL, word_take, excerpt))
        return false;
    if (!excerpt->failed)
        (void)between_put(excerpt, text.length);
    if (!excerpt->failed)
        matches_find(excerpt);
    return !excerpt->failed;
}

const search_match *search_excerpt_matches(const search_excerpt *excerpt, uint32_t *count) {
    *count = excerpt->match_count;
    return excerpt->matches;
}

/* ---- The text ---- */
static void part_write(const search_excerpt *excerpt, size_t start, size_t end, core_buffer *out) {
    if (start < end)
        core_buffer_append(out, excerpt->text.data + start, end - start);
}

static size_t within(size_t at, size_t start, size_t end) {
    return at < start ? start : at > end ? end : at;
}

/* The text from `start` to `end` with its matches highlighted. */
static void highlighted_write(const search_excerpt *excerpt, const search_excerpt_options *options,
                              size_t start, size_t end, core_buffer *out) {
    size_t at = start;
    for (uint32_t i = 0; i < excerpt->match_count; i++) {
        const search_match *match = &excerpt->matches[i];
        size_t from = within(match->start, at, end);
        size_t to = within(match->end, at, end);
        if (from >= to)
            continue;
        part_write(excerpt, at, from, out);
        core_buffer_slice_append(out, options->highlight_pre);
        part_write(excerpt, from, to, out);
        core_buffer_slice_append(out, options->highlight_post);
        at = to;
    }
    part_write(excerpt, at, end, out);
}

void search_excerpt_write(const search_excerpt *excerpt, const search_excerpt_options *options,
                          core_buffer *out) {
    size_t start = 0;
    size_t end = excerpt->text.length;
    if (options->crop_length > 0)
        excerpt_crop(excerpt, options->crop_length, &start, &end);
    if (start > 0)
        core_buffer_slice_append(out, options->crop_marker);
    if (options->is_highlighted)
        highlighted_write(excerpt, options, start, end, out);
    else
        part_write(excerpt, start, end, out);
    if (end < excerpt->text.length)
        core_buffer_slice_append(out, options->crop_marker);
}
