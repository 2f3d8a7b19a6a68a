/* Terms that are a typo away from a word; see terms.h.
 *
 * Each term is held against the word by its letters first, two operations on one integer, which
 * leaves a few in a hundred; those by their distance, a word of 64 bits for a whole column of the
 * usual table (H. Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit
 * distances", Nordic Journal of Computing 10, 2003). Terms with the word's first letter stand side
 * by side; all others have one edit less left, at distance 1 none, and are looked up. */
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
    core_slice word;
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
    *pattern = (typo_pattern){.word = typo->word,
                              .letters = search_letters_of(typo->word),
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

static void term_try(typo_search *search, uint32_t id) {
    const typo_pattern *pattern = search->pattern;
    core_slice text = search_term_text(search->terms, id);
    size_t at = 0;
    bool is_same = search_letter_next(text, &at) == pattern->first;
    if (is_same != search->is_same_first)
        return;
    uint32_t distance = pattern_distance(pattern, text, search->limit);
    if (distance == 0 || distance > search->limit || search->terms->documents[id] == 0)
        return;
    for (size_t i = 0; !is_same && i < search->count; i++)
        if (search->out[i].text.data == text.data)
            return; /* two edits lead to it */
    search_term_match match = {
        .text = text, .documents = search->terms->documents[id], .distance = distance + !is_same};
    search_term_match_keep(search->out, &search->count, search->max, match);
}

static uint64_t bit_less(uint64_t bits) {
    return bits & (bits - 1);
}

/* Terms whose letters differ from the word's by at most `limit` either way; of a beginning any more
 * letters may follow. Most of a look-up's time goes into these two loops. */
static void block_try(typo_search *search, const search_terms_block *block, uint32_t from,
                      uint32_t to) {
    const uint64_t wanted = search->pattern->letters;
    const uint64_t unwanted = search->pattern->is_prefix ? 0 : ~wanted;
    const uint64_t *letters = block->letters;
    if (search->limit == 1) {
        for (uint32_t i = from; i < to; i++)
            if ((bit_less(wanted & ~letters[i]) | bit_less(letters[i] & unwanted)) == 0)
                term_try(search, block->ids[i]);
        return;
    }
    for (uint32_t i = from; i < to; i++)
        if ((bit_less(bit_less(wanted & ~letters[i])) |
             bit_less(bit_less(letters[i] & unwanted))) == 0)
            term_try(search, block->ids[i]);
}

/* ---- Another first letter ---- */
/* It is counted already: of two edits one is left, and it is the one that made the first letter
 * another. So few texts come into question that each is looked up. */
static void text_try(typo_search *search, core_slice text) {
    const search_terms *terms = search->terms;
    uint32_t id;
    if (!search->pattern->is_prefix) {
        if (search_terms_find(terms, text, &id))
            term_try(search, id);
        return;
    }
    search_terms_place place = search_terms_order_find(terms, text, false);
    for (; place.block < terms->order.count; place.block++, place.index = 0) {
        const search_terms_block *block = &terms->order.blocks[place.block];
        for (; place.index < block->count; place.index++) {
            id = block->ids[place.index];
            if (!core_slice_begins(search_term_text(terms, id), text))
                return;
            term_try(search, id);
        }
    }
}

static void joined_try(typo_search *search, core_slice one, core_slice two, core_slice three) {
    uint8_t bytes[4 * (SEARCH_TYPO_CHARACTERS_MAX + 2)];
    core_buffer text = core_buffer_over(bytes, sizeof bytes);
    core_buffer_slice_append(&text, one);
    core_buffer_slice_append(&text, two);
    core_buffer_slice_append(&text, three);
    if (core_buffer_ok(&text))
        text_try(search, core_buffer_slice(&text));
}

static core_slice first_letter(core_slice text) {
    size_t length = 0;
    (void)search_letter_next(text, &length);
    return core_slice_make(text.data, length);
}

static void firsts_try(typo_search *search) {
    const search_terms *terms = search->terms;
    core_slice word = search->pattern->word, first = search->pattern->first_bytes;
    const core_slice none = core_slice_make("", 0);
    core_slice rest = core_slice_make(word.data + first.length, word.length - first.length);
    for (uint32_t i = 0; i < terms->first_count; i++) {
        core_slice letter = first_letter(search_term_text(terms, terms->firsts[i].id));
        joined_try(search, letter, rest, none); /* in its place */
        joined_try(search, letter, word, none); /* in front */
    }
    if (rest.length == 0)
        return;
    core_slice second = first_letter(rest);
    text_try(search, rest); /* left out */
    joined_try(search, second, first,
               core_slice_make(rest.data + second.length, rest.length - second.length));
}

static void others_try(typo_search *search) {
    const search_terms_order *order = &search->terms->order;
    search->limit = 1;
    search->is_same_first = false;
    if (search->terms->first_count <= SEARCH_FIRSTS_MAX) {
        firsts_try(search);
        return;
    }
    for (size_t i = 0; i < order->count; i++)
        block_try(search, &order->blocks[i], 0, order->blocks[i].count);
}

/* ---- The same ---- */
static void same_first_try(typo_search *search) {
    const search_terms *terms = search->terms;
    search_terms_place place = search_terms_order_find(terms, search->pattern->first_bytes, false);
    search_terms_place end = search_terms_order_find(terms, search->pattern->first_bytes, true);
    search->limit = search->pattern->distance_max;
    search->is_same_first = true;
    for (; place.block < terms->order.count && place.block <= end.block; place.block++) {
        const search_terms_block *block = &terms->order.blocks[place.block];
        block_try(search, block, place.index, place.block == end.block ? end.index : block->count);
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
