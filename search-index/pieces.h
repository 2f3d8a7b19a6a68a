/* The texts of a document that are searched, one a slot, as the index takes them in.
 *
 * The same JSON gives the same texts as long as the slots are the same ones: what was put into the
 * index is taken out again by making them anew from the document that is kept. */
#ifndef WALCAST_SEARCH_INDEX_PIECES_H
#define WALCAST_SEARCH_INDEX_PIECES_H

#include "search-index/slots.h"

/* Values of one document that are taken; those beyond are not found. */
#define SEARCH_PIECES_MAX 200000u

typedef struct {
    uint32_t slot;
    uint32_t offset; /* into `bytes` while they are gathered */
    uint32_t length;
} search_piece;

typedef struct {
    core_slice text;
    uint32_t slot;
} search_slot_text;

/* Kept from document to document for its memory. */
typedef struct {
    search_slots *slots;
    core_buffer bytes;
    core_buffer joined;
    search_piece *pieces;
    uint32_t piece_count;
    uint32_t piece_capacity;
    search_slot_text *texts; /* in the order of their slots */
    uint32_t text_count;
    uint32_t text_capacity;
    bool is_sorted;
    bool is_failed;
} search_pieces;

void search_pieces_init(search_pieces *pieces, search_slots *slots);
void search_pieces_fini(search_pieces *pieces);
/* False: the JSON is no object (CORE_ERROR_INPUT), or memory is out. */
CORE_MUST_CHECK bool search_pieces_read(search_pieces *pieces, core_slice json, core_error *error);
bool search_pieces_equal(const search_pieces *a, const search_pieces *b);

#endif
