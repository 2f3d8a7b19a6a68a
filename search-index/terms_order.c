/* The order of the dictionary's terms: blocks of ids, and what begins with some letters.
 *
 * A directory of blocks, each sorted; a term goes into its block by moving half a block's ids at
 * most. A full block is split in its middle, but one that grows at its end is left full, so terms
 * that come in order fill the blocks. */
#include "search-index/terms_private.h"

#include <stdlib.h>

#define BLOCK_STEP 64u /* a block grows by; SEARCH_TERMS_BLOCK_IDS is a multiple */

void search_terms_order_fini(search_terms_order *order) {
    for (size_t i = 0; i < order->count; i++)
        free(order->blocks[i].letters);
    free(order->blocks);
    *order = (search_terms_order){.count = 0};
}

size_t search_terms_order_bytes(const search_terms_order *order) {
    size_t bytes = order->capacity * sizeof *order->blocks;
    for (size_t i = 0; i < order->count; i++)
        bytes += order->blocks[i].capacity *
                 (sizeof *order->blocks[i].letters + sizeof *order->blocks[i].ids);
    return bytes;
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
        const search_terms_block *block = &terms->order.blocks[middle];
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
    const search_terms_block *block = &terms->order.blocks[place.block];
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
/* `count` of `from`'s terms, from `first` on, in memory of its own. */
static bool block_make(search_terms_block *block, const search_terms_block *from, uint32_t first,
                       uint32_t count) {
    uint32_t capacity = (count / BLOCK_STEP + 1) * BLOCK_STEP;
    uint64_t *letters = malloc(capacity * (sizeof *block->letters + sizeof *block->ids));
    if (letters == NULL)
        return false;
    *block = (search_terms_block){.letters = letters,
                                  .ids = (uint32_t *)(letters + capacity),
                                  .count = count,
                                  .capacity = capacity};
    if (count > 0) {
        memcpy(block->letters, from->letters + first, count * sizeof *block->letters);
        memcpy(block->ids, from->ids + first, count * sizeof *block->ids);
    }
    return true;
}

/* Room for one more; the block is not full. */
static bool block_reserve(search_terms_block *block) {
    search_terms_block larger;
    if (block->count < block->capacity)
        return true;
    if (!block_make(&larger, block, 0, block->count))
        return false;
    free(block->letters);
    *block = larger;
    return true;
}

/* Room for one more block in the directory. */
static bool order_reserve(search_terms_order *order) {
    if (order->count < order->capacity)
        return true;
    size_t capacity = order->capacity + order->capacity / 4 + 16;
    search_terms_block *blocks = realloc(order->blocks, capacity * sizeof *blocks);
    if (blocks == NULL)
        return false;
    order->blocks = blocks;
    order->capacity = capacity;
    return true;
}

/* Halves the full block that the place is in; the place moves with its term. */
static bool block_split(search_terms_order *order, search_terms_place *place) {
    search_terms_block lower, upper;
    if (!order_reserve(order))
        return false;
    search_terms_block *block = &order->blocks[place->block];
    uint32_t kept = block->count / 2;
    if (!block_make(&lower, block, 0, kept))
        return false;
    if (!block_make(&upper, block, kept, block->count - kept)) {
        free(lower.letters);
        return false;
    }
    free(block->letters);
    memmove(block + 2, block + 1, (order->count - place->block - 1) * sizeof *block);
    block[0] = lower;
    block[1] = upper;
    order->count++;
    if (place->index > kept) {
        place->block++;
        place->index -= kept;
    }
    return true;
}

/* Behind all terms: at the end of the last block, or in a new one behind it. */
static bool place_append(search_terms_order *order, search_terms_place *place) {
    search_terms_block *last = order->count > 0 ? &order->blocks[order->count - 1] : NULL;
    if (last != NULL && last->count < SEARCH_TERMS_BLOCK_IDS) {
        *place = (search_terms_place){.block = order->count - 1, .index = last->count};
        return true;
    }
    *place = (search_terms_place){.block = order->count};
    if (!order_reserve(order))
        return false;
    order->blocks[order->count++] = (search_terms_block){.count = 0};
    return true;
}

bool search_terms_order_insert(search_terms_order *order, search_terms_place place, uint32_t id,
                               uint64_t letters) {
    if (place.block == order->count) {
        if (!place_append(order, &place))
            return false;
    } else if (order->blocks[place.block].count == SEARCH_TERMS_BLOCK_IDS) {
        if (!block_split(order, &place))
            return false;
    }
    search_terms_block *block = &order->blocks[place.block];
    if (!block_reserve(block))
        return false;
    assert(block->count < block->capacity && place.index <= block->count);
    size_t behind = block->count - place.index;
    memmove(block->ids + place.index + 1, block->ids + place.index, behind * sizeof *block->ids);
    memmove(block->letters + place.index + 1, block->letters + place.index,
            behind * sizeof *block->letters);
    block->ids[place.index] = id;
    block->letters[place.index] = letters;
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
        const search_terms_block *block = &terms->order.blocks[place.block];
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
