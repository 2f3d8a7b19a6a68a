/* Terms that are a typo away from a word; see terms.h.
 *
 * Each term is held against the word by its letters first, two operations on one integer, which
 * leaves a few in a hundred; those by their distance, a word of 64 bits for a whole column of the
 * usual table (H. Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit
 * distances", Nordic Journal of Computing 10, 2003). Terms with the word's first letter stand side
 * by side; all others have one edit less left, at distance 1 none. */
#include "search-index/terms_private.h"

#include "search-index/letter.h"

enum { ASCII = 128 };

/* The word, turned into what each letter means for the table: bit N is its Nth character. */
typedef struct {
    uint64_t ascii[ASCII];
    uint32_t others[SEARCH_TYPO_CHARACTERS_MAX];
    uint64_t other_bits[SEARCH_TYPO_CHARACTERS_MAX];
    size_t other_count;
    size_t length; /* characters */
    uint32_t first;
    core_slice first_bytes;
    uint64_t letters;
    uint32_t distance_max;
    bool is_prefix;
} typo_pattern;

typedef struct {
    const search_terms *terms;
    const typo_pattern *pattern;
    uint32_t limit;     /* of edits, in what is looked at now */
    bool is_same_first; /* terms that begin with the word's first letter, or all others */
    search_term_match *out;
    size_t max;
    size_t count;
} typo_search;

static void pattern_other_put(typo_pattern *pattern, uint32_t letter, uint64_t bit) {
    size_t at = 0;
    while (at < pattern->other_count && pattern->others[at] != letter)
        at++;
    if (at == pattern->other_count) {
        pattern->others[at] = letter;
        pattern->other_count++;
    }
    pattern->other_bits[at] |= bit;
}

/* False: too long for typos, or empty. */
static bool pattern_init(typo_pattern *pattern, const search_typo *typo) {
    *pattern = (typo_pattern){.letters = search_letters_of(typo->word),
                              .distance_max = typo->distance_max,
                              .is_prefix = typo->is_prefix};
    if (pattern->distance_max > SEARCH_TYPO_DISTANCE_MAX)
        pattern->distance_max = SEARCH_TYPO_DISTANCE_MAX;
    for (size_t at = 0; at < typo->word.length; pattern->length++) {
        if (pattern->length == SEARCH_TYPO_CHARACTERS_MAX)
            return false;
        uint32_t letter = search_letter_next(typo->word, &at);
        uint64_t bit = UINT64_C(1) << pattern->length;
        if (pattern->length == 0) {
            pattern->first = letter;
            pattern->first_bytes = core_slice_make(typo->word.data, at);
        }
        if (letter < ASCII)
            pattern->ascii[letter] |= bit;
        else
            pattern_other_put(pattern, letter, bit);
    }
    return pattern->length > 0;
}

static uint64_t pattern_bits(const typo_pattern *pattern, uint32_t letter) {
    if (letter < ASCII)
        return pattern->ascii[letter];
    for (size_t i = 0; i < pattern->other_count; i++)
        if (pattern->others[i] == letter)
            return pattern->other_bits[i];
    return 0;
}

/* One column of the table: vertical differences, and what a change with the neighbour needs. */
typedef struct {
    uint64_t more; /* the cell is one above the cell over it */
    uint64_t less;
    uint64_t diagonal; /* equals the cell over it in the column before */
    uint64_t bits;     /* of the letter before */
    uint32_t distance; /* in the last row */
} typo_column;

static void column_next(typo_column *column, uint64_t bits, uint64_t last) {
    uint64_t swapped = ((~column->diagonal & bits) << 1) & column->bits;
    uint64_t diagonal =
        (((bits & column->more) + column->more) ^ column->more) | bits | column->less | swapped;
    uint64_t right_more = column->less | ~(diagonal | column->more);
    uint64_t right_less = diagonal & column->more;
    column->distance += (right_more & last) != 0;
    column->distance -= (right_less & last) != 0;
    right_more = right_more << 1 | 1;
    right_less <<= 1;
    column->more = right_less | ~(diagonal | right_more);
    column->less = right_more & diagonal;
    column->diagonal = diagonal;
    column->bits = bits;
}

/* Between the word and the term, or its nearest beginning; at most `limit` matters: beyond it any
 * greater figure may come. */
static uint32_t pattern_distance(const typo_pattern *pattern, core_slice term, uint32_t limit) {
    typo_column column = {.more = ~UINT64_C(0), .distance = (uint32_t)pattern->length};
    uint64_t last = UINT64_C(1) << (pattern->length - 1);
    uint32_t nearest = column.distance;
    size_t columns = 0;
    for (size_t at = 0; at < term.length; columns++) {
        if (columns >= pattern->length + limit)
            return pattern->is_prefix ? nearest : limit + 1;
        column_next(&column, pattern_bits(pattern, search_letter_next(term, &at)), last);
        if (column.distance < nearest)
            nearest = column.distance;
        /* It falls by one a character at most. */
        size_t left = pattern->length + limit - columns;
        if (column.distance > limit + (term.length - at < left ? term.length - at : left))
            break;
    }
    return pattern->is_prefix ? nearest : column.distance;
}

/* More than `limit` bits set. */
static bool bits_above(uint64_t bits, uint32_t limit) {
    bits &= bits - 1;
    if (limit > 1)
        bits &= bits - 1;
    return bits != 0;
}

static bool letters_fit(const typo_pattern *pattern, uint64_t letters, uint32_t limit) {
    if (bits_above(pattern->letters & ~letters, limit))
        return false;
    return pattern->is_prefix || !bits_above(letters & ~pattern->letters, limit);
}

static void term_try(typo_search *search, uint32_t id) {
    const typo_pattern *pattern = search->pattern;
    if (search->terms->documents[id] == 0)
        return;
    core_slice text = search_term_text(search->terms, id);
    size_t at = 0;
    bool is_same = search_letter_next(text, &at) == pattern->first;
    if (is_same != search->is_same_first)
        return;
    uint32_t distance = pattern_distance(pattern, text, search->limit);
    if (distance == 0 || distance > search->limit)
        return;
    search_term_match match = {
        .text = text, .documents = search->terms->documents[id], .distance = distance + !is_same};
    search_term_match_keep(search->out, &search->count, search->max, match);
}

/* A first letter that differs is counted already: of two edits one is left, and few terms fit. Each
 * step of the loop is letters_fit at 1, written out: it goes over all terms. */
static void others_try(typo_search *search) {
    const uint64_t *letters = search->terms->letters;
    const uint64_t wanted = search->pattern->letters;
    const uint64_t unwanted = search->pattern->is_prefix ? 0 : ~wanted;
    const uint32_t count = search->terms->count;
    search->limit = 1;
    search->is_same_first = false;
    for (uint32_t id = 0; id < count; id++) {
        uint64_t missing = wanted & ~letters[id];
        uint64_t more = letters[id] & unwanted;
        if (((missing & (missing - 1)) | (more & (more - 1))) == 0)
            term_try(search, id);
    }
}

static void same_first_try(typo_search *search) {
    const search_terms *terms = search->terms;
    search_terms_place place = search_terms_order_find(terms, search->pattern->first_bytes, false);
    search_terms_place end = search_terms_order_find(terms, search->pattern->first_bytes, true);
    search->limit = search->pattern->distance_max;
    search->is_same_first = true;
    for (; place.block < terms->order.count && place.block <= end.block; place.block++) {
        const search_terms_block *block = terms->order.blocks[place.block];
        uint32_t to = place.block == end.block ? end.index : block->count;
        for (; place.index < to; place.index++) {
            uint32_t id = block->ids[place.index];
            if (letters_fit(search->pattern, terms->letters[id], search->limit))
                term_try(search, id);
        }
        place.index = 0;
    }
}

size_t search_terms_near(const search_terms *terms, const search_typo *typo, search_term_match *out,
                         size_t max) {
    typo_pattern pattern;
    if (typo->distance_max == 0 || !pattern_init(&pattern, typo))
        return 0;
    typo_search search = {.terms = terms, .pattern = &pattern, .out = out, .max = max};
    same_first_try(&search);
    if (pattern.distance_max > 1)
        others_try(&search);
    return search.count;
}
