/* Where a query's parts stand in a document, for the ranking rules that ask for it: how close
 * together (proximity), in which attributes (attribute), and whether as written (exactness).
 * Counted while FTS5 is at the document, so no text is read. */
#include "search-index/query.h"

#define SLOT_SHIFT  17u /* an attribute has at most 65,535 words */
#define SLOTS_RANK  64u /* buckets of the attribute rule in a score */
#define OFFSET_MASK ((UINT32_C(1) << SLOT_SHIFT) - 1)

static uint32_t parts_of(const search_run *run) {
    uint32_t parts = run->words->positive_count;
    return parts < SEARCH_QUERY_PARTS_MAX ? parts : SEARCH_QUERY_PARTS_MAX;
}

void search_places_reset(search_run *run) {
    for (uint32_t i = 0; i < parts_of(run); i++) {
        run->part_places[i].count = 0;
        run->part_places[i].slot = SEARCH_SLOT_NONE;
        run->part_places[i].is_exact = false;
    }
}

void search_places_add(search_run *run, const search_phrase *phrase, uint32_t slot,
                       uint32_t offset) {
    uint32_t first = slot << SLOT_SHIFT | (offset & OFFSET_MASK);
    for (uint32_t i = phrase->first; i < phrase->first + phrase->count && i < parts_of(run); i++) {
        search_part_places *part = &run->part_places[i];
        part->slot = slot < part->slot ? slot : part->slot;
        part->is_exact = part->is_exact || phrase->is_exact;
        if (part->count == SEARCH_PLACES_MAX)
            continue;
        part->places[part->count].first = first;
        part->places[part->count++].last = first + phrase->words - 1;
    }
}

/* ---- Proximity ---- */
/* In the order of the query a step is 1, against it one more. */
static uint32_t places_apart(const search_part_places *left, uint32_t i,
                             const search_part_places *right, uint32_t j) {
    uint32_t from = left->places[i].first, to = right->places[j].first;
    uint32_t apart = 1; /* they overlap: a synonym stands for both */
    if (from >> SLOT_SHIFT != to >> SLOT_SHIFT)
        return SEARCH_PROXIMITY_MAX;
    if (to > left->places[i].last)
        apart = to - left->places[i].last;
    else if (from > right->places[j].last)
        apart = from - right->places[j].last + 1;
    return apart < SEARCH_PROXIMITY_MAX ? apart : SEARCH_PROXIMITY_MAX;
}

static uint32_t parts_apart(const search_part_places *left, const search_part_places *right) {
    uint32_t least = SEARCH_PROXIMITY_MAX;
    for (uint32_t i = 0; i < left->count && least > 1; i++)
        for (uint32_t j = 0; j < right->count && least > 1; j++) {
            uint32_t apart = places_apart(left, i, right, j);
            least = apart < least ? apart : least;
        }
    return least;
}

/* ---- Ranks ---- */
void search_places_rank(const search_run *run, search_entry *entry) {
    uint32_t parts = parts_of(run), proximity = 0, attribute = 0, inexact = 0;
    for (uint32_t i = 0; i < parts; i++) {
        const search_part_places *part = &run->part_places[i];
        if (i + 1 < parts)
            proximity += parts_apart(part, part + 1) - 1;
        if (part->slot == SEARCH_SLOT_NONE)
            continue;
        attribute += part->slot;
        inexact += !part->is_exact;
    }
    entry->proximity = (uint16_t)proximity;
    entry->attribute = (uint16_t)(attribute < UINT16_MAX ? attribute : UINT16_MAX);
    entry->inexact = (uint16_t)inexact;
}

double search_places_score(const search_run *run, const search_entry *entry, double relevance) {
    double low = 0, width = 1;
    uint32_t parts = parts_of(run);
    for (uint32_t i = 0; run->has_places && i < run->key_count; i++) {
        uint32_t buckets = 1, bucket = 0;
        if (run->keys[i].kind == SEARCH_KEY_PROXIMITY) {
            buckets = (parts > 0 ? parts - 1 : 0) * (SEARCH_PROXIMITY_MAX - 1) + 1;
            bucket = entry->proximity;
        } else if (run->keys[i].kind == SEARCH_KEY_ATTRIBUTE) {
            buckets = SLOTS_RANK;
            bucket = entry->attribute;
        } else if (run->keys[i].kind == SEARCH_KEY_EXACTNESS) {
            buckets = parts + 1;
            bucket = entry->inexact;
        }
        width /= buckets;
        low += width * (buckets - 1 - (bucket < buckets ? bucket : buckets - 1));
    }
    return low + width * relevance;
}
