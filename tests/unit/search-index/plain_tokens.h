/* A token source that can be seen through: letters and digits of ASCII and two-byte characters make
 * words, in lower case; three-byte characters make pairs; `the`, `of` and `to` are stop-words; a
 * final `s` is cut off as the stem. For tests of what stands on a token source. */
#ifndef WALCAST_TESTS_UNIT_SEARCH_INDEX_PLAIN_TOKENS_H
#define WALCAST_TESTS_UNIT_SEARCH_INDEX_PLAIN_TOKENS_H

#include "search-index/letter.h"
#include "search-index/tokenizer.h"

typedef struct {
    core_slice text;
    search_tokens_kind kind;
    search_token_taker *taker;
    void *context;
} plain_tokens_run;

static inline bool plain_is_wide(core_slice text, size_t at) {
    return at < text.length && text.data[at] >= 0xE0;
}

static inline bool plain_is_word(core_slice text, size_t at) {
    uint8_t byte = at < text.length ? text.data[at] : 0;
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
           (byte >= 0x80 && byte < 0xE0);
}

static inline size_t plain_wide_length(core_slice text, size_t at) {
    size_t length = search_letter_length(text.data[at]);
    return length < text.length - at ? length : text.length - at;
}

static inline bool plain_word_give(const plain_tokens_run *run, size_t start, size_t end) {
    uint8_t word[SEARCH_WORD_BYTES_MAX];
    size_t length = end - start < sizeof word ? end - start : sizeof word;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = run->text.data[start + i];
        word[i] = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
    }
    search_token token = {.text = core_slice_make(word, length), .start = start, .end = end};
    token.is_stop = core_slice_is(token.text, "the") || core_slice_is(token.text, "of") ||
                    core_slice_is(token.text, "to");
    if (token.is_stop && run->kind == SEARCH_TOKENS_INDEX)
        return true;
    if (!run->taker(run->context, &token))
        return false;
    token.is_stem = length > 2 && word[length - 1] == 's' && !token.is_stop;
    token.text.length--;
    return !token.is_stem || run->taker(run->context, &token);
}

static inline bool plain_pair_give(const plain_tokens_run *run, size_t start, size_t first) {
    size_t end = start + first;
    if (plain_is_wide(run->text, end))
        end += plain_wide_length(run->text, end);
    search_token token = {.text = core_slice_make(run->text.data + start, end - start),
                          .start = start,
                          .end = end,
                          .is_pair = true};
    return run->taker(run->context, &token);
}

static inline bool plain_tokens_take(void *context, core_slice text, search_tokens_kind kind,
                                     search_token_taker *taker, void *taker_context) {
    plain_tokens_run run = {.text = text, .kind = kind, .taker = taker, .context = taker_context};
    (void)context;
    for (size_t at = 0; at < text.length;) {
        size_t start = at;
        while (plain_is_word(text, at))
            at++;
        if (at > start && !plain_word_give(&run, start, at))
            return true;
        if (at > start)
            continue;
        size_t length = plain_is_wide(text, at) ? plain_wide_length(text, at) : 1;
        if (plain_is_wide(text, at) && !plain_pair_give(&run, at, length))
            return true;
        at += length;
    }
    return true;
}

static inline search_token_source plain_tokens(void) {
    return (search_token_source){.context = NULL, .run = plain_tokens_take};
}

#endif
