/* The order of the dictionary's terms: blocks of ids, and what begins with some letters.
 *
 * A directory of blocks, each sorted; a term goes into its block by moving half a block's ids at
 * most. A full block is split in its middle, but one that grows at its end is left full, so terms
 * that come in order fill the blocks. */
#include "search-index/terms_private.h"

#include <stdlib.h>

void search_terms_order_fini(search_terms_order *order) {
    for (size_t i = 0; i < order->count; i++)
        free(order->blocks[i]);
    free(order->blocks);
    *order = (search_terms_order){.count = 0};
}

/* ---- Finding ---- */
/* Whether the term is in front of the place looked for. */
static bool is_before(core_slice term, core_slice text, bool is_after) {
    if (is_after && core_slice_begins(term, text))
        return true;
    return core_slice_compare(term, text) < 0;
}

static size_t block_find(const search_terms *terms, core_slice text, bool is_after) {
    size_t low = 0;
    size_t high = terms->order.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const search_terms_block *block = terms->order.blocks[middle];
        core_slice last = search_term_text(terms, block->ids[block->count - 1]);
        if (is_before(last, text, is_after))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

search_terms_place search_terms_order_find(const search_terms *terms, core_slice text,
                                           bool is_after) {
    search_terms_place place = {.block = block_find(terms, text, is_after)};
    if (place.block == terms->order.count)
        return place;
    const search_terms_block *block = terms->order.blocks[place.block];
    uint32_t high = block->count;
    while (place.index < high) {
        uint32_t middle = place.index + (high - place.index) / 2;
        if (is_before(search_term_text(terms, block->ids[middle]), text, is_after))
            place.index = middle + 1;
        else
            high = middle;
    }
    return place;
}

/* ---- Inserting ---- */
/* An empty block at `at` of the directory; NULL: out of memory. */
static search_terms_block *block_open(search_terms_order *order, size_t at) {
    if (order->count == order->capacity) {
        size_t capacity = order->capacity + order->capacity / 4 + 16;
        search_terms_block **blocks = realloc(order->blocks, capacity * sizeof *blocks);
        if (blocks == NULL)
            return NULL;
        order->blocks = blocks;
        order->capacity = capacity;
    }
    search_terms_block *block = calloc(1, sizeof *block);
    if (block == NULL)
        return NULL;
    memmove(order->blocks + at + 1, order->blocks + at,
            (order->count - at) * sizeof(search_terms_block *));
    order->blocks[at] = block;
    order->count++;
    return block;
}

/* Halves the full block that the place is in; the place moves with its term. */
static bool block_split(search_terms_order *order, search_terms_place *place) {
    search_terms_block *upper = block_open(order, place->block + 1);
    if (upper == NULL)
        return false;
    search_terms_block *block = order->blocks[place->block];
    uint32_t kept = block->count / 2;
    upper->count = block->count - kept;
    memcpy(upper->ids, block->ids + kept, upper->count * sizeof *upper->ids);
    block->count = kept;
    if (place->index > kept) {
        place->block++;
        place->index -= kept;
    }
    return true;
}

/* Behind all terms: at the end of the last block, or in a new one behind it. */
static bool place_append(search_terms_order *order, search_terms_place *place) {
    search_terms_block *last = order->count > 0 ? order->blocks[order->count - 1] : NULL;
    if (last != NULL && last->count < SEARCH_TERMS_BLOCK_IDS) {
        *place = (search_terms_place){.block = order->count - 1, .index = last->count};
        return true;
    }
    *place = (search_terms_place){.block = order->count};
    return block_open(order, order->count) != NULL;
}

bool search_terms_order_insert(search_terms_order *order, search_terms_place place, uint32_t id) {
    if (place.block == order->count) {
        if (!place_append(order, &place))
            return false;
    } else if (order->blocks[place.block]->count == SEARCH_TERMS_BLOCK_IDS) {
        if (!block_split(order, &place))
            return false;
    }
    search_terms_block *block = order->blocks[place.block];
    assert(block->count < SEARCH_TERMS_BLOCK_IDS && place.index <= block->count);
    memmove(block->ids + place.index + 1, block->ids + place.index,
            (block->count - place.index) * sizeof *block->ids);
    block->ids[place.index] = id;
    block->count++;
    return true;
}

/* ---- The best of many ---- */
/* Below 0: `a` comes first. */
static int match_compare(const search_term_match *a, const search_term_match *b) {
    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    if (a->documents != b->documents)
        return a->documents > b->documents ? -1 : 1;
    return core_slice_compare(a->text, b->text);
}

void search_term_match_keep(search_term_match *out, size_t *count, size_t max,
                            search_term_match match) {
    if (*count == max) {
        if (max == 0 || match_compare(&out[max - 1], &match) <= 0)
            return;
        (*count)--;
    }
    size_t at = *count;
    for (; at > 0 && match_compare(&match, &out[at - 1]) < 0; at--)
        out[at] = out[at - 1];
    out[at] = match;
    (*count)++;
}

size_t search_terms_prefix(const search_terms *terms, core_slice prefix, search_term_match *out,
                           size_t max, search_terms_total *total) {
    search_terms_place place = search_terms_order_find(terms, prefix, false);
    search_terms_place end = search_terms_order_find(terms, prefix, true);
    search_terms_total sum = {.terms = 0};
    size_t count = 0;
    for (; place.block < terms->order.count; place.block++, place.index = 0) {
        const search_terms_block *block = terms->order.blocks[place.block];
        uint32_t to = place.block == end.block ? end.index : block->count;
        for (; place.index < to; place.index++) {
            uint32_t id = block->ids[place.index];
            if (terms->documents[id] == 0)
                continue;
            sum.terms++;
            sum.documents += terms->documents[id];
            search_term_match match = {.text = search_term_text(terms, id),
                                       .documents = terms->documents[id]};
            search_term_match_keep(out, &count, max, match);
        }
        if (place.block == end.block)
            break;
    }
    if (total != NULL)
        *total = sum;
    return count;
}
