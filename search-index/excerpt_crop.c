/* Which words of a text a crop shows; see excerpt.h. */
#include "search-index/excerpt_private.h"

enum { CROP_DISTANCE_MAX = 7 };

/* How good a stretch of matches is: greater is better, the first figure counts most. */
typedef struct {
    int words; /* different ones of the query */
    int closeness;
    int order;
} crop_score;

/* Tokens that are shown: from `from` up to, not with, `to`. */
typedef struct {
    uint32_t from;
    uint32_t to;
    uint32_t left; /* words that may be added */
} crop_window;

static int score_compare(const crop_score *a, const crop_score *b) {
    if (a->words != b->words)
        return a->words - b->words;
    if (a->closeness != b->closeness)
        return a->closeness - b->closeness;
    return a->order - b->order;
}

static int lowest_bit(uint64_t bits) {
    return bits != 0 ? __builtin_ctzll(bits) : 64;
}

static crop_score stretch_score(const search_match *first, const search_match *last) {
    crop_score score = {.words = 0};
    uint64_t words = 0;
    for (const search_match *match = first; match <= last; match++) {
        int inner = (int)(match->last_word - match->first_word);
        words |= match->words;
        score.order += inner;
        score.closeness -= inner;
        if (match == last)
            break;
        int distance = (int)(match[1].first_word - match->last_word);
        score.closeness -= distance < CROP_DISTANCE_MAX ? distance : CROP_DISTANCE_MAX;
        score.order += lowest_bit(match[1].words) > lowest_bit(match->words);
    }
    score.words = __builtin_popcountll(words);
    return score;
}

/* The best stretch within `length` words; a match that is longer by itself stands when none fits.
 */
static void stretch_find(const search_excerpt *excerpt, uint32_t length, const search_match **first,
                         const search_match **last) {
    const search_match *end = excerpt->matches + excerpt->match_count;
    const search_match *to = excerpt->matches;
    crop_score best = {.words = 0};
    *first = *last = excerpt->matches;
    for (const search_match *from = excerpt->matches; from < end; from++) {
        if (to < from)
            to = from;
        if (from->last_word - from->first_word >= length)
            continue;
        const search_match *before = to;
        while (to + 1 < end && to[1].last_word - from->first_word < length)
            to++;
        if (to == before && from > excerpt->matches && best.words > 0)
            continue; /* the stretch before has all of this one */
        crop_score score = stretch_score(from, to);
        if (best.words != 0 && score_compare(&score, &best) <= 0)
            continue;
        best = score;
        *first = from;
        *last = to;
    }
}

static bool is_word_at(const search_excerpt *excerpt, uint32_t at) {
    return excerpt->tokens[at].is_word;
}

/* One step outwards where both sides have something. */
static void both_grow(const search_excerpt *excerpt, crop_window *window) {
    const excerpt_token *before = &excerpt->tokens[window->from - 1];
    const excerpt_token *after = &excerpt->tokens[window->to];
    if (before->is_word) {
        window->from--;
        window->left--;
        if (after->is_word && window->left > 0) {
            window->to++;
            window->left--;
        }
    } else if (after->is_word) {
        window->to++;
        window->left--;
    } else if (before->is_hard == after->is_hard) {
        window->from--;
        /* A crop does not end in what is between words. */
        window->to += window->left > 1;
    } else if (before->is_hard) {
        window->to++;
    } else {
        window->from--;
    }
}

static void window_grow(const search_excerpt *excerpt, crop_window *window) {
    while (window->left > 0) {
        bool has_before = window->from > 0;
        bool has_after = window->to < excerpt->token_count;
        if (has_before && has_after)
            both_grow(excerpt, window);
        else if (has_before)
            window->left -= is_word_at(excerpt, --window->from);
        else if (has_after)
            window->left -= is_word_at(excerpt, window->to++);
        else
            break;
    }
}

/* A phrase of more words than the crop has: its first ones. */
static void window_cut(const search_excerpt *excerpt, const search_match *match, uint32_t length,
                       crop_window *window) {
    *window = (crop_window){.from = match->first_token, .to = match->first_token};
    for (uint32_t words = 0; words < length; window->to++)
        words += is_word_at(excerpt, window->to);
}

void excerpt_crop(const search_excerpt *excerpt, uint32_t length, size_t *start, size_t *end) {
    crop_window window = {.left = length};
    if (excerpt->match_count > 0) {
        const search_match *first;
        const search_match *last;
        stretch_find(excerpt, length, &first, &last);
        uint32_t words = last->last_word - first->first_word + 1;
        if (words > length)
            window_cut(excerpt, first, length, &window);
        else
            window = (crop_window){
                .from = first->first_token, .to = last->last_token + 1, .left = length - words};
    }
    window_grow(excerpt, &window);
    *start = window.from > 0 ? excerpt->tokens[window.from - 1].end : 0;
    *end =
        window.to < excerpt->token_count ? excerpt->tokens[window.to].start : excerpt->text.length;
}
